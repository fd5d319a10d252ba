import type { Node } from '../../../graph'
import * as g from '../../../graph'
import type { Distance } from './distance'

/** The factor that brings gradients closest to the shared ones: ⟨g, g*⟩ / ⟨g, g⟩ over all tensors, a scalar. */
export function fittingScale(gradients: readonly Node[], shared: readonly Node[]): Node {
  const product = gradients.map((n, i) => g.inner(n, shared[i])).reduce(g.add)
  return g.div(product, gradients.map((n) => g.inner(n, n)).reduce(g.add))
}

/** A distance that does not see a common factor, of either sign: gradients are compared after the factor that fits best. */
export const scaleFree = (distance: Distance): Distance => ({
  name: `${distance.name} at any scale`,
  factorFree: true,
  measure(gradients, shared, weights) {
    const scale = fittingScale(gradients, shared)
    return distance.measure(
      gradients.map((n) => g.mul(n, scale)),
      shared,
      weights,
    )
  },
  weights: distance.weights && ((shared) => distance.weights!(shared)),
  unit: distance.unit && ((shared, weights) => distance.unit!(shared, weights)),
})
