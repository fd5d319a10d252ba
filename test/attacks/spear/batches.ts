import type { DenseGradient } from '../../../src/analytic'
import { random } from '../../../src/numbers/random'

/** A batch, the dense layer it went through, and the layer's gradient. */
export interface Batch {
  readonly rows: readonly Float64Array[]
  readonly layer: DenseGradient
  readonly gradient: DenseGradient
}

export interface BatchOptions {
  readonly samples: number
  readonly inputs: number
  readonly units: number
  readonly classes?: number
  /** Units of a second hidden layer with ReLU. Default: none. */
  readonly second?: number
  readonly activation?: 'relu' | 'sigmoid' | 'gelu' | 'linear'
  /** Standard deviation of noise, in units of the root mean square of the tensor. */
  readonly noise?: number
  /** Inputs from N(0, 1) or, as of pictures, U(0, 1). */
  readonly positive?: boolean
  /** The last sample is the first again. */
  readonly repeated?: boolean
}

/** A classifier's batch with random weights and labels, by plain loops in float64; the gradient is rounded to float32. */
export function batch(seed: number, options: BatchOptions): Batch {
  const { samples, inputs, units, classes = 10, second, activation = 'relu', noise = 0, positive, repeated } = options
  const from = random(seed, 0x62)
  const values = (count: number, bound: number) =>
    Float64Array.from({ length: count }, () => bound * (2 * from.uniform() - 1))
  const rows = Array.from({ length: samples }, () =>
    Float64Array.from({ length: inputs }, () => (positive ? from.uniform() : from.normal())),
  )
  if (repeated) rows[samples - 1] = rows[0]
  const layer = { weight: values(inputs * units, 1 / Math.sqrt(inputs)), bias: values(units, 1 / Math.sqrt(inputs)) }
  const widths = second ? [units, second, classes] : [units, classes]
  const later = widths.slice(1).map((width, i) => values(widths[i] * width, 1 / Math.sqrt(widths[i])))
  const weight = new Float64Array(inputs * units)
  const bias = new Float64Array(units)
  for (const row of rows) {
    const z = layer.bias.map((b, j) => row.reduce((sum, x, i) => sum + x * layer.weight[i * units + j], b))
    const felt = feltBy(z, later, widths, activation, Math.floor(from.uniform() * classes)).map((v) => v / samples)
    felt.forEach((v, j) => {
      bias[j] += v
      for (let i = 0; i < inputs; i++) weight[i * units + j] += v * row[i]
    })
  }
  const shared = [weight, bias].map((tensor) => {
    const size = Math.sqrt(tensor.reduce((sum, v) => sum + v * v, 0) / tensor.length)
    return tensor.map((v) => Math.fround(v + noise * size * from.normal()))
  })
  return { rows, layer, gradient: { weight: shared[0], bias: shared[1] } }
}

const ACTIVATIONS = {
  relu: (z: number) => [Math.max(0, z), z > 0 ? 1 : 0],
  linear: (z: number) => [z, 1],
  sigmoid: (z: number) => {
    const s = 1 / (1 + Math.exp(-z))
    return [s, s * (1 - s)]
  },
  // the approximation x σ(1.702 x)
  gelu: (z: number) => {
    const s = 1 / (1 + Math.exp(-1.702 * z))
    return [z * s, s + 1.702 * z * s * (1 - s)]
  },
}

/** ∂L/∂z of one sample for a cross-entropy. */
function feltBy(
  z: Float64Array,
  later: readonly Float64Array[],
  widths: readonly number[],
  activation: keyof typeof ACTIVATIONS,
  label: number,
): Float64Array {
  const slopes: Float64Array[] = []
  let at = z
  later.forEach((matrix, l) => {
    const act = ACTIVATIONS[l === 0 ? activation : 'relu']
    slopes.push(at.map((v) => act(v)[1]))
    const h = at.map((v) => act(v)[0])
    at = Float64Array.from({ length: widths[l + 1] }, (_, k) =>
      h.reduce((sum, v, j) => sum + v * matrix[j * widths[l + 1] + k], 0),
    )
  })
  const powers = at.map(Math.exp)
  const total = powers.reduce((a, b) => a + b)
  let g: Float64Array = powers.map((v, k) => v / total - (k === label ? 1 : 0))
  for (let l = later.length - 1; l >= 0; l--) {
    const width = widths[l + 1]
    g = slopes[l].map((slope, j) => slope * g.reduce((sum, v, k) => sum + v * later[l][j * width + k], 0))
  }
  return g
}

/** For each true row, the relative distance of the recovered row that is nearest. */
export function distances(rows: readonly Float64Array[], found: ArrayLike<number>): number[] {
  const width = rows[0].length
  return rows.map((row) => {
    let nearest = Infinity
    for (let at = 0; at + width <= found.length; at += width) {
      let [difference, size] = [0, 0]
      row.forEach((v, i) => {
        difference += (found[at + i] - v) ** 2
        size += v * v
      })
      nearest = Math.min(nearest, Math.sqrt(difference / size))
    }
    return nearest
  })
}
