import { type Random, random } from '../../numbers/random'
import { type Curvature, curvatureAt, type EvaluateResidual, type UnknownGroup } from './curvature'
import { type FreeDirection, freeDirections } from './directions'
import { everyDirection, MOST_DENSE, MOST_NUMBERS, type Reach } from './every-direction'
import { sensitivityOf } from './sensitivity'

/** What certainty is asked about. */
export interface CertaintyProblem {
  /**
   * ∇R at a point x, without priors: R(x) = ‖g(x) − g(x₀)‖² / ‖g*‖², where x₀ is `point` and g* is what was shared, in any norm. With
   * g* in place of g(x₀), ∇²R would have a term in the residual g(x₀) − g*, which hides what moves little.
   *
   * Probabilities are unknowns of their own, not logits: the logits of a sure label do not move it.
   */
  readonly evaluate: EvaluateResidual
  /** g itself, in that norm and times the factor. Where it is given, every direction of few unknowns is looked at. */
  readonly reach?: Reach
  /** What rounding makes of R in a direction that moves nothing. Default 0. */
  readonly noise?: number
  /** Whether what was shared has a factor that is not known. Default false. */
  readonly fitsFactor?: boolean
  /** x₀, where the search ended. */
  readonly point: Float64Array
  /** Every unknown of the point, in groups one after the other. */
  readonly groups: readonly UnknownGroup[]
  /** The relative squared change of what was shared that cannot be told from none. */
  readonly floor: number
  /** How many numbers were shared: rounding of each is independent. */
  readonly numbers: number
  readonly seed?: number
  /** Most evaluations. Never more than 200, or 800 gradients where the unknowns are so few that every direction is looked at. */
  readonly budget?: number
  /** Whether the work is to end, asked before every evaluation; what is complete by then is returned. */
  readonly cut?: () => boolean
  /**
   * One search again, for error bars: noise of the size that what was shared has is added to it once more, and the search goes on
   * from x₀. Without random numbers there is no noise: it is what the search has left. Gives its end, or undefined where the work was
   * cut short.
   */
  readonly resample?: (random?: Random) => Promise<Float64Array | undefined>
}

/** How far what was shared determines the unknowns around the point where a search ended. */
export interface Certainty {
  /** Whether no unknown and no combination of unknowns was found that is free. Of a subspace, this is no proof. */
  readonly determined: boolean
  /** The relative squared change of what was shared below which nothing is told apart. */
  readonly floor: number
  /** For each unknown, an estimate of the relative squared change of what was shared when it moves by one unit. */
  readonly sensitivity: Float64Array
  /**
   * For each unknown, how many units it can move, at most 1, while what was shared stays the same to the floor and no other
   * unknown moves by more than one unit. 1 for an unknown that moves nothing, 0 for one that is determined.
   */
  readonly freedom: Float64Array
  /** 1 for unknowns that move nothing alone. */
  readonly silent: Uint8Array
  /** Combinations of the other unknowns that move nothing, of length 1 in units, the freest first. */
  readonly directions: readonly FreeDirection[]
  /** The sensitivity of the weakest direction found that is determined. */
  readonly weakest: number | undefined
  /** What was looked at: unknowns one by one only, where the work ended before combinations. */
  readonly examined: 'every direction' | 'a subspace' | 'single unknowns'
  /** Standard deviation of each unknown, in the numbers of the point; undefined where no bars were asked for. */
  readonly bars: Float64Array | undefined
  readonly evaluations: number
}

const BUDGET = 200
/** Part of it that is kept to try what was found. */
const TRIED = 24
const EVERY_BUDGET = 800

/**
 * Says how far what was shared determines the unknowns, without the original.
 *
 * An unknown or a combination is free where a move by one unit changes what was shared by less than the floor. So other data,
 * different by their whole range, would be matched as well as those that were found. This is local: it says nothing of a second
 * solution far away.
 *
 * @returns undefined where the work was cut short before every unknown was looked at, or before any combination where no unknown is
 * free alone: then nobody can say whether anything is
 */
