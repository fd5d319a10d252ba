/** How the learning rate changes over the iterations. */
export interface Schedule {
  /** T ≥ 1: the planned number of iterations. Default undefined; needed for a decay and for a soft sign. */
  readonly steps: number | undefined
  /**
   * - `step`: ×0.1 at 3/8, 5/8 and 7/8 of T (Geiping et al. 2020, "Inverting Gradients").
   * - `linear`: (T − t)/(T − W) from the end of the warm-up W on.
   * - `cosine`: (1 + cos(π(t − W)/(T − W)))/2 from there on (Loshchilov & Hutter 2017, "SGDR", equation 5).
   *
   * `linear` and `cosine` reach zero at t = T. Default 'none'.
   */
  readonly decay: 'none' | 'step' | 'linear' | 'cosine'
  /** W ≥ 0, < T: the first W iterations use (t + 1)/W of the learning rate. Default 0. */
  readonly warmup: number
}

/** The names of the decays. */
export const DECAYS: readonly Schedule['decay'][] = ['none', 'step', 'linear', 'cosine']

/** The factor in [0, 1] of the learning rate at iteration t = 0, 1, … */
export function scheduledRate({ steps = 0, decay, warmup }: Schedule, t: number): number {
  const warm = t < warmup ? (t + 1) / warmup : 1
  if (decay === 'step') {
    const passed = [3, 5, 7].filter((eighths) => 8 * t >= eighths * steps).length
    return warm * 0.1 ** passed
  }
  if (decay === 'none' || t < warmup) return warm
  if (t >= steps) return 0
  return decay === 'linear'
    ? (steps - t) / (steps - warmup)
    : (1 + Math.cos((Math.PI * (t - warmup)) / (steps - warmup))) / 2
}
