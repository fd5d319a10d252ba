import type { Steps } from '../../numbers/steps'
import { lengthOf } from '../../numbers/vectors'
import type { Link } from './chain'

/**
 * The two systems of equations for what a layer reads, x: Σ_j x[source(t, j)] W[j, o] = y[t, o] from its weights, and
 * Σ_t x[source(t, j)] δ[t, o] = ∂L/∂W[j, o] from its gradient.
 */
export interface System {
  readonly link: Link
  /** W, [numbers, width] */
  readonly weights: Float64Array
  /** δ = ∂L/∂y, [patches, width] */
  readonly felt: Float64Array
  /** y, [patches, width]; NaN where it is not known. */
  readonly outputs: Float64Array
  /** ∂L/∂W, [numbers, width] */
  readonly gradient: Float64Array
  /** The numbers of x that are known, such as padding; NaN where they are not. */
  readonly known: Float64Array
}

/** How much the two systems count: every equation by the size of its row, about. */
interface Balance {
  readonly output: number
  readonly gradient: number
}

/** Most numbers of a channel whose equations are factorised before the iteration. */
const MOST_PLACES = 200

/** Steps of the iteration for every unknown, and at most. */
const [STEPS, MOST_STEPS] = [4, 6000]

/** The part of the right side, and of its slope, at which the iteration ends. */
const ENOUGH = 1e-13

/** What a layer read, as far as its equations tell. */
export interface SolvedSystem {
  readonly read: Float64Array
  /** ‖A x − b‖ / ‖b‖ over both systems. */
  readonly residual: number
  readonly steps: number
}

/** The layer's input by least squares: LSQR (Paige, Saunders 1982), preconditioned by the Gram matrix of one channel's equations. */
export function* solveSystem(system: System): Steps<SolvedSystem> {
  const { link, known } = system
  const balance = balanceOf(system)
  const free = known.map((v) => (Number.isNaN(v) ? 1 : 0))
  const fixed = known.map((v) => (Number.isNaN(v) ? 0 : v))
  const right = rightSide(system, balance)
  const given = forwards(system, balance, fixed)
  const b = right.map((v, i) => v - given[i])
  const precondition = yield* preconditionerOf(system, balance)
  const multiply = (x: Float64Array) =>
    forwards(
      system,
      balance,
      precondition.backwards(x).map((v, i) => v * free[i]),
    )
  const transpose = (r: Float64Array) => precondition.forwards(backwards(system, balance, r).map((v, i) => v * free[i]))
  const most = Math.min(MOST_STEPS, STEPS * link.unknowns)
  const { solution, steps } = yield* lsqr(multiply, transpose, b, link.unknowns, most)
  const read = precondition.backwards(solution).map((v, i) => v * free[i] + fixed[i])
  const reached = forwards(system, balance, read)
  return { read, steps, residual: lengthOf(reached.map((v, i) => v - right[i])) / (lengthOf(right) || 1) }
}

/** The first numbers of a row-scaled right side are those of the outputs, then those of the gradient. */
function rightSide({ outputs, gradient }: System, balance: Balance): Float64Array {
  const b = new Float64Array(outputs.length + gradient.length)
  for (let i = 0; i < outputs.length; i++) if (!Number.isNaN(outputs[i])) b[i] = balance.output * outputs[i]
  for (let i = 0; i < gradient.length; i++) b[outputs.length + i] = balance.gradient * gradient[i]
  return b
}

function forwards({ link, weights, felt, outputs }: System, balance: Balance, x: Float64Array): Float64Array {
  const { patches, numbers, width, source } = link
  const out = new Float64Array(patches * width + numbers * width)
  const offset = patches * width
  for (let t = 0; t < patches; t++)
    for (let j = 0; j < numbers; j++) {
      const at = source[t * numbers + j]
      if (at < 0 || x[at] === 0) continue
      const toOutput = balance.output * x[at]
      const toGradient = balance.gradient * x[at]
      for (let o = 0, y = t * width, w = j * width; o < width; o++, y++, w++) {
        out[y] += toOutput * weights[w]
        out[offset + w] += toGradient * felt[y]
      }
    }
  for (let i = 0; i < offset; i++) if (Number.isNaN(outputs[i])) out[i] = 0
  return out
}

