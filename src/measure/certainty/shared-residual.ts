import * as g from '../../graph'
import { squaredNorm, type Values } from '../../numbers/values'
import type { Program } from '../../runtime/runtime'

/** Name of the parameter that tensor i of the gradient is held against. */
export const reachedParameter = (i: number): string => `reached ${i}`
/** Name of the parameter that the difference of tensor i is multiplied by. */
export const weightOfTensor = (i: number): string => `weight of tensor ${i}`

/**
 * R(x) = Σ_ℓ ‖w_ℓ (α g_ℓ(x) − r_ℓ)‖² and ∂R/∂x, where r is bound. α is 1, or the factor that fits best where what was shared has
 * one that is not known.
 *
 * This is the plain residual of what was shared, whatever distance a search has used: a distance may not see what was shared in
 * full, such as a cosine its size.
 *
 * The outputs are R and one derivative per unknown.
 */
export function residualProgram(
  gradients: readonly g.Node[],
  unknowns: readonly g.Node<'input'>[],
  fitsFactor: boolean,
): Program {
  const parameter = (name: (i: number) => string, shape: (n: g.Node) => readonly number[]) =>
    gradients.map((n, i) => g.parameter(n.graph, name(i), shape(n)))
  const reached = parameter(reachedParameter, ({ shape }) => shape)
  const weights = parameter(weightOfTensor, () => [])
  const weighted = (nodes: readonly g.Node[]) => nodes.map((n, i) => g.mul(n, weights[i]))
  const total = (nodes: readonly g.Node[]) => nodes.reduce(g.add)
  const fitted = (): g.Node[] => {
    const [own, others] = [weighted(gradients), weighted(reached)]
    const factor = g.div(total(own.map((n, i) => g.inner(n, others[i]))), total(own.map((n) => g.inner(n, n))))
    return gradients.map((n) => g.mul(n, factor))
  }
  const compared = fitsFactor ? fitted() : gradients
  // the difference is weighed before it is squared: squares of a small tensor would underflow
  const differences = weighted(compared.map((n, i) => g.sub(n, reached[i])))
  const residual = total(differences.map((n) => g.inner(n, n)))
  return { inputs: unknowns, outputs: [residual, ...g.grad(residual, unknowns)] }
}

/** Relative squared change that float32 leaves open: ten roundings of 2⁻²³, squared. */
export const FLOAT32 = 1e-12

/** How exactly every tensor of what was shared is known, and how it counts in R. */
export interface Floors {
  /** w_ℓ, for which a change of r in tensor ℓ alone, of the size of its floor, is R = `floor` where the computation is exact. */
  readonly weights: readonly number[]
  /** R below which nothing is told apart; R is 1 where all of r is gone. */
  readonly floor: number
  /** What of it the computation makes in every direction. In as many directions as there are, it may all come together. */
  readonly noise: number
}

/** What the floors are computed from, tensor by tensor. */
export interface Reached {
  /** What was shared. */
  readonly shared: readonly Values[]
  /** The gradient at the point, times the factor. */
  readonly reached: readonly Values[]
  /** The gradient a rounding away from the point, in two opposite directions, times the factor. */
  readonly beside: readonly [readonly Values[], readonly Values[]]
  /** Expected squared norm of what was lost on the way: rounding to a type, noise that was stated. */
  readonly lost: readonly number[]
}

/** Rounding in a difference quotient of Richardson's at a step of ¼: 2 (16 · 16 + 4) / 9 = 58, and four times that for the largest of several. */
const ROUNDINGS = 230

/** Squared norms below this part of the others' are none. */
const NONE = 1e-30

/**
 * A relative residual below this is as good as any in float32, and ends a search from all sides. One above it is left by a search that
 * came to rest in a valley: all of it may be along the valley.
 */
const AS_GOOD = 1e-10

/** A uniform distribution over one unit has this many times less variance. */
const GUESS = 12

/**
 * A tensor's floor is a squared norm, the sum of
 *
 * - what float32 makes of numbers of its size;
 * - 12 times what the point leaves of what was shared, beyond what was lost on the way: the search has not told it apart;
 * - 12 times what was lost, per number;
 * - 230 times the variance of the computation itself, which is not exact where large numbers cancel: what is left of it in a derivative
 *   by differences over a quarter of a unit.
 *
 * 12, because an error that moves what was shared by 1 / √12 of what a unit does is as large as that of a guess.
 *
 * Tensors count in proportion to their floors and not to their sizes: a small tensor of a first layer is as exact in float32 as
 * a large one of a last layer, and tells the data just as well.
 */
export function floorsOf({ shared, reached, beside, lost }: Reached): Floors {
  const least = FLOAT32 * squaredNorm(shared)
  const noise = shared.map((_, i) => ROUNDINGS * noiseIn(beside[0][i], reached[i], beside[1][i]))
  const unexplained = shared.map((values, i) => GUESS * Math.max(0, distance(values, reached[i]) - lost[i]))
  const squares = shared.map((values, i) => {
    const rounding = FLOAT32 * squaredNorm([values])
    return rounding + unexplained[i] + (GUESS * lost[i]) / values.length + noise[i]
  })
  // no search tells such small tensors from none beside the others
  const floors = squares.map((v) => (v > NONE * least ? v : least))
  const whole = shared.reduce((sum, values, i) => sum + squaredNorm([values]) / floors[i], 0)
  // noise is in all tensors at once, where a change may be in one; and so is what a search leaves that came to rest too early
  const inAll = (parts: readonly number[]) => parts.reduce((sum, v, i) => sum + v / floors[i], 0)
  const together = inAll(noise)
  const left = unexplained.reduce((a, b) => a + b, 0) / GUESS
  const rested = left > AS_GOOD * squaredNorm(shared) ? inAll(unexplained) : 0
  return {
    weights: floors.map((v) => 1 / Math.sqrt(v * whole)),
    floor: (1 + together + rested) / whole,
    noise: together / whole,
  }
}

/** ‖r(x + ε) − 2 r(x) + r(x − ε)‖² / 6: the derivative cancels, and what is left is rounding. */
function noiseIn(ahead: Values, here: Values, behind: Values): number {
  let sum = 0
  for (let i = 0; i < here.length; i++) sum += (ahead[i] - 2 * here[i] + behind[i]) ** 2
  return sum / 6
}

function distance(a: Values, b: Values): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return sum
}

/** All tensors times a factor, in float64. */
export const timesFactor = (tensors: readonly Values[], factor: number): Float64Array[] =>
  tensors.map((values) => {
    const out = new Float64Array(values)
    for (let i = 0; i < out.length; i++) out[i] *= factor
    return out
  })
