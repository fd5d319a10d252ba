import { type Random, random } from '../../numbers/random'
import { type Curvature, curvatureAt, type EvaluateResidual, type UnknownGroup } from './curvature'
import { type FreeDirection, freeDirections, MOST_DENSE } from './directions'
import { sensitivityOf } from './sensitivity'

/** What certainty is asked about. */
export interface CertaintyProblem {
  /**
   * R(x) = ‖g(x) − g(x₀)‖² / ‖g*‖² and ∇R at a point x, without priors, where x₀ is `point` and g* is what was shared. With g* in
   * place of g(x₀), ∇²R would have a term in the residual g(x₀) − g*, which hides what moves little.
   *
   * Probabilities are unknowns of their own, not logits: the logits of a sure label do not move it.
   */
  readonly evaluate: EvaluateResidual
  /** x₀, where the search ended. */
  readonly point: Float64Array
  /** The relative loss there: ‖g(x₀) − g*‖² / ‖g*‖². */
  readonly residual: number
  /** Every unknown of the point, in groups one after the other. */
  readonly groups: readonly UnknownGroup[]
  /**
   * The precision of what was shared: the relative squared change of it that cannot be told from none. The residual at the
   * point counts as well: the greater of both is the floor.
   */
  readonly precision: number
  /** How many numbers were shared: rounding of each is independent. */
  readonly numbers: number
  readonly seed?: number
  /** Most evaluations. Never more than 200, or 1,500 where the unknowns are so few that every direction is looked at. */
  readonly budget?: number
  /** Whether the work is to end, asked before every evaluation; what is complete by then is returned. */
  readonly cut?: () => boolean
  /**
   * One search again, for error bars: g(x₀) with noise is what was shared, and the search begins near x₀. Gives its end, or
   * undefined where the work was cut short.
   */
  readonly resample?: (again: Resampling) => Promise<Float64Array | undefined>
}

/** What a repeated search is to do. */
export interface Resampling {
  /** Relative squared size of the noise: the precision of what was shared. */
  readonly noise: number
  /** The relative loss at which the search is to end, as the first one did: what it leaves open is part of the error. */
  readonly until: number
  readonly random: Random
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
const DENSE_BUDGET = 1500

/**
 * Says how far what was shared determines the unknowns, without the original.
 *
 * An unknown or a combination is free where a move by one unit changes what was shared by less than the floor. So other data,
 * different by their whole range, would be matched as well as those that were found. This is local: it says nothing of a second
 * solution far away.
 *
 * @returns undefined where the work was cut short before every unknown was looked at
 */
export async function certaintyOf(problem: CertaintyProblem): Promise<Certainty | undefined> {
  const { point, groups, residual, precision, seed = 1234 } = problem
  const budget = Math.min(problem.budget ?? Infinity, point.length <= MOST_DENSE ? DENSE_BUDGET : BUDGET)
  const curvature = curvatureAt({ ...problem, budget })
  const floor = Math.max(precision, residual)
  const sensitivity = await sensitivityOf(curvature, floor, random(seed, 1))
  if (!sensitivity) return undefined
  const { estimate, undetermined: silent } = sensitivity
  const free = await freeDirections(curvature, silent, floor, problem.numbers, random(seed, 2))
  const directions = free?.directions ?? []
  const bars = problem.resample && !problem.cut?.() ? await errorBars(problem) : undefined
  const freedom = freedomOf(curvature, silent, directions)
  return {
    determined: directions.length === 0 && silent.every((v) => v === 0),
    floor,
    sensitivity: free?.diagonal ? estimate.map((v, i) => (silent[i] === 0 ? free.diagonal![i] : v)) : estimate,
    freedom,
    silent,
    directions,
    weakest: free?.weakest,
    examined: free?.examined ?? 'single unknowns',
    bars: bars && widened(bars, freedom, groups),
    evaluations: curvature.evaluations,
  }
}

/** Ends of the bootstrap. */
const DRAWS = 8

/** √mean (end − point)² over the draws (parametric bootstrap: Efron, Tibshirani 1993, chapter 6.5). */
async function errorBars({
  point,
  precision,
  residual,
  resample,
  seed = 1234,
}: CertaintyProblem): Promise<Float64Array | undefined> {
  const squares = new Float64Array(point.length)
  for (let draw = 0; draw < DRAWS; draw++) {
    const end = await resample!({ noise: precision, until: precision + residual, random: random(seed, 3, draw) })
    if (!end) return undefined
    for (let i = 0; i < end.length; i++) squares[i] += (end[i] - point[i]) ** 2 / DRAWS
  }
  return squares.map(Math.sqrt)
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