function backwards({ link, weights, felt, outputs }: System, balance: Balance, r: Float64Array): Float64Array {
  const { patches, numbers, width, source, unknowns } = link
  const out = new Float64Array(unknowns)
  const offset = patches * width
  const fromOutputs = r.subarray(0, offset).map((v, i) => (Number.isNaN(outputs[i]) ? 0 : balance.output * v))
  const fromGradient = r.subarray(offset).map((v) => balance.gradient * v)
  for (let t = 0; t < patches; t++)
    for (let j = 0; j < numbers; j++) {
      const at = source[t * numbers + j]
      if (at < 0) continue
      let sum = 0
      for (let o = 0, y = t * width, w = j * width; o < width; o++, y++, w++)
        sum += weights[w] * fromOutputs[y] + felt[y] * fromGradient[w]
      out[at] += sum
    }
  return out
}

/** ∂L/∂x from ∂L/∂y. */
export function feltBefore({ link, weights, felt }: Pick<System, 'link' | 'weights' | 'felt'>): Float64Array {
  const { patches, numbers, width, source, unknowns } = link
  const out = new Float64Array(unknowns)
  for (let t = 0; t < patches; t++)
    for (let j = 0; j < numbers; j++) {
      const at = source[t * numbers + j]
      if (at < 0) continue
      for (let o = 0; o < width; o++) out[at] += weights[j * width + o] * felt[t * width + o]
    }
  return out
}

function balanceOf({ link, weights, felt }: System): Balance {
  const { width } = link
  // the mean norm of a row: √(numbers · mean w²), and √(patches · mean δ²)
  const output = lengthOf(weights) / Math.sqrt(width) || 1
  const gradient = lengthOf(felt) / Math.sqrt(width) || 1
  return { output: 1 / output, gradient: 1 / gradient }
}

interface Preconditioner {
  /** L⁻¹, channel by channel. */
  forwards(x: Float64Array): Float64Array
  /** L⁻ᵀ, channel by channel. */
  backwards(x: Float64Array): Float64Array
}

/** Part of the mean diagonal that is added to a Gram matrix, so that it has a factor. */
const DAMPING = 1e-10

function* preconditionerOf(system: System, balance: Balance): Steps<Preconditioner> {
  const { unknowns, channels, place } = system.link
  const places = unknowns / channels
  if (places > MOST_PLACES) return { forwards: (x) => x, backwards: (x) => x }
  const factor = yield* cholesky(yield* channelGram(system, balance), places)
  const each = (x: Float64Array, solve: (part: Float64Array) => void): Float64Array => {
    const out = new Float64Array(unknowns)
    const part = new Float64Array(places)
    for (let c = 0; c < channels; c++) {
      for (let q = 0; q < places; q++) part[q] = x[place(c, q)]
      solve(part)
      for (let q = 0; q < places; q++) out[place(c, q)] = part[q]
    }
    return out
  }
  return {
    forwards: (x) =>
      each(x, (part) => {
        for (let i = 0; i < places; i++) {
          let sum = part[i]
          for (let k = 0, at = i * places; k < i; k++, at++) sum -= factor[at] * part[k]
          part[i] = sum / factor[i * places + i]
        }
      }),
    backwards: (x) =>
      each(x, (part) => {
        for (let i = places - 1; i >= 0; i--) {
          part[i] /= factor[i * places + i]
          for (let k = 0, at = i * places; k < i; k++, at++) part[k] -= factor[at] * part[i]
        }
      }),
  }
}

