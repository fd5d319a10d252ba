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
  /** w_ℓ, for which a change of r in tensor ℓ alone, of the size of its floor, is R = `floor`. */
  readonly weights: readonly number[]
  /** R below which nothing is told apart; R is 1 where all of r is gone. */
  readonly floor: number
}

/** What the floors are computed from, tensor by tensor. */
export interface Reached {
  /** What was shared. */
  readonly shared: readonly Values[]
  /** The gradient at the point, times the factor. */
  readonly reached: readonly Values[]
  /** The gradient a rounding away from the point, times the factor. */
  readonly beside: readonly Values[]
  /** Expected squared norm of what was lost on the way: rounding to a type, noise that was stated. */
  readonly lost: readonly number[]
}

/** Squared norms below this part of the others' are none. */
const NONE = 1e-30

/** A uniform distribution over one unit has this many times less variance. */
const GUESS = 12

/**
 * A tensor's floor is a squared norm, the sum of
 *
 * - what float32 makes of numbers of its size;
 * - 12 times what the point leaves of what was shared, beyond what was lost on the way: the search has not told it apart;
 * - 12 times what was lost, per number;
 * - what a rounding of the point does: the computation itself is not exact where large numbers cancel.
 *
 * 12, because an error that moves what was shared by 1 / √12 of what a unit does is as large as that of a guess.
 *
 * Tensors count in proportion to their floors and not to their sizes: a small tensor of a first layer is as exact in float32 as
 * a large one of a last layer, and tells the data just as well.
 */
export function floorsOf({ shared, reached, beside, lost }: Reached): Floors {
  const least = FLOAT32 * squaredNorm(shared)
  const squares = shared.map((values, i) => {
    const residual = distance(values, reached[i])
    const unexplained = Math.max(0, residual - lost[i])
    const rounding = FLOAT32 * squaredNorm([values])
    return rounding + GUESS * (unexplained + lost[i] / values.length) + distance(reached[i], beside[i])
  })
  // no search tells such small tensors from none beside the others
  const floors = squares.map((v) => (v > NONE * least ? v : least))
  const whole = shared.reduce((sum, values, i) => sum + squaredNorm([values]) / floors[i], 0)
  return { weights: floors.map((v) => 1 / Math.sqrt(v * whole)), floor: 1 / whole }
}

function distance(a: Values, b: Values): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return sum
}

/** α = ⟨g, g*⟩ / ⟨g, g⟩, the factor that brings g closest to g*; 1 where g is zero. */
export function fittedFactor(found: readonly Values[], shared: readonly Values[]): number {
  let [product, square] = [0, 0]
  for (const [i, values] of found.entries())
    for (let k = 0; k < values.length; k++) {
      product += values[k] * shared[i][k]
      square += values[k] ** 2
    }
  return square > 0 ? product / square : 1
}

/** All tensors times a factor, in float64. */
export const timesFactor = (tensors: readonly Values[], factor: number): Float64Array[] =>
  tensors.map((values) => Float64Array.from(values, (v) => factor * v))
