import type { Node } from '../graph'
import * as g from '../graph'
import type { Values } from '../runtime/runtime'

/** How far a candidate's gradient is from the shared one. */
export interface Distance {
  readonly name: string
  /** The distance as a scalar node, from lists of tensors in the order of the weights. */
  measure(gradients: readonly Node[], shared: readonly Node[]): Node
  /**
   * The distance from the shared gradient to zero: the unit in which it is reported, so that 1 means nothing was
   * matched and 0 everything. Default 1.
   */
  unit?(shared: readonly Values[]): number
}

const total = (nodes: readonly Node[]): Node => nodes.reduce(g.add)

/** Σ‖g − g*‖² over all tensors (Zhu, Liu, Han 2019, eq. 2). */
export function l2(): Distance {
  return {
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
}

/**
 * 1 − ⟨g, g*⟩ / (‖g‖ ‖g*‖) over all tensors together (Geiping et al. 2020, eq. 4): blind to a common factor.
 *
 * Computed as half the squared distance of the two unit vectors, which is the same and does not cancel: in float32,
 * 1 − cos knows nothing below 6e-8.
 */
export function cosine(): Distance {
  return {
    name: 'cosine',
    measure(gradients, shared) {
      const norm = (nodes: readonly Node[]) => g.sqrt(total(nodes.map((n) => g.inner(n, n))))
      const [size, sharedSize] = [norm(gradients), norm(shared)]
      const squares = gradients.map((n, i) => {
        const difference = g.sub(g.div(n, size), g.div(shared[i], sharedSize))
        return g.inner(difference, difference)
      })
      return g.scale(total(squares), 0.5)
    },
  }
}

/** Σ v² over all tensors. */
export function squaredNorm(tensors: readonly Values[]): number {
  let sum = 0
  for (const values of tensors) for (let i = 0; i < values.length; i++) sum += values[i] ** 2
  return sum
}