/** AᵀA of one channel: the equations of the gradient are the same for each, those of the weights are the mean over channels. */
export function* channelGram(
  { link, weights, felt }: Pick<System, 'link' | 'weights' | 'felt'>,
  balance: Balance,
): Steps<Float64Array> {
  const { patches, numbers, width, channels, unknowns } = link
  const places = unknowns / channels
  const taps = numbers / channels
  const gram = new Float64Array(places * places)
  const first = placesOfFirst(link)
  const alike = new Float64Array(taps * taps)
  for (let c = 0; c < channels; c++)
    for (let a = 0; a < taps; a++)
      for (let b = 0; b < taps; b++)
        for (let o = 0; o < width; o++)
          alike[a * taps + b] +=
            (balance.output ** 2 / channels) * weights[(c * taps + a) * width + o] * weights[(c * taps + b) * width + o]
  for (let t = 0; t < patches; t++) {
    for (let s = 0; s < patches; s++) {
      let product = 0
      for (let o = 0; o < width; o++) product += felt[t * width + o] * felt[s * width + o]
      product *= balance.gradient ** 2
      for (let tap = 0; tap < taps; tap++) {
        const [p, q] = [first[t * taps + tap], first[s * taps + tap]]
        if (p >= 0 && q >= 0) gram[p * places + q] += product
      }
    }
    for (let a = 0; a < taps; a++)
      for (let b = 0; b < taps; b++) {
        const [p, q] = [first[t * taps + a], first[t * taps + b]]
        if (p >= 0 && q >= 0) gram[p * places + q] += alike[a * taps + b]
      }
    yield
  }
  return gram
}

/** Which place of a channel tap a of patch t reads, at t · taps + a; −1 is padding. */
function placesOfFirst({ patches, numbers, channels, source, unknowns, place }: Link): Int32Array {
  const taps = numbers / channels
  const placeOf = new Map<number, number>()
  for (let q = 0; q < unknowns / channels; q++) placeOf.set(place(0, q), q)
  const out = new Int32Array(patches * taps)
  for (let t = 0; t < patches; t++)
    for (let a = 0; a < taps; a++) {
      const at = source[t * numbers + a]
      out[t * taps + a] = at < 0 ? -1 : placeOf.get(at)!
    }
  return out
}

/** The lower factor of a Gram matrix, row by row. */
function* cholesky(a: Float64Array, n: number): Steps<Float64Array> {
  let trace = 0
  for (let i = 0; i < n; i++) trace += a[i * n + i]
  const damping = (DAMPING * trace) / n || 1
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]
      if (i === j) sum += damping
      for (let k = 0, p = i * n, q = j * n; k < j; k++, p++, q++) sum -= a[p] * a[q]
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, damping)) : sum / a[j * n + j]
    }
    if (i % 16 === 0) yield
  }
  return a
}

function* lsqr(
  multiply: (x: Float64Array) => Float64Array,
  transpose: (r: Float64Array) => Float64Array,
  b: Float64Array,
  size: number,
  most: number,
): Steps<{ readonly solution: Float64Array; readonly steps: number }> {
  const solution = new Float64Array(size)
  let beta = lengthOf(b)
  if (beta === 0) return { solution, steps: 0 }
  let u = b.map((v) => v / beta)
  let v = transpose(u)
  let alpha = lengthOf(v)
  if (alpha === 0) return { solution, steps: 0 }
  v = v.map((x) => x / alpha)
  const w = v.slice()
  let [phi, rho] = [beta, alpha]
  const whole = beta
  let norm = 0
  let steps = 0
  while (steps < most) {
    steps++
    const next = multiply(v)
    u = next.map((x, i) => x - alpha * u[i])
    beta = lengthOf(u)
    if (beta > 0) u = u.map((x) => x / beta)
    norm = Math.hypot(norm, alpha, beta)
    const back = transpose(u)
    v = back.map((x, i) => x - beta * v[i])
    alpha = lengthOf(v)
    if (alpha > 0) v = v.map((x) => x / alpha)
    const root = Math.hypot(rho, beta)
    const [c, s] = [rho / root, beta / root]
    const theta = s * alpha
    rho = -c * alpha
    const step = c * phi
    phi = s * phi
    for (let i = 0; i < size; i++) {
      solution[i] += (step / root) * w[i]
      w[i] = v[i] - (theta / root) * w[i]
    }
    yield
    // ‖Aᵀr‖ = φ |ρ| and ‖r‖ = φ
    if (phi <= ENOUGH * whole || Math.abs(rho) <= ENOUGH * norm || alpha === 0) break
  }
  return { solution, steps }
}
