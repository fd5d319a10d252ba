import type { Node, Shape } from '../../../graph'
import * as g from '../../../graph'
import { squaredNorm, type Values } from '../../../numbers/values'
import { whitened } from './whitened'

/** A tensor as numbers in row-major order. */
export interface DistanceTensor {
  readonly shape: Shape
  readonly values: Values
}

/** What a distance computes once: tensors for each tensor that was shared. */
export type DistanceWeights = readonly (readonly DistanceTensor[])[]

/** How far a candidate's gradient is from the shared one. */
export interface Distance {
  readonly name: string
  /** As of an optimizer: what its functions keep to themselves. Results of an audit are kept under it. */
  readonly settings?: unknown
  /**
   * The distance as a scalar node, from lists of tensors in the order of the weights.
   *
   * @param weights those of `weights()`, as nodes; empty for a distance without
   */
  measure(gradients: readonly Node[], shared: readonly Node[], weights?: readonly (readonly Node[])[]): Node
  /**
   * Numbers that the distance computes once from what was shared, any number of tensors for each shared one. `measure` receives them as
   * nodes. What takes long is a generator, which yields every few milliseconds: there the attack tells how far it is, and may be aborted.
   */
  weights?(shared: readonly DistanceTensor[]): DistanceWeights | Generator<void, DistanceWeights, void>
  /**
   * The distance from the shared gradient to zero: the unit in which it is reported, so that 1 means nothing was
   * matched and 0 everything. A number, or a generator as of `weights`. Default 1.
   */
  unit?(shared: readonly Values[], weights?: DistanceWeights): number | Generator<void, number, void>
  /** Whether it does not see a common factor of the gradients. Default false. */
  readonly factorFree?: boolean
}

/** The derivative of a distance with respect to each gradient: `factor`, a scalar, times these tensors. */
interface DistanceDerivative {
  readonly factor: Node
  readonly tensors: readonly Node[]
}

type Measure = Distance['measure']
type Derivative = (gradients: readonly Node[], shared: readonly Node[], measured: Node) => DistanceDerivative

/** Derivatives that are simpler than what differentiating gives, by the measure they belong to. A distance of a caller's has a measure of its own. */
const derivatives = new WeakMap<Measure, Derivative>()

/** The derivative of a distance in closed form, given what `measure` gave; undefined where it has none. */
export const derivativeOf = ({ measure }: Distance): Derivative | undefined => derivatives.get(measure)

/** A measure of the same value as another one's, and so of the same derivative. */
export function likeMeasure(measure: Measure, distance: Distance): Measure {
  const derivative = derivativeOf(distance)
  if (derivative) derivatives.set(measure, derivative)
  return measure
}

const total = (nodes: readonly Node[]): Node => nodes.reduce(g.add)

const L2: Distance = {
  name: 'l2',
  measure: (gradients, shared) =>
    total(
      gradients.map((n, i) => {
        const difference = g.sub(n, shared[i])
        return g.inner(difference, difference)
      }),
    ),
  unit: squaredNorm,
}

/** Σ‖g − g*‖² over all tensors (Zhu, Liu, Han 2019, eq. 2). */
export const l2 = (): Distance => L2

/** Whether a distance is {@link l2}, whose relative loss is the square of the residual ‖g − g*‖ / ‖g*‖. */
export const isL2 = (distance: Distance): boolean => distance === L2

const norm = (nodes: readonly Node[]): Node => g.sqrt(total(nodes.map((n) => g.inner(n, n))))

/** u = g / ‖g‖ and u − u* of each tensor, and ‖g‖. */
function units(gradients: readonly Node[], shared: readonly Node[]) {
  const [size, sharedSize] = [norm(gradients), norm(shared)]
  const own = gradients.map((n) => g.div(n, size))
  return { size, own, differences: own.map((n, i) => g.sub(n, g.div(shared[i], sharedSize))) }
}

const angle: Measure = (gradients, shared) =>
  g.scale(total(units(gradients, shared).differences.map((n) => g.inner(n, n))), 0.5)

// D = 1 − ⟨u, u*⟩ gives ∂D/∂g = (⟨u, u*⟩ u − u*) / ‖g‖ = (u − u* − D u) / ‖g‖
derivatives.set(angle, (gradients, shared, measured) => {
  const { size, own, differences } = units(gradients, shared)
  return {
    factor: g.div(g.scalar(size.graph, 1), size),
    tensors: differences.map((n, i) => g.sub(n, g.mul(own[i], measured))),
  }
})

/**
 * 1 − ⟨g, g*⟩ / (‖g‖ ‖g*‖) over all tensors together (Geiping et al. 2020, eq. 4): blind to a common factor.
 *
 * Computed as half the squared distance of the two unit vectors, which is the same and does not cancel: in float32,
 * 1 − cos knows nothing below 6e-8.
 */
export const cosine = (): Distance => ({ name: 'cosine', factorFree: true, measure: angle })

/**
 * Σ_ℓ ‖g_ℓ − g*_ℓ‖² / ‖g*_ℓ‖ over the tensors: between the plain sum, where the large gradient of a last layer drowns
 * those of the first ones, which tell the data, and the same weight for every tensor, where rounding noise of a tensor that is zero
 * in theory (the bias of an attention's key) drowns the rest. For deep networks.
 */
export function balanced(): Distance {
  return {
    name: 'balanced',
    measure(gradients, shared) {
      const size = (n: Node) => g.sqrt(g.offset(g.inner(n, n), 1e-30))
      return total(
        gradients.map((n, i) => {
          const difference = g.sub(n, shared[i])
          return g.div(g.inner(difference, difference), size(shared[i]))
        }),
      )
    },
    unit: (shared) => shared.reduce((sum, values) => sum + Math.sqrt(squaredNorm([values])), 0),
  }
}

/** The distances that a name stands for. */
export const DISTANCES = { l2, cosine, balanced, whitened } as const satisfies Readonly<
  Record<DistanceName, () => Distance>
>

/** The name of a distance. */
export type DistanceName = 'l2' | 'cosine' | 'balanced' | 'whitened'
