import { solve, solveTransposed, spanFactor } from '../../numbers/cholesky'
import { random } from '../../numbers/random'
import { spectrum } from '../../numbers/singular-values'
import type { Values } from '../../runtime/runtime'

/** The vectors u that a matrix W read, as far as its gradient Σ_t ∂y_t u_tᵀ shows them: the span of its rows. */
export interface Span {
  readonly width: number
  /** The Cholesky factor of G + λ, G = Σ WᵀW over normalised gradients. */
  readonly factor: readonly Float64Array[]
  readonly lambda: number
}

/** @param gradients of matrices that read the same vectors, rows of length `width` */
export const spanOf = (gradients: readonly Values[], width: number): Span => ({
  width,
  ...spanFactor(gradients, width),
})

/** Dimensions of the span of the rows of all gradients together, each divided by its norm. */
export function spanRank(gradients: readonly Values[], width: number): number {
  const rows = new Float64Array(gradients.reduce((n, values) => n + values.length, 0))
  let at = 0
  for (const values of gradients) {
    const norm = length(values)
    if (norm > 0) for (let i = 0; i < values.length; i++) rows[at + i] = values[i] / norm
    at += values.length
  }
  return spectrum(rows, rows.length / width, width, width).rank
}

/**
 * The part of u outside the span, by direction: √λ L⁻¹u / ‖u‖. Its length is √(λ uᵀ(G + λ)⁻¹u) / ‖u‖. For a u inside the
 * span that is nearly 0. For any other u it is the relative length of its projection away from the span. No rank is decided.
 */
export function offset({ factor, lambda }: Span, u: Values): Float64Array {
  const solved = solve(factor, u)
  const scale = Math.sqrt(lambda) / Math.max(length(u), Number.MIN_VALUE)
  return solved.map((v) => v * scale)
}

/** How much of u lies outside: the length of its {@link offset}. */
export const outside = (span: Span, u: Values): number => length(offset(span, u))

export function length(u: Values): number {
  let sum = 0
  for (let j = 0; j < u.length; j++) sum += u[j] ** 2
  return Math.sqrt(sum)
}

/** `count` random directions A [count, width] with ‖A u‖² ≈ λ uᵀ(G + λ)⁻¹u. */
export function directions({ factor, lambda, width }: Span, count: number): Float64Array[] {
  const { normal } = random(0, 0x7370616e)
  return Array.from({ length: count }, () => {
    const direction = Float64Array.from({ length: width }, () => normal() * Math.sqrt(lambda / count))
    return solveTransposed(factor, direction)
  })
}
