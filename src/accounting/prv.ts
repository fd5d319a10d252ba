import { type Complex, fourier, timesPower } from './fourier'
import { epsilonOfGaussian } from './gaussian'
import { type DecidedSteps, epsilonOfRdp, ORDERS, rdpOf } from './rdp'
import { logAdd, normalCdf } from './special-functions'

/** ε of a composition between two numbers that hold for certain, and the best guess between them. */
export interface PrvEpsilon {
  readonly lower: number
  readonly estimate: number
  readonly upper: number
}

/** Fewest and most points of the grid. */
const [LEAST_POINTS, MOST_POINTS] = [2 ** 10, 2 ** 19]
/** Part of ε that discretisation may cost, and what it may cost however small ε is. */
const RELATIVE_ERROR = 1 / 250
const LEAST_ERROR = 1e-6
/** Part of δ that is left for errors of the grid and of its ends. */
const DELTA_ERROR = 1e-3

/**
 * ε by the privacy loss random variable (Gopi, Lee, Wutschitz 2021, "Numerical Composition of Differential Privacy").
 *
 * The privacy loss Y = ln P(o)/Q(o), o ~ P, of one step is put on a grid; the sum of the losses of all steps is its T-fold
 * convolution, by the Fourier transform; and δ(ε) = E[(1 − e^(ε − ΣY))₊]. Both directions are computed, an example taken out (P the
 * mixture, Q the normal) and put in, and the larger ε counts.
 *
 * With a grid of width h, theorem 5.5 of the paper gives ε up to h √(T/2 · ln(2/η)), and δ up to η.
 *
 * @param coarser computes on a grid that is this much coarser, a power of two, with the errors of the finer one: near its bounds, and no
 * bounds themselves
 */
export function epsilonOfPrv(phases: readonly DecidedSteps[], delta: number, coarser = 1): PrvEpsilon {
  const slack = DELTA_ERROR * delta
  const count = phases.reduce((sum, { steps }) => sum + steps, 0)
  const reach = domainOf(phases, slack, count)
  // Hoeffding: the rounding of each loss to the grid is at most h / 2, and its mean is 0
  const spread = Math.sqrt((count / 2) * Math.log(2 / slack))
  const wanted = Math.max(LEAST_ERROR, RELATIVE_ERROR * roughEpsilon(phases, delta))
  const points = 2 ** Math.ceil(Math.log2((2 * reach * spread) / wanted))
  const size = Math.min(MOST_POINTS, Math.max(LEAST_POINTS, points))
  const error = ((2 * reach) / size) * spread
  const computed = Math.max(LEAST_POINTS, size / coarser)
  const both = [lossOut, lossIn].map((direction) => {
    const composed = compose(phases, direction, (2 * reach) / computed, computed)
    const at = (d: number): number => epsilonAt(composed, d)
    return { lower: at(delta + slack) - error, estimate: at(delta), upper: at(delta - slack) + error }
  })
  const most = (which: keyof PrvEpsilon): number => Math.max(0, ...both.map((one) => one[which]))
  return { lower: most('lower'), estimate: most('estimate'), upper: most('upper') }
}

/**
 * About ε, and no bound: by Rényi divergences; where their orders end too early for a small ε, of the Gaussian mechanism that many
 * steps come close to, with μ² = Σ q² T (e^(1/σ²) − 1) (Bu, Dong, Long, Su 2020, "Deep Learning with Gaussian Differential Privacy").
 */
export function roughEpsilon(phases: readonly DecidedSteps[], delta: number): number {
  const { epsilon, order } = epsilonOfRdp(rdpOf(phases), delta)
  if (order < ORDERS[ORDERS.length - 1]) return epsilon
  const square = phases.reduce(
    (sum, { sampleRate, noiseMultiplier, steps }) => sum + sampleRate ** 2 * steps * Math.expm1(noiseMultiplier ** -2),
    0,
  )
  return square < 1 ? Math.min(epsilon, epsilonOfGaussian(Math.sqrt(square), delta)) : epsilon
}

/** |Y| of one step, and |ΣY|, are above this with a probability of at most the slack: E e^((α−1)Y) = e^((α−1) r(α)). */
function domainOf(phases: readonly DecidedSteps[], slack: number, count: number): number {
  const tail = (some: readonly DecidedSteps[], probability: number): number =>
    Math.min(...rdpOf(some).map((r, i) => r - Math.log(probability) / (ORDERS[i] - 1)))
  const single = phases.map((phase) => tail([{ ...phase, steps: 1 }], slack / (8 * count)))
  return 1.01 * Math.max(tail(phases, slack / 8), ...single)
}

/** The privacy loss of one step in one direction. */
interface Loss {
  /** P(Y ≤ t). */
  cdf(t: number): number
  readonly mean: number
}

type Direction = (steps: DecidedSteps) => Loss

/** P is the mixture (1 − q) N(0, σ²) + q N(1, σ²), Q is N(0, σ²): the loss is increasing in the output. */
const lossOut: Direction = ({ sampleRate: q, noiseMultiplier: sigma }) => ({
  cdf(t) {
    const x = outputAt(t, q, sigma)
    return (1 - q) * normalCdf(x / sigma) + q * normalCdf((x - 1) / sigma)
  },
  mean: meanLoss(q, sigma, (x) => (1 - q) * normalDensity(x / sigma) + q * normalDensity((x - 1) / sigma)),
})

