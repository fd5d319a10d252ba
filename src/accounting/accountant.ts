import { choice, count, invalid, knownNames, number } from '../errors/checks'
import { LEAST, leastNoise, MOST } from './least-noise'
import { epsilonOfPrv, roughEpsilon } from './prv'
import { type DecidedSteps, epsilonOfRdp, type GaussianSteps, rdpOf } from './rdp'
import { roundedUp } from './rounded'

/** The method by which ε is computed. */
export type AccountantName = 'rdp' | 'prv'

/** An (ε, δ) guarantee of differential privacy: for adding or removing one example, against anyone who sees every step. */
export interface PrivacyLoss {
  /** The method that gave ε. Numbers of two methods must not be compared. */
  readonly accountant: AccountantName
  /** An upper bound: the mechanism is (ε, δ)-differentially private. */
  readonly epsilon: number
  readonly delta: number
  /** `prv` alone: the true ε of the mechanism lies between the two, and `estimate` is the best guess. */
  readonly bounds?: { readonly lower: number; readonly estimate: number; readonly upper: number }
  /** `rdp` alone: the Rényi order α that gave ε. */
  readonly order?: number
  /** Everything that the number rests on, in one sentence. */
  readonly statement: string
}

/** Options of {@link epsilonOf}. */
export interface EpsilonOptions {
  /** δ in (0, 1): below 1 / (number of examples) by some orders of magnitude. `prv` needs at least 1e-10. */
  readonly delta: number
  /** Default `prv`, which is tighter; `rdp` is faster, and what most reports state. */
  readonly accountant?: AccountantName
}

/** Options of {@link noiseMultiplierFor}. */
export interface NoiseOptions extends EpsilonOptions {
  /** The ε > 0 that must not be exceeded. */
  readonly epsilon: number
  /** q in (0, 1], the probability with which each example takes part in a step. Default 1. */
  readonly sampleRate?: number
  /** Number of steps. Default 1. */
  readonly steps?: number
}

const ACCOUNTANTS = ['rdp', 'prv'] as const satisfies readonly AccountantName[]

/** Below this the rounding of the Fourier transform counts. */
const LEAST_PRV_DELTA = 1e-10

/**
 * ε of steps of the Gaussian mechanism with Poisson sampling, which DP-SGD is: each example takes part with probability q, its
 * gradient is clipped to C, and the sum gets noise N(0, σ²C²).
 *
 * - `rdp`: Rényi differential privacy (Mironov, Talwar, Zhang 2019) at the orders of Opacus and some more, with the conversion of
 *   Balle et al. 2020.
 * - `prv`: the privacy loss random variable, composed numerically (Gopi, Lee, Wutschitz 2021); `epsilon` is the upper end of
 *   its certain bounds. It takes 0.1 to 3 seconds.
 *
 * The number is worth as much as the sampling is: batches cut from a shuffled list are no Poisson sampling.
 *
 * @param steps the steps, or a list of phases with other noise or another sampling rate
 * @throws DlgError `invalid-option`
 */
export function epsilonOf(steps: GaussianSteps | readonly GaussianSteps[], options: EpsilonOptions): PrivacyLoss {
  const phases = (Array.isArray(steps) ? steps : [steps]).map(decided)
  if (phases.length === 0) throw invalid('the list of phases is empty; it must have one at least')
  knownNames('options', options, ['delta', 'accountant'])
  const { delta, accountant } = accountingOptions(options)
  return spent(phases, delta, accountant)
}

/**
 * The least σ with which all steps together stay at or below ε, and what is then spent: ε up to a relative 1e-4 (`prv`: 1e-3), or σ up
 * to 1e-5 where ε jumps. `prv` takes as long as two to four calls of {@link epsilonOf}.
 *
 * @throws DlgError `invalid-option`, where no σ from 0.01 to 10,000 gives that ε too
 */
