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

/** 1 − ⟨g, g*⟩ / (‖g‖ ‖g*‖) over all tensors together (Geiping et al. 2020, eq. 4): blind to a common factor. */
export function cosine(): Distance {
  return {
    name: 'cosine',
    measure(gradients, shared) {
      const product = total(gradients.map((n, i) => g.inner(n, shared[i])))
      const squared = (nodes: readonly Node[]) => total(nodes.map((n) => g.inner(n, n)))
      const norms = g.sqrt(g.mul(squared(gradients), squared(shared)))
      return g.sub(g.scalar(product.graph, 1), g.div(product, norms))
    },
  }
}

/** Σ v² over all tensors. */
export function squaredNorm(tensors: readonly Values[]): number {
  let sum = 0
  for (const values of tensors) for (let i = 0; i < values.length; i++) sum += values[i] ** 2
  return sum
}
