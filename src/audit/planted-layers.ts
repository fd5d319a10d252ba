import { weightParameter } from '../client/model/gradient'
import type { Target } from '../client/target'
import { random } from '../numbers/random'
import type { Values } from '../numbers/values'

/** A dense layer that looks made to read single samples. */
export interface PlantedLayer {
  readonly weight: string
  readonly shape: readonly number[]
  /** Units of the same direction, whose biases differ. */
  readonly units: number
}

/** Units of one direction from which on it is no accident, and numbers that such a direction must have. */
const FEWEST = 3
/** How far apart two directions may be and still be one: float32 rounds each number. */
const PARALLEL = 1e-5

/**
 * Dense layers in which several units have one direction and different biases: each unit fires for samples from some value on, so that differences
 * of their gradients are single samples (Fowl et al. 2022, _Robbing the Fed_). Neither training nor any usual initializer makes such a layer.
 */
export function plantedLayers({ whole, weights }: Target): PlantedLayer[] {
  const values = (at: number): Values => weights.get(weightParameter(whole.weights[at])) ?? new Float32Array(0)
  return whole.weights.flatMap(({ name, shape }, at): PlantedLayer[] => {
    if (shape.length !== 2) return []
    const [rows, columns] = shape
    const biases = whole.weights.flatMap((w, i) =>
      w.shape.length === 1 ? [{ size: w.shape[0], values: values(i) }] : [],
    )
    // [inputs, units] as tfjs has it, or [units, inputs] as PyTorch has it
    const most = [
      { units: columns, length: rows, unit: 1, step: columns },
      { units: rows, length: columns, unit: columns, step: 1 },
    ].map(({ units, length, unit, step }) => {
      if (length < FEWEST || units < FEWEST) return 0
      const group = largestBundle(values(at), units, length, unit, step)
      const differ = biases.some(
        ({ size, values: b }) => size === units && new Set(group.map((i) => b[i])).size >= FEWEST,
      )
      return differ ? group.length : 0
    })
    const units = Math.max(...most)
    return units >= FEWEST ? [{ weight: name, shape, units }] : []
  })
}

/** The most units that have one direction, of either sign. Number `k` of unit `i` is at i · unit + k · step. */
function largestBundle(values: Values, units: number, length: number, unit: number, step: number): number[] {
  const { normal } = random(1)
  const probe = Float64Array.from({ length }, normal)
  const along = (i: number): number => {
    let [inner, square] = [0, 0]
    for (let k = 0; k < length; k++) {
      const v = values[i * unit + k * step]
      inner += v * probe[k]
      square += v * v
    }
    return square > 0 ? Math.abs(inner) / Math.sqrt(square) : Number.NaN
  }
  // units of one direction have one projection; whether those of one projection have one direction is looked at
  const order = Array.from({ length: units }, (_, i) => ({ i, at: along(i) }))
    .filter(({ at }) => !Number.isNaN(at))
    .sort((a, b) => a.at - b.at)
  let largest: number[] = []
  let bundle: number[] = []
  for (const [k, { i, at }] of order.entries()) {
    const joins = k > 0 && at - order[k - 1].at <= PARALLEL * length && isParallel(bundle[0], i)
    bundle = joins ? [...bundle, i] : [i]
    if (bundle.length > largest.length) largest = bundle
  }
  return largest

  function isParallel(a: number, b: number): boolean {
    let [inner, squareA, squareB] = [0, 0, 0]
    for (let k = 0; k < length; k++) {
      const [v, w] = [values[a * unit + k * step], values[b * unit + k * step]]
      inner += v * w
      squareA += v * v
      squareB += w * w
    }
    return 1 - Math.abs(inner) / Math.sqrt(squareA * squareB) < PARALLEL ** 2 * length
  }
}