export function noiseMultiplierFor(options: NoiseOptions): {
  readonly noiseMultiplier: number
  readonly spent: PrivacyLoss
} {
  knownNames('options', options, ['epsilon', 'delta', 'accountant', 'sampleRate', 'steps'])
  const { delta, accountant } = accountingOptions(options)
  const epsilon = number('epsilon', options.epsilon, (v) => v > 0 && v < Infinity, 'a number above 0')
  const { sampleRate, steps } = options
  decided({ noiseMultiplier: 1, sampleRate, steps })

  const phases = (noiseMultiplier: number) => [decided({ noiseMultiplier, sampleRate, steps })]
  const far = (value: number): number => Math.log(Math.max(value, Number.MIN_VALUE) / epsilon)
  const loss = (noise: number) => {
    const found = spent(phases(noise), delta, accountant)
    return { noise, far: far(found.epsilon), found }
  }
  // each of these is near the next, and many times as fast
  const rough = (noise: number) => ({ noise, far: far(roughEpsilon(phases(noise), delta)) })
  const coarse = (noise: number) => ({ noise, far: far(epsilonOfPrv(phases(noise), delta, COARSER).upper) })
  const start =
    accountant === 'prv' ? leastNoise(coarse, CLOSE.prv, leastNoise(rough, CLOSE.prv, undefined)) : undefined
  const least = leastNoise(loss, CLOSE[accountant], start)
  if (!least)
    throw invalid(
      `no noise from ${LEAST} to ${MOST} times the clip norm gives ε = ${epsilon} at δ = ${delta} by accountant '${accountant}'`,
    )
  return { noiseMultiplier: least.noise, spent: least.found }
}

/** How much coarser the grid is on which the noise is searched first: a power of two. */
const COARSER = 8

/** Relative distance of ε from what was asked for, always below it. */
const CLOSE = { rdp: 1e-4, prv: 1e-3 } as const

/** @throws DlgError `invalid-option` */
function decided(given: GaussianSteps): DecidedSteps {
  knownNames('steps', given, ['noiseMultiplier', 'sampleRate', 'steps'])
  const { noiseMultiplier, sampleRate = 1, steps = 1 } = given
  return {
    noiseMultiplier: number('noiseMultiplier', noiseMultiplier, (v) => v >= LEAST && v <= MOST, RIGHT_NOISE),
    sampleRate: number('sampleRate', sampleRate, (v) => v >= 1e-12 && v <= 1, 'a number from 1e-12 to 1'),
    steps: number('steps', count('steps', steps), (v) => v <= 1e8, 'at most 1e8'),
  }
}

const RIGHT_NOISE = `a number from ${LEAST} to ${MOST}`

function accountingOptions({ delta, accountant = 'prv' }: EpsilonOptions) {
  const chosen = choice('accountant', accountant, ACCOUNTANTS)
  const least = chosen === 'prv' ? LEAST_PRV_DELTA : 0
  const right =
    chosen === 'prv' ? `at least ${LEAST_PRV_DELTA} and below 1 with accountant 'prv'` : 'above 0 and below 1'
  return {
    accountant: chosen,
    delta: number('delta', delta, (v) => v >= least && v > 0 && v < 1, `a number ${right}`),
  }
}

function spent(phases: readonly DecidedSteps[], delta: number, accountant: AccountantName): PrivacyLoss {
  const words = phases.map(
    ({ noiseMultiplier, sampleRate, steps }) =>
      `${steps} ${steps === 1 ? 'step' : 'steps'} with σ = ${noiseMultiplier} and q = ${sampleRate}`,
  )
  const says = (epsilon: number, name: string): string =>
    `ε = ${roundedUp(epsilon, 4)} at δ = ${delta} by ${name}, for adding or removing one example, after ${words.join(', then ')} of Poisson sampling`
  if (accountant === 'rdp') {
    const { epsilon, order } = epsilonOfRdp(rdpOf(phases), delta)
    return { accountant, epsilon, delta, order, statement: says(epsilon, 'Rényi accounting') }
  }
  const bounds = epsilonOfPrv(phases, delta)
  const { upper: epsilon } = bounds
  return { accountant, epsilon, delta, bounds, statement: says(epsilon, 'the privacy loss random variable') }
}
