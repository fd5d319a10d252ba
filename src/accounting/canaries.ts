import { invalid, knownNames, number, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { normOf } from '../numbers/norms'
import { type Random, random } from '../numbers/random'
import type { Values } from '../numbers/values'
import { epsilonOfGaussian } from './gaussian'
import { roundedDown } from './rounded'
import { bisect, incompleteBeta, lowerBound, normalQuantile } from './special-functions'

/**
 * One step of a mechanism that claims to be differentially private: from gradients of single examples to what is shared.
 *
 * @param canaries one gradient each, as one flat vector, to be treated as examples of the client; the mechanism adds its own
 * @param random a stream of random numbers, for mechanisms that have none of their own
 * @returns the sum or the mean with its noise, as one flat vector of the same size
 */
export type Mechanism = (canaries: readonly Float64Array[], random: Random) => Values | Promise<Values>

/** Options of {@link auditMechanism}. */
export interface CanaryOptions {
  /** Numbers in a gradient: at least 100, and many times the number of canaries. */
  readonly dimensions: number
  /**
   * Norm of each canary: the largest that an example can have after clipping. The clip norm C; where each of L tensors is clipped to
   * C by itself, C √L.
   */
  readonly norm: number
  /** What the mechanism claims for one step in which every example takes part. */
  readonly claim: { readonly epsilon: number; readonly delta: number }
  /** Number of canaries, from 20. Default 400. More of them come closer to the truth. */
  readonly canaries?: number
  /** Part of all audits whose lower bound is right, for noise of a fixed size. Default 0.95. */
  readonly confidence?: number
  /** Default 1234. */
  readonly seed?: number
}

/** A lower bound on what a mechanism spends, where the noise of each number is drawn by itself and has a fixed size. */
export interface CanaryAudit {
  /**
   * Whether the lower bound is above the claim: then a mechanism with normal noise of a fixed size spends more than it says, at this
   * confidence. `false` is no proof that it keeps its claim.
   */
  readonly spendsMore: boolean
  /** Lower bound on ε at the claim's δ, for a mechanism with normal noise of a fixed size. */
  readonly epsilon: number
  /** Lower bound on ε where the noise of each number is drawn by itself, but need not be normal. It is looser: ln((TPR − δ) / FPR). */
  readonly anyNoise: number
  /** Upper bound on σ, the noise in units of the norm; Infinity where nothing was seen of the canaries. */
  readonly noiseMultiplier: number
  readonly confidence: number
  readonly claim: { readonly epsilon: number; readonly delta: number }
  readonly canaries: number
  readonly statement: string
}

/** False positive rates of the thresholds that are tried. */
const RATES = [0.5, 0.3, 0.16, 0.07, 0.02, 5e-3, 1e-3, 1e-4, 1e-5]
/** Most numbers in all canaries together: half a gigabyte. */
const MOST_NUMBERS = 2 ** 26

/**
 * Audits one step of a mechanism with canaries, in one run (Andrew et al. 2024, "One-shot Empirical Privacy Estimation for
 * Federated Learning"): random directions are put in as examples, and their cosines with what is shared tell how well an attacker
 * knows that they took part.
 *
 * The cosine with a random direction that did not take part has a known distribution: P(cos > t) = ½ I_{1−t²}((d−1)/2, ½). So the
 * false positive rate of a threshold is exact, and the rate of true positives has the lower bound of Clopper and Pearson. Half of
 * the canaries choose the threshold, the others give the bound. Two rates that a (μ-)Gaussian mechanism allows obey
 * Φ⁻¹(TPR) − Φ⁻¹(FPR) ≤ μ (Nasr et al. 2023, "Tight Auditing").
 *
 * Canaries stand in each other's way: k of them act as noise of k / d of their squared norm. That makes the bound smaller, never wrong.
 *
 * The rate of true positives is counted as if each canary were told apart by itself. So the confidence holds for noise that is drawn
 * for each number by itself and has a fixed size. It does not hold for a mechanism that draws one thing for all canaries, such as the
 * size of its noise, or whether it shares anything: one run shows one such draw. A mechanism that shares everything with probability
 * 0.3, and nothing else, is (0, 0.3)-differentially private; with 40 canaries 22 of 60 seeds refuted that.
 *
 * @throws DlgError `invalid-option`; `invalid-data` for what the mechanism returns
 */
export async function auditMechanism(mechanism: Mechanism, options: CanaryOptions): Promise<CanaryAudit> {
  if (typeof mechanism !== 'function') throw invalid(`the mechanism is ${show(mechanism)}; it must be a function`)
  const { dimensions, norm, claim, canaries: count, confidence, seed } = canaryOptions(options)
  const draws = random(seed, 0x63_61_6e)
  const canaries = Array.from({ length: count }, () => {
    const direction = Float64Array.from({ length: dimensions }, () => draws.normal())
    const size = normOf([direction])
    return direction.map((v) => (v / size) * norm)
  })
  // the mechanism may write over them
  const shared = await mechanism(
    canaries.map((one) => one.slice()),
    random(seed, 0x6d_65_63),
  )
  const length = requireShared(shared, dimensions)
  const cosines = canaries.map((one) => one.reduce((sum, v, i) => sum + v * shared[i], 0) / (norm * length))
  const half = count >> 1
  const [choosing, counted] = [cosines.slice(0, half), cosines.slice(half)]

  const thresholds = RATES.map((rate) => thresholdOf(rate, dimensions))
  const best = (worth: (truePositives: number, falsePositives: number) => number): number => {
    const worths = (some: readonly number[]) =>
      RATES.map((rate, i) => {
        const seen = some.filter((cosine) => cosine > thresholds[i]).length
        return worth(lowerBound(seen, some.length, confidence), rate)
      })
    const tried = worths(choosing)
    return Math.max(0, worths(counted)[tried.indexOf(Math.max(...tried))])
  }
  const mu = best((truePositives, rate) => normalQuantile(truePositives) - normalQuantile(rate))
  const anyNoise = best((truePositives, rate) => Math.log(Math.max(truePositives - claim.delta, 0) / rate))
  const epsilon = epsilonOfGaussian(mu, claim.delta)
  const spendsMore = epsilon > claim.epsilon
  const measured = `ε is at least ${roundedDown(epsilon, 3)} at δ = ${claim.delta} with confidence ${confidence}, by ${count} canaries in one step, for normal noise of a fixed size`
  return {
    ...{ spendsMore, epsilon, anyNoise, confidence, claim, canaries: count },
    noiseMultiplier: mu > 0 ? 1 / mu : Number.POSITIVE_INFINITY,
    statement: `${measured}; the claim of ${claim.epsilon} is ${spendsMore ? 'refuted' : 'not refuted, which is no proof of it'}`,
  }
}

/** The threshold that a cosine with a random direction exceeds with this probability, up to ½. */
function thresholdOf(rate: number, dimensions: number): number {
  return bisect((t) => rate - 0.5 * incompleteBeta(1 - t * t, (dimensions - 1) / 2, 0.5), 0, 1)
}

/** The norm of what was shared. @throws DlgError `invalid-data` */
function requireShared(shared: Values, dimensions: number): number {
  const wrong = (what: string): DlgError =>
    new DlgError(
      'invalid-data',
      `the mechanism returned ${what}; it must return a Float64Array or Float32Array of ${dimensions} finite numbers`,
    )
  if (!(shared instanceof Float64Array || shared instanceof Float32Array)) throw wrong(show(shared))
  if (shared.length !== dimensions) throw wrong(countOf(shared.length, 'number'))
  const at = shared.findIndex((v) => !Number.isFinite(v))
  if (at >= 0) throw wrong(`${shared[at]} at position ${at}`)
  const length = normOf([shared])
  if (length === 0) throw wrong('zeros alone')
  return length
}

function canaryOptions(options: CanaryOptions): Required<CanaryOptions> {
  knownNames('options', options, ['dimensions', 'norm', 'claim', 'canaries', 'confidence', 'seed'])
  const { dimensions, norm, claim, canaries = 400, confidence = 0.95, seed = 1234 } = options
  const whole = (least: number) => (v: number) => Number.isSafeInteger(v) && v >= least
  number('dimensions', dimensions, whole(100), 'a whole number of at least 100')
  number('canaries', canaries, whole(20), 'a whole number of at least 20')
  if (canaries > dimensions || canaries * dimensions > MOST_NUMBERS)
    throw invalid(
      `canaries is ${canaries}; with ${dimensions} dimensions it must be at most ${Math.min(dimensions, Math.floor(MOST_NUMBERS / dimensions))}`,
    )
  number('norm', norm, (v) => v > 0 && v < Infinity, 'a number above 0')
  number('confidence', confidence, (v) => v >= 0.5 && v < 1, 'a number from 0.5 and below 1')
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  knownNames('claim', claim, ['epsilon', 'delta'])
  number('claim.epsilon', claim.epsilon, (v) => v >= 0, 'a number of at least 0')
  number('claim.delta', claim.delta, (v) => v > 0 && v < 1, 'a number above 0 and below 1')
  return { dimensions, norm, claim: { epsilon: claim.epsilon, delta: claim.delta }, canaries, confidence, seed }
}
