/** Noise that an accountant looks at, in units of the clip norm. */
export const [LEAST, MOST] = [0.01, 10_000]

/** What some noise spends. */
export interface Spends {
  readonly noise: number
  /** ln of ε over the ε that must not be exceeded. */
  readonly far: number
}

/** Where the search for the least noise ended, and how `far` falls there with ln σ. */
export type Least<S extends Spends> = S & { readonly slope: number }

/**
 * The least noise with `far` at or below 0, up to `close`; undefined where none of LEAST to MOST is. ln ε is nearly straight over ln σ: the
 * secant, and the middle where it leaves the bracket or is slow.
 */
export function leastNoise<S extends Spends>(
  at: (noise: number) => S,
  close: number,
  start: Least<Spends> | undefined,
): Least<S> | undefined {
  const aimed = ({ noise, far }: Spends, slope: number): number =>
    noise * Math.exp(Math.max(-MOST_STEP, Math.min(MOST_STEP, -(far + close / 2) / slope)))
  let slope = start?.slope ?? -1
  let next = start ? aimed(start, slope) : 1
  let [low, high]: [number | undefined, number | undefined] = [undefined, undefined]
  let [best, before]: [S | undefined, S | undefined] = [undefined, undefined]
  for (let i = 0; i < MOST_TRIED; i++) {
    const noise = Math.max(LEAST, Math.min(MOST, next))
    const here = at(noise)
    // ε of 0 is no part of the line
    if (before && Math.min(here.far, before.far) > NO_LOSS) {
      const secant = (here.far - before.far) / Math.log(noise / before.noise)
      if (secant < 0 && secant > Number.NEGATIVE_INFINITY) slope = secant
    }
    before = here
    if (here.far > 0) low = noise
    else {
      high = noise
      best = here
    }
    // the least noise lies beyond the end
    if (low === MOST || high === LEAST) return undefined
    if (best && (best.far >= -close || high! / (low ?? LEAST) < NARROW)) return { ...best, slope }
    next = aimed(here, slope)
    const isInside = next > (low ?? 0) && next < (high ?? Number.POSITIVE_INFINITY)
    if (!isInside || (low !== undefined && high !== undefined && i % 4 === 3))
      next = Math.sqrt((low ?? LEAST) * (high ?? MOST))
  }
  return best && { ...best, slope }
}

const MOST_TRIED = 100
/** Largest step of ln σ. */
const MOST_STEP = 2
/** `far` below which ε is taken for 0. */
const NO_LOSS = -50
/** Ratio of two noises between which nothing is searched: ε jumps where the grid changes. */
const NARROW = 1 + 1e-5
