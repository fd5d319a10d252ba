import { number } from '../../errors/checks'
import * as g from '../../graph'
import { normOf } from '../../numbers/norms'
import type { Distance } from '../matching/objective/distance'

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
  number('alpha', alpha, (v) => v >= 0 && v < Infinity, 'a number of at least 0')
  const weight = (i: number, count: number): number => (alpha * (count - i)) / count
  return {
    name: 'tag',
    measure(gradients, shared) {
      const terms = gradients.map((n, i) => {
        const squares = g.square(g.sub(n, shared[i]))
        // a tensor that is zero everywhere still needs an ε above 0
        const smoothing = g.offset(g.scale(g.mean(g.square(shared[i])), SMOOTHING ** 2), 1e-30)
        const absolute = g.sub(g.sqrt(g.add(squares, smoothing)), g.sqrt(smoothing))
        const l1 = g.scale(g.sum(absolute), weight(i, gradients.length))
        return g.reshape(g.add(g.sum(squares), l1), [])
      })
      return terms.reduce(g.add)
    },
    unit: (shared) =>
      shared.reduce((sum, values, i) => {
        const l1 = (values as Float32Array).reduce((total, v) => total + Math.abs(v), 0)
        return sum + normOf([values]) ** 2 + weight(i, shared.length) * l1
      }, 0),
  }
}
