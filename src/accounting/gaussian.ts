import { knownNames, number } from '../errors/checks'
import { roundedDown } from './rounded'
import { bisect, logErfc, normalCdf } from './special-functions'

/**
 * ε of one Gaussian mechanism in closed form, with noise of 1/μ times the sensitivity, from (Balle & Wang 2018, theorem 8)
 *
 * δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ)
 *
 * T steps with σ and without sampling are one with μ = √T / σ.
 */
export function epsilonOfGaussian(mu: number, delta: number): number {
  const excess = (epsilon: number): number => {
    const logSecond = epsilon + Math.log(0.5) + logErfc((mu / 2 + epsilon / mu) / Math.SQRT2)
    return delta - (normalCdf(mu / 2 - epsilon / mu) - Math.exp(logSecond))
  }
  if (!(mu > 0) || excess(0) >= 0) return 0
  // P(N > μ/2 − ε/μ …) is below δ for certain at μ²/2 + μ √(2 ln 1/δ)
  return bisect(excess, 0, mu ** 2 / 2 + mu * Math.sqrt(2 * Math.log(1 / delta)) + 1)
}

/** Options of {@link reconstructionBound}. */
export interface ReconstructionOptions {
  /** σ > 0: standard deviation of the noise, in units of the clip norm. */
  readonly noiseMultiplier: number
  /** ‖x‖ > 0 of the sample, in the units of the data. */
  readonly norm: number
  /** Shared gradients of this sample, each with noise of its own. Default 1. */
  readonly looks?: number
  /** Width of the range of the data, for the PSNR. Default 1. */
  readonly range?: number
}

/** How well the best unbiased attacker can do: one whose guess is x on average, whatever x is. Biased ones may do better. */
export interface ReconstructionBound {
  /** Mean squared error of each number of the sample. */
  readonly meanSquaredError: number
  /** That error in dB: 10 lg(range² / MSE). */
  readonly psnr: number
  readonly statement: string
}

/**
 * The mean squared error of an unbiased attacker against the Gaussian mechanism in closed form: MSE = σ²‖x‖² / T for each number of
 * x (Ziller et al. 2024, "Bounding Reconstruction Attack Success of Adversaries Without Data Priors").
 *
 * It is that of the worst network, whose clipped gradient is the sample itself, C x / ‖x‖: x̂ = (‖x‖ / C) · (C x / ‖x‖ + N(0, σ²C²)).
 * By the bound of Cramér and Rao no unbiased attacker does better there, and this one does as well. Two things lie outside of it: a
 * batch, whose samples cover each other, makes it worse for the attacker; a biased attacker may have a smaller error than this. One who
 * knows what data look like is biased, and so is one who knows nothing and guesses zeros: the error is then ‖x‖² / n for n numbers,
 * which is smaller where σ² > T / n.
 *
 * @throws DlgError `invalid-option`
 */
export function reconstructionBound(options: ReconstructionOptions): ReconstructionBound {
  knownNames('options', options, ['noiseMultiplier', 'norm', 'looks', 'range'])
  const { noiseMultiplier, norm, looks = 1, range = 1 } = options
  const positive = (name: string, value: number) => number(name, value, (v) => v > 0 && v < Infinity, 'above 0')
  positive('noiseMultiplier', noiseMultiplier)
  positive('norm', norm)
  positive('range', range)
  number('looks', looks, (v) => Number.isInteger(v) && v >= 1, 'a whole number of at least 1')
  const meanSquaredError = (noiseMultiplier * norm) ** 2 / looks
  const psnr = 10 * Math.log10(range ** 2 / meanSquaredError)
  return {
    meanSquaredError,
    psnr,
    statement: `no unbiased attacker gets closer than an MSE of ${roundedDown(meanSquaredError, 3)} (${(Math.ceil(10 * psnr) / 10).toFixed(1)} dB) on average, against the worst network and a batch of one; a biased one may, such as one who guesses zeros`,
  }
}
