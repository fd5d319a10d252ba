import type { Trial } from './line-search'

/**
 * The minimiser of the cubic with the values and slopes of `a` and `b`, kept within [`lower`, `upper`]:
 *
 * d₁ = a′ + b′ − 3(a − b)/(tₐ − t_b), d₂ = √(d₁² − a′b′), t = t_b − (t_b − tₐ)(b′ + d₂ − d₁)/(b′ − a′ + 2d₂)
 *
 * for tₐ ≤ t_b (Nocedal & Wright, equation 3.59); the middle of the bounds when the cubic has no minimum or
 * an end is not finite.
 */
export function cubicMinimizer(a: Trial, b: Trial, lower: number, upper: number): number {
  const [near, far] = a.step <= b.step ? [a, b] : [b, a]
  const d1 = near.slope + far.slope - (3 * (near.value - far.value)) / (near.step - far.step)
  const square = d1 * d1 - near.slope * far.slope
  const middle = (lower + upper) / 2
  if (!(square >= 0)) return middle
  const d2 = Math.sqrt(square)
  const t = far.step - (far.step - near.step) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2))
  return Number.isNaN(t) ? middle : Math.min(Math.max(t, lower), upper)
}
