import type { SearchSettings } from './search'

/** What a search minimises at each of its iterations. */
export interface Path {
  /** Factor of the weight of all priors. */
  easing(iteration: number): number
  /** β, where the network's kinks are rounded off over a width of about 1/β of their scales; undefined for the network itself. */
  sharpness(iteration: number): number | undefined
}

/** One objective from the first iteration to the last. */
export const steady = (easing: number): Path => ({ easing: () => easing, sharpness: () => undefined })

/** β at the first iteration unless a recipe says another, and where the network itself takes over. */
const [DULL, SHARP] = [2, 128]

/** Part of the iterations for which the network is smoothed. */
const SMOOTH = 0.95

/**
 * A homotopy: the network's kinks are rounded off, and β grows geometrically until the network itself takes over. Where kinks
 * are rounded off, the objective has a slope that leads somewhere, and each point is found from the one before. The weight of
 * the priors falls geometrically as well, to `priorEasing` times what it was.
 */
export function homotopy({
  iterations,
  priorEasing,
  dull = DULL,
}: Pick<SearchSettings, 'iterations' | 'priorEasing' | 'dull'>): Path {
  const end = SMOOTH * iterations
  return {
    easing: (iteration) => priorEasing ** (iteration / iterations),
    sharpness: (iteration) => (iteration < end ? dull * (SHARP / dull) ** (iteration / end) : undefined),
  }
}
