/** ln(eᵃ + eᵇ), without overflow. */
export function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a]
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high))
}

/** ln(eᵃ − eᵇ) for a ≥ b. */
export function logSubtract(a: number, b: number): number {
  if (b === Number.NEGATIVE_INFINITY) return a
  return a <= b ? Number.NEGATIVE_INFINITY : a + Math.log(-Math.expm1(b - a))
}

const LANCZOS: readonly number[] = [
  ...[676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059],
  ...[12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7],
]

/** ln Γ(x) for x ≥ ½, to about 1e-14: Lanczos' approximation with g = 7. */
function logGamma(x: number): number {
  const t = x + 6.5
  const series = LANCZOS.reduce((sum, c, i) => sum + c / (x + i), 0.99999999999980993)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series)
}

/** Below this erfc is 1 − erf by a Taylor series, above it a continued fraction. */
const FAR = 2

/** ln erfc(x), for any x, to about 1e-13 of erfc. */
export function logErfc(x: number): number {
  if (x < 0) return Math.log(2 - Math.exp(logErfc(-x)))
  if (x < FAR) return Math.log1p(-erfSeries(x))
  // erfc x = e^(−x²) / (√π (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))))
  let tail = x
  // fewer terms do further out
  for (let k = Math.ceil(8 + 300 / (x * x)); k >= 1; k--) tail = x + k / 2 / tail
  return -x * x - 0.5 * Math.log(Math.PI) - Math.log(tail)
}

/** erf x = 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, all of whose terms are positive. */
function erfSeries(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** Φ(x), the distribution function of N(0, 1); its lower tail keeps its relative precision. */
export const normalCdf = (x: number): number => (x < -39 ? 0 : x > 9 ? 1 : 0.5 * Math.exp(logErfc(-x / Math.SQRT2)))

/** The quantile of N(0, 1), by bisection; ±Infinity at 0 and 1. */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY
  if (p >= 1) return Number.POSITIVE_INFINITY
  // the lower tail is the one that is precise
  if (p > 0.5) return -normalQuantile(1 - p)
  return bisect((x) => normalCdf(x) - p, -40, 0)
}

/** The root of an increasing function between two numbers, to the last bits. */
export function bisect(increasing: (x: number) => number, from: number, to: number): number {
  let [low, high] = [from, to]
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) break
    if (increasing(middle) < 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** I_x(a, b), the regularised incomplete beta function: the distribution function of Beta(a, b). By Lentz's continued fraction. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // the fraction converges fast below the mean
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b) - Math.log(a)
  const tiny = 1e-300
  const safe = (v: number): number => (Math.abs(v) < tiny ? tiny : v)
  let c = 1
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / safe(1 + even * d)
    c = safe(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / safe(1 + odd * d)
    c = safe(1 + odd / c)
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < 1e-15) break
  }
  return Math.exp(front) * fraction
}

/**
 * The lower bound of Clopper and Pearson (1934) on a probability, from `successes` in `trials`: the probability is above it in at
 * least `confidence` of all experiments.
 */
export function lowerBound(successes: number, trials: number, confidence: number): number {
  if (successes === 0) return 0
  return bisect((p) => incompleteBeta(p, successes, trials - successes + 1) - (1 - confidence), 0, 1)
}
