import { logAdd, logErfc, logSubtract } from './special-functions'

/** Several equal steps of the Poisson-subsampled Gaussian mechanism. */
export interface GaussianSteps {
  /** σ > 0: the standard deviation of the noise, in units of the clip norm. */
  readonly noiseMultiplier: number
  /** q in (0, 1]: the probability with which each example takes part in a step. Default 1. */
  readonly sampleRate?: number
  /** How many times. Default 1. */
  readonly steps?: number
}

/** Steps with everything decided. */
export type DecidedSteps = Required<GaussianSteps>

/** The orders of Opacus, 1.1 … 10.9 and 12 … 63, and some for very small and very large ε. */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 9 }, (_, i) => 1 + (i + 1) / 100),
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => 12 + i),
  ...([64, 80, 96, 128, 192, 256, 384, 512, 768, 1024] as const),
]

/**
 * The Rényi divergence of one step at an order α > 1: ln A / (α − 1),
 *
 * A = E_{z ~ N(0, σ²)} [((1 − q) + q e^((2z − 1) / 2σ²))^α]
 *
 * (Mironov, Talwar, Zhang 2019, "Rényi Differential Privacy of the Sampled Gaussian Mechanism", sections 3.2 and 3.3).
 */
export function rdpOfStep(q: number, sigma: number, order: number): number {
  if (q === 1) return order / (2 * sigma ** 2)
  const log = Number.isInteger(order) ? logAInteger(q, sigma, order) : logAFractional(q, sigma, order)
  return Math.max(0, log) / (order - 1)
}

/** ln Σₖ C(α, k) (1 − q)^(α − k) qᵏ e^(k(k − 1) / 2σ²). */
function logAInteger(q: number, sigma: number, order: number): number {
  let log = Number.NEGATIVE_INFINITY
  let binomial = 0
  for (let k = 0; k <= order; k++) {
    log = logAdd(log, binomial + (order - k) * Math.log1p(-q) + k * Math.log(q) + (k * (k - 1)) / (2 * sigma ** 2))
    binomial += Math.log((order - k) / (k + 1))
  }
  return log
}

/**
 * The two summands of A are equal at z₀ = σ² ln(1/q − 1) + ½. On either side the power is a binomial series in the smaller over
 * the larger, whose terms are integrals of a normal density over half a line:
 *
 * A = Σᵢ C(α, i) [(1−q)^(α−i) qⁱ e^((i²−i)/2σ²) Φ((z₀−i)/σ) + (1−q)ⁱ q^(α−i) e^((j²−j)/2σ²) Φ((j−z₀)/σ)], j = α − i
 */
function logAFractional(q: number, sigma: number, order: number): number {
  const z0 = sigma ** 2 * Math.log(1 / q - 1) + 0.5
  const [logOut, logIn] = [Math.log1p(-q), Math.log(q)]
  const half = (at: number): number => Math.log(0.5) + logErfc(at / (Math.SQRT2 * sigma))
  const power = (k: number): number => (k * k - k) / (2 * sigma ** 2)
  let positive = Number.NEGATIVE_INFINITY
  let negative = Number.NEGATIVE_INFINITY
  // ln |C(α, i)| and whether it is above 0
  let [binomial, above] = [0, true]
  for (let i = 0; i < MOST_TERMS; i++) {
    const j = order - i
    const left = binomial + j * logOut + i * logIn + power(i) + half(i - z0)
    const right = binomial + i * logOut + j * logIn + power(j) + half(z0 - j)
    const term = logAdd(left, right)
    if (above) positive = logAdd(positive, term)
    else negative = logAdd(negative, term)
    // from α on the terms alternate and shrink
    if (i > order && term < positive - NEGLIGIBLE) break
    binomial += Math.log(Math.abs(j) / (i + 1))
    if (j < 0) above = !above
  }
  return logSubtract(positive, negative)
}

const MOST_TERMS = 100_000
/** ln of the part of A below which a term no longer counts. */
const NEGLIGIBLE = 30

/** The Rényi divergence of all steps at each of the orders: divergences of independent steps add up. */
export const rdpOf = (phases: readonly DecidedSteps[], orders = ORDERS): number[] =>
  orders.map((order) =>
    phases.reduce((sum, { noiseMultiplier, sampleRate, steps }) => {
      return sum + steps * rdpOfStep(sampleRate, noiseMultiplier, order)
    }, 0),
  )

/**
 * The least ε with (ε, δ) that follows from Rényi divergences r(α): ε = min_α r + ln((α − 1)/α) − (ln δ + ln α)/(α − 1)
 * (Balle et al. 2020, theorem 21; Canonne, Kamath, Steinke 2020, proposition 12).
 */
export function epsilonOfRdp(
  divergences: readonly number[],
  delta: number,
  orders = ORDERS,
): { readonly epsilon: number; readonly order: number } {
  const epsilons = orders.map((a, i) => {
    return divergences[i] + Math.log1p(-1 / a) - (Math.log(delta) + Math.log(a)) / (a - 1)
  })
  const best = epsilons.reduce((least, epsilon, i) => (epsilon < epsilons[least] ? i : least), 0)
  return { epsilon: Math.max(0, epsilons[best]), order: orders[best] }
}
