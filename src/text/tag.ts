import * as g from '../graph'
import type { Distance } from '../objective/distance'

/** Keeps the slope of √(d² + ε²) finite where the gradients agree; relative to the shared tensor's typical number. */
const SMOOTHING = 1e-3

/**
 * TAG (Deng et al. 2021): Σ_ℓ ‖g_ℓ − g*_ℓ‖² + α w_ℓ ‖g_ℓ − g*_ℓ‖₁ with w_ℓ = (L − ℓ) / L from the first tensor to the
 * last.
 *
 * |d| is √(d² + ε²) − ε, smooth as L-BFGS needs it; ε is a thousandth of the tensor's root mean square. α is in the
 * units of the gradients, as published.
 */
export function tag(alpha = 1e-2): Distance {
  return {
    name: 'tag',
    measure(gradients, shared) {
      const terms = gradients.map((n, i) => {
        const difference = g.sub(n, shared[i])
        const squares = g.square(difference)
        const size = g.mean(g.square(shared[i]))
        // a tensor that is zero everywhere still needs an ε above 0
        const smoothing = g.offset(g.scale(size, SMOOTHING ** 2), 1e-30)
        const absolute = g.sub(g.sqrt(g.add(squares, smoothing)), g.sqrt(smoothing))
        const weight = (alpha * (gradients.length - i)) / gradients.length
        return g.add(g.reshape(g.sum(squares), []), g.scale(g.reshape(g.sum(absolute), []), weight))
      })
      return terms.reduce(g.add)
    },
    unit(shared) {
      let sum = 0
      shared.forEach((values, i) => {
        const weight = (alpha * (shared.length - i)) / shared.length
        for (const v of values) sum += v * v + weight * Math.abs(v)
      })
      return sum
    },
  }
}
