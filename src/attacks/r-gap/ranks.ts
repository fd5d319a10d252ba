import { countOf } from '../../errors/counted'
import type { Steps } from '../../numbers/steps'
import type { Link } from './chain'
import { channelGram, type System } from './system'

/** What the equations of one layer leave open of what it reads. */
export interface LayerRank {
  /** The weight's name. */
  readonly name: string
  /** Numbers that the layer reads for one sample. */
  readonly unknowns: number
  /** Equations: one for each output, and one for each weight. */
  readonly equations: number
  /** Unknowns less the rank of the equations. Where `exact` is false, at least so many; where it is undefined, too many to compute. */
  readonly open: number | undefined
  readonly exact: boolean
}

/** What ranks depend on. */
type Equations = Pick<System, 'link' | 'weights' | 'felt'>

/** Most products that a factorisation may take. */
const MOST_WORK = 1e9

/** A pivot below this part of its diagonal is zero: 1e-5 of a row's length is known in float32. */
const ZERO = 1e-10

/**
 * R-GAP's rank analysis of one layer (Zhu, Blaschko 2021): how many of the numbers that it reads are not told by the equations of its
 * weights and of its gradient. A dense layer whose output has a gradient leaves nothing open.
 *
 * The equations of the gradient alone come first: they are the same for all channels. Where the unknowns are few, all equations are
 * factorised together; else those of the weights, whose Gram matrix is a band.
 */
export function* rankOf(name: string, system: Equations): Steps<LayerRank> {
  const { link, felt } = system
  const { unknowns, patches, width, numbers, channels } = link
  const said = { name, unknowns, equations: width * (patches + numbers) }
  const full: LayerRank = { ...said, open: 0, exact: true }
  const none = felt.every((v) => v === 0)
  if (patches === 1 && !none) return full
  const places = unknowns / channels
  const gram = places ** 3 / 3 <= MOST_WORK ? yield* channelGram(system, { output: 0, gradient: 1 }) : undefined
  const ofGradient = gram && channels * (yield* rankOfGram(gram, places))
  if (ofGradient === unknowns) return full
  if (unknowns ** 3 / 3 <= MOST_WORK)
    return { ...said, open: unknowns - (yield* rankOfGram(yield* wholeGram(system), unknowns)), exact: true }
  const order = orderOf(link)
  const band = widthOf(link, order)
  if (unknowns * band ** 2 <= MOST_WORK && (yield* isFull(yield* weightsGram(system, order, band), unknowns, band)))
    return full
  const most = Math.min(unknowns, patches * width) + Math.min(numbers * width, ofGradient ?? unknowns)
  return { ...said, open: most < unknowns ? unknowns - most : undefined, exact: false }
}

/** By number of what the layer reads: its place in an order in which those of a patch are near each other. */
function orderOf({ unknowns, channels, place }: Link): Int32Array {
  const order = new Int32Array(unknowns)
  const places = unknowns / channels
  for (let q = 0; q < places; q++) for (let c = 0; c < channels; c++) order[place(c, q)] = q * channels + c
  return order
}

/** Greatest distance, and one, between two numbers of a patch. */
function widthOf({ patches, numbers, source }: Link, order: Int32Array): number {
  let most = 0
  for (let t = 0; t < patches; t++) {
    let [low, high] = [order.length, -1]
    for (let j = 0; j < numbers; j++) {
      const at = source[t * numbers + j]
      if (at < 0) continue
      low = Math.min(low, order[at])
      high = Math.max(high, order[at])
    }
    most = Math.max(most, high - low)
  }
  return most + 1
}

/** The lower band of AᵀA for the equations of the weights, in rows with the diagonal last. */
function* weightsGram({ link, weights }: Equations, order: Int32Array, band: number): Steps<Float64Array> {
  const { patches, numbers, width, source, unknowns } = link
  const gram = new Float64Array(unknowns * band)
  const row = inBand(band)
  const alike = products(weights, numbers, width)
  for (let t = 0; t < patches; t++) {
    for (let a = 0; a < numbers; a++)
      for (let b = 0; b < numbers; b++) {
        const [at, other] = [source[t * numbers + a], source[t * numbers + b]]
        if (at >= 0 && other >= 0 && order[at] >= order[other])
          gram[row(order[at]) + order[other]] += alike[a * numbers + b]
      }
    yield
  }
  return gram
}

