import { weightParameter } from '../../client/model/gradient'
import { sizeOf } from '../../graph'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../numbers/values'
import { lengthOf } from '../../numbers/vectors'
import { type Pause, paced } from '../contract/pause'
import { openBetween } from './between'
import type { Chain, Link } from './chain'
import { feltBefore, type SolvedSystem, type System, solveSystem } from './system'

/** What the last layer reads, and ∂L/∂z behind it. */
export interface End {
  readonly read: Float64Array
  readonly felt: Float64Array
}

/** What was computed of one layer on the way back. */
export interface Layer {
  readonly link: Link
  /** What its equations miss: ‖A x − b‖ / ‖b‖. */
  readonly residual: number
  readonly steps: number
  /** Numbers of what it reads that the activation before it never gives. */
  readonly outside: number
  readonly system: System
}

/** The data that a recursion ends at. */
export interface Recursion {
  /** Numbers of one sample, row-major; NaN where no layer reads them. */
  readonly data: Float64Array
  /** From the last layer to the first. */
  readonly layers: readonly Layer[]
}

/** The residual of a layer with more equations than unknowns from which its right side is wrong. */
const WRONG = 0.1

/**
 * From the last layer back to the data (Zhu, Blaschko 2021): what a layer reads solves its equations, the inverse of the activation turns
 * it into what the layer before gives, and δ goes through the weights and the slope of the activation.
 *
 * @param gradients of the trained weights, without penalties
 * @param told before each layer, how many are done
 * @returns undefined where the equations of a layer contradict each other by far
 * @throws CUT
 */
export async function recurse(
  { links, bound, traced }: Chain,
  end: End,
  gradients: readonly Values[],
  pause: Pause,
  told: (done: number) => void = () => {},
): Promise<Recursion | undefined> {
  const layers: Layer[] = []
  let felt = end.felt
  let outputs = new Float64Array(felt.length).fill(Number.NaN)
  for (let at = links.length - 1; at >= 0; at--) {
    told(links.length - 1 - at)
    const link = links[at]
    const weight = bound.get(weightParameter(traced.trained[link.weight]))!
    const system: System = {
      ...{ link, felt, outputs },
      weights: Float64Array.from(link.kernel, (i) => weight[i]),
      gradient: Float64Array.from(link.kernel, (i) => gradients[link.weight][i]),
      known: new Float64Array(link.unknowns).fill(Number.NaN),
    }
    const between = await openBetween(link.before, bound)
    try {
      const { entry, from } = link.before
      if (entry.includes(-1)) {
        const padding = await between.value(new Float64Array(sizeOf(from.shape)))
        for (const [i, of] of entry.entries()) if (of < 0) system.known[i] = padding[i]
      }
      const solved: SolvedSystem =
        at === links.length - 1
          ? { read: end.read, residual: 0, steps: 0 }
          : link.patches === 1
            ? divided(system)
            : await paced(solveSystem(system) as Steps<SolvedSystem>, pause)
      const inverse = await between.inverse(solved.read, pause)
      layers.push({ link, system, residual: solved.residual, steps: solved.steps, outside: inverse.outside })
      if (!(solved.residual < WRONG)) return undefined
      if (at === 0) return { data: inverse.from, layers }
      const before = links[at - 1]
      const back = await between.back(finite(inverse.from), feltBefore(system))
      outputs = Float64Array.from(before.output, (i) => inverse.from[i])
      felt = feltOf(before, gradients) ?? Float64Array.from(before.output, (i) => back[i])
    } finally {
      between.dispose()
    }
  }
  return undefined
}

const finite = (values: Float64Array): Float64Array => values.map((v) => (Number.isNaN(v) ? 0 : v))

/** δ of a dense layer with bias is the gradient of the bias. */
const feltOf = ({ bias }: Link, gradients: readonly Values[]): Float64Array | undefined =>
  bias === undefined ? undefined : Float64Array.from(gradients[bias])

/** The input of a dense layer: x = ∂L/∂W δ / ‖δ‖², whatever the weights say. */
function divided({ link, felt, gradient, weights, outputs }: System): SolvedSystem {
  const { numbers, width, source } = link
  const size = felt.reduce((sum, v) => sum + v * v, 0)
  const read = new Float64Array(link.unknowns)
  const off: number[] = []
  for (let j = 0; j < numbers; j++) {
    let sum = 0
    for (let o = 0; o < width; o++) sum += gradient[j * width + o] * felt[o]
    read[source[j]] = sum / size
    for (let o = 0; o < width; o++) off.push(gradient[j * width + o] - read[source[j]] * felt[o])
  }
  const ofGradient = lengthOf(Float64Array.from(off)) / (lengthOf(gradient) || 1)
  const missed = Float64Array.from(outputs, (y, o) => {
    let sum = -y
    for (let j = 0; j < numbers; j++) sum += read[source[j]] * weights[j * width + o]
    return Number.isNaN(y) ? 0 : sum
  })
  const ofOutputs = lengthOf(missed) / (lengthOf(finite(outputs)) || 1)
  return { read, steps: 0, residual: Math.max(ofGradient, ofOutputs) }
}