/** P is N(0, σ²), Q the mixture. */
const lossIn: Direction = ({ sampleRate: q, noiseMultiplier: sigma }) => ({
  cdf: (t) => normalCdf(-outputAt(-t, q, sigma) / sigma),
  mean: -meanLoss(q, sigma, (x) => normalDensity(x / sigma)),
})

const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)

/** The output x at which ln(1 − q + q e^((2x − 1) / 2σ²)) is t; −∞ where the loss is always above t. */
function outputAt(t: number, q: number, sigma: number): number {
  const excess = Math.expm1(t) + q
  if (!(excess > 0)) return Number.NEGATIVE_INFINITY
  return sigma ** 2 * ((t > 30 ? t : Math.log(excess)) - Math.log(q)) + 0.5
}

/** Points of the trapezoidal rule at most. Its error falls exponentially with their number: the integrand is analytic. */
const MOST_SUMMANDS = 400_000

/** ∫ ln(1 − q + q e^((2x − 1) / 2σ²)) p(x) dx, with p in units of 1/σ. */
function meanLoss(q: number, sigma: number, density: (x: number) => number): number {
  const [from, to] = [-12 * sigma, 1 + 12 * sigma]
  const summands = Math.min(MOST_SUMMANDS, Math.ceil((to - from) / (Math.min(sigma, sigma ** 2) / 16)))
  const step = (to - from) / summands
  let sum = 0
  for (let i = 0; i <= summands; i++) {
    const x = from + i * step
    sum += density(x) * logAdd(Math.log1p(-q), Math.log(q) + (2 * x - 1) / (2 * sigma ** 2))
  }
  return (sum * step) / sigma
}

/** A distribution on a grid: probabilities of first + k · width. */
interface OnGrid {
  readonly first: number
  readonly width: number
  readonly probabilities: Float64Array
}

/** The sum of the losses of all steps. Probabilities are real: half of a transform is the conjugate of the other, and one is computed. */
function compose(phases: readonly DecidedSteps[], direction: Direction, width: number, size: number): OnGrid {
  const length = size / 2 + 1
  const product = { re: new Float64Array(size), im: new Float64Array(size) }
  const half = halfOf(product, length)
  half.re.fill(1)
  let shift = 0
  for (const phase of phases) {
    const { probabilities, offset } = onGrid(direction(phase), width, size)
    shift += phase.steps * offset
    const base = { re: probabilities, im: new Float64Array(size) }
    fourier(base)
    timesPower(half, halfOf(base, length), phase.steps)
  }
  for (let k = length; k < size; k++) {
    product.re[k] = product.re[size - k]
    product.im[k] = -product.im[size - k]
  }
  fourier(product, true)
  // circular as the transform is: sums below 0 stand in the second half. The sum with its shift lies within the reach of 0, so the one
  // without it lies within the reach of −shift: turn points from 0
  const turn = Math.round(-shift / width)
  const from = (((size / 2 + turn) % size) + size) % size
  const probabilities = new Float64Array(size)
  for (let i = 0; i < size; i++) probabilities[i] = product.re[(i + from) % size] / size
  return { first: shift + turn * width - (width * size) / 2, width, probabilities }
}

/** The first numbers of a transform, in place. */
const halfOf = ({ re, im }: Complex, length: number): Complex => ({
  re: re.subarray(0, length),
  im: im.subarray(0, length),
})

/** One loss, rounded to k · width with losses below 0 in the second half; `offset` brings its mean back to what it was. */
function onGrid({ cdf, mean }: Loss, width: number, size: number) {
  const probabilities = new Float64Array(size)
  let [mass, moment] = [0, 0]
  let before = cdf((-size / 2 - 0.5) * width)
  for (let k = -size / 2; k < size / 2; k++) {
    const after = cdf((k + 0.5) * width)
    const p = after - before
    before = after
    probabilities[(k + size) % size] = p
    mass += p
    moment += p * k * width
  }
  for (let i = 0; i < size; i++) probabilities[i] /= mass
  return { probabilities, offset: mean - moment / mass }
}

/** The least ε with E[(1 − e^(ε − Y))₊] ≤ δ. */
function epsilonAt({ first, width, probabilities }: OnGrid, delta: number): number {
  // over t ≥ tₖ: S = Σ p and E = Σ p e^(tₖ − t), so that δ(tₖ) = S − E
  let [sum, discounted] = [0, 0]
  for (let k = probabilities.length - 1; k >= 0; k--) {
    const [beyond, weighted] = [sum, discounted]
    sum += probabilities[k]
    discounted = probabilities[k] + Math.exp(-width) * discounted
    // δ(ε) = S' − e^(ε − tₖ₊₁) E' between two points
    if (sum - discounted > delta) return first + (k + 1) * width + Math.log((beyond - delta) / weighted)
  }
  return Number.NEGATIVE_INFINITY
}