export async function certaintyOf(problem: CertaintyProblem): Promise<Certainty | undefined> {
  const { point, groups, floor, reach, seed = 1234 } = problem
  const few = reach !== undefined && point.length <= MOST_DENSE && point.length * problem.numbers <= MOST_NUMBERS
  const budget = Math.min(problem.budget ?? Infinity, few ? EVERY_BUDGET : BUDGET - (reach ? TRIED : 0))
  const curvature = curvatureAt({ ...problem, budget })
  const every = few
    ? await everyDirection(curvature, reach!, problem.fitsFactor ?? false, floor, problem.noise ?? 0)
    : undefined
  const sensitivity = few ? every?.sensitivity : await sensitivityOf(curvature, floor, random(seed, 1))
  if (!sensitivity) return undefined
  const { estimate, undetermined: silent } = sensitivity
  const free = few ? every?.free : await freeDirections(curvature, silent, floor, problem.numbers, random(seed, 2))
  // single unknowns may show that something is free, and never that nothing is
  if (!free && silent.every((v) => v === 0)) return undefined
  const found = free?.directions ?? []
  const trial = curvatureAt({
    ...problem,
    budget: Math.min(TRIED, (problem.budget ?? Infinity) - curvature.evaluations),
  })
  const directions = reach && !few ? await thatHold(trial, reach, found, floor + (problem.noise ?? 0)) : found
  const bars = problem.resample && !problem.cut?.() ? await errorBars(problem) : undefined
  const freedom = freedomOf(curvature, silent, directions)
  return {
    determined: directions.length === 0 && silent.every((v) => v === 0),
    floor,
    sensitivity: estimate,
    freedom,
    silent,
    directions,
    weakest: free?.weakest,
    examined: free?.examined ?? 'single unknowns',
    bars: bars && widened(bars, freedom, groups),
    evaluations: curvature.evaluations + trial.evaluations,
  }
}

/** Steps at which a direction is tried, in units of the fastest unknown. */
const TRIALS = [0.02, 0.1]
/** A direction that moves what was shared by this many times the floor at every step is not free. */
const MOVES = 1000

/**
 * Tries directions that were found to be free by what they do to what was shared. Behind kinks, such as those of ReLU, products over a
 * long step are not JᵀJ, and may make a direction look free that is not. As many are tried as there are evaluations; if none of
 * them holds, neither do the others.
 */
async function thatHold(
  curvature: Curvature,
  reach: Reach,
  found: readonly FreeDirection[],
  floor: number,
): Promise<readonly FreeDirection[]> {
  const held: FreeDirection[] = []
  for (const [i, direction] of found.entries()) {
    const { vector } = direction
    const fastest = vector.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    let least = Number.POSITIVE_INFINITY
    for (const unit of TRIALS) {
      const ahead = await curvature.asked(vector, unit / fastest, reach)
      const behind = ahead && (await curvature.asked(vector, -unit / fastest, reach))
      if (!behind) return held.length > 0 || i === 0 ? [...held, ...found.slice(i)] : []
      const moved = ahead.reduce((sum, v, k) => sum + (v - behind[k]) ** 2, 0) / (2 * unit) ** 2
      // rounding grows with the inverse of the step
      least = Math.min(least, moved * Math.min(1, (unit / 0.25) ** 2))
    }
    if (least <= MOVES * floor) held.push(direction)
  }
  return held
}

/** Ends of the bootstrap. */
export const DRAWS = 12

/**
 * Half of Student's 95.4 % quantile at 12 degrees of freedom: a spread of 12 ends is not known exactly, and twice the bar is to
 * cover what two standard deviations would.
 */
const FEW = 2.23 / 2

/**
 * √((end₀ − point)² + mean (end − point)²), the mean over draws of noise (parametric bootstrap: Efron, Tibshirani 1993, chapter 6.5). end₀
 * is where the search ends without noise: how far it would still have gone is part of the error.
 */
async function errorBars({ point, resample, seed = 1234 }: CertaintyProblem): Promise<Float64Array | undefined> {
  const end = await resample!()
  if (!end) return undefined
  const squares = end.map((v, i) => (v - point[i]) ** 2)
  for (let draw = 0; draw < DRAWS; draw++) {
    const end = await resample!(random(seed, 3, draw))
    if (!end) return undefined
    for (let i = 0; i < end.length; i++) squares[i] += (end[i] - point[i]) ** 2 / DRAWS
  }
  return squares.map((v) => FEW * Math.sqrt(v))
}

/** A search does not move what is free, so its bar is that of a uniform distribution over as far as it can move. */
function widened(bars: Float64Array, freedom: Float64Array, groups: readonly UnknownGroup[]): Float64Array {
  const out = bars.slice()
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) out[i] = Math.max(out[i], (freedom[i] * unit) / Math.sqrt(12))
  return out
}

/**
 * Pᵢᵢ / maxₖ |Pᵢₖ|, P = V Vᵀ the projection on the free directions: P eᵢ is the free direction closest to moving i alone, and
 * this is how far i gets when the fastest unknown of it has moved by one unit.
 */
function freedomOf({ size }: Curvature, silent: Uint8Array, directions: readonly FreeDirection[]): Float64Array {
  const out = Float64Array.from(silent)
  for (let i = 0; i < size && directions.length > 0; i++) {
    if (silent[i] !== 0) continue
    const row = new Float64Array(size)
    for (const { vector } of directions) for (let k = 0; k < size; k++) row[k] += vector[i] * vector[k]
    const fastest = row.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    out[i] = fastest > 0 ? row[i] / fastest : 0
  }
  return out
}