/** AᵀA for all equations, [unknowns, unknowns]. */
function* wholeGram({ link, weights, felt }: Equations): Steps<Float64Array> {
  const { patches, numbers, width, source, unknowns } = link
  const gram = new Float64Array(unknowns ** 2)
  const [ofWeights, ofFelt] = [products(weights, numbers, width), products(felt, patches, width)]
  for (let t = 0; t < patches; t++) {
    for (let a = 0; a < numbers; a++) {
      const at = source[t * numbers + a]
      if (at < 0) continue
      for (let b = 0; b < numbers; b++) {
        const other = source[t * numbers + b]
        if (other >= 0) gram[at * unknowns + other] += ofWeights[a * numbers + b]
      }
      for (let s = 0; s < patches; s++) {
        const other = source[s * numbers + a]
        if (other >= 0) gram[at * unknowns + other] += ofFelt[t * patches + s]
      }
    }
    yield
  }
  return gram
}

/** Where entry [i, 0] of a lower band would be. */
const inBand =
  (band: number) =>
  (i: number): number =>
    (i + 1) * band - 1 - i

/** B Bᵀ for B [rows, width], scaled to rows of length 1 on average. */
function products(values: Float64Array, rows: number, width: number): Float64Array {
  const unit = values.reduce((sum, v) => sum + v * v, 0) / width || 1
  const out = new Float64Array(rows * rows)
  for (let a = 0; a < rows; a++)
    for (let b = 0; b <= a; b++) {
      let sum = 0
      for (let o = 0; o < width; o++) sum += values[a * width + o] * values[b * width + o]
      out[a * rows + b] = out[b * rows + a] = sum / unit
    }
  return out
}

/**
 * The rank of a Gram matrix by Cholesky's factorisation, the largest pivot that is left first.
 *
 * @param a [n, n], of which the lower triangle is read
 */
function* rankOfGram(a: Float64Array, n: number): Steps<number> {
  const left = Float64Array.from({ length: n }, (_, i) => a[i * n + i])
  const most = left.reduce((x, v) => Math.max(x, v), 0)
  const columns: Float64Array[] = []
  for (;;) {
    const pivot = left.reduce((at, v, i) => (v > left[at] ? i : at), 0)
    if (columns.length === n || !(left[pivot] > ZERO * most)) return columns.length
    const root = Math.sqrt(left[pivot])
    const column = new Float64Array(n)
    for (let i = 0; i < n; i++) column[i] = i > pivot ? a[i * n + pivot] : a[pivot * n + i]
    for (const other of columns) {
      const factor = other[pivot]
      if (factor !== 0) for (let i = 0; i < n; i++) column[i] -= factor * other[i]
    }
    for (let i = 0; i < n; i++) {
      column[i] /= root
      left[i] -= column[i] ** 2
    }
    left[pivot] = 0
    columns.push(column)
    yield
  }
}

/**
 * Whether a Gram matrix in a band has full rank: row by row, every pivot stands above rounding.
 *
 * @param a rows of a lower band, the diagonal last; it is overwritten
 */
function* isFull(a: Float64Array, n: number, band: number): Steps<boolean> {
  const row = inBand(band)
  for (let i = 0; i < n; i++) {
    const at = row(i)
    const from = Math.max(0, i - band + 1)
    const diagonal = a[at + i]
    for (let j = from; j <= i; j++) {
      const other = row(j)
      let sum = a[at + j]
      for (let k = Math.max(from, j - band + 1); k < j; k++) sum -= a[at + k] * a[other + k]
      if (j === i && !(sum > ZERO * diagonal)) return false
      a[at + j] = j === i ? Math.sqrt(sum) : sum / a[other + j]
    }
    yield
  }
  return true
}

/** What a layer leaves open, in words; undefined where it is nothing, or was not computed. */
export const openWords = ({ name, unknowns, open, exact }: LayerRank): string | undefined =>
  open
    ? `the equations of '${name}' leave ${exact ? '' : 'at least '}${open} of the ${countOf(unknowns, 'number')} open that it reads`
    : undefined
