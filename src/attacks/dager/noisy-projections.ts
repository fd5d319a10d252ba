import type { NoisyProjection } from './noise-law'
import type { Projection, Seen } from './seen'

/** Projections with the noise that their span shows. */
export const noisy = (projections: readonly Projection[], seen: Seen | undefined, block: 0 | 1): NoisyProjection[] =>
  projections.map(({ values }, k) => ({ values, noise: seen?.noise[k] ?? 0, block }))

/** Adapters with the noise that was measured in the first block: the second one has the same part at least. */
export const measured = (
  [first, next]: readonly (readonly Projection[])[],
  second: Seen | undefined,
  noise: readonly number[],
): NoisyProjection[] => {
  const part = Math.max(...noise)
  return [
    ...first.map(({ values }, k) => ({ values, noise: noise[k], block: 0 })),
    ...next.map(({ values }, k) => ({ values, noise: Math.max(part, second?.noise[k] ?? 0), block: 1 })),
  ]
}

/** √(Σ noise² ‖W‖² / Σ ‖W‖²) */
export function weighted(noise: readonly number[], norms: readonly number[]): number {
  const whole = norms.reduce((a, b) => a + b, 0)
  return Math.sqrt(noise.reduce((sum, v, k) => sum + v * v * norms[k], 0) / Math.max(whole, Number.MIN_VALUE))
}
