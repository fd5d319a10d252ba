import { largest } from '../../numbers/norms'
import { singularVectors } from '../../numbers/singular-vectors'
import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { nothingIfCut, paced } from '../contract/pause'
import { type DenseGradient, inputWidth } from '../dense/dense-gradient'
import type { Pause } from './pause'

/**
 * The gradient of a dense layer as G ≈ L R of the rank that shows at the gap of its singular values. G [units, in + 1] is ∂W
 * beside ∂b: the input of every sample ends in the number 1 that the bias multiplies.
 */
export interface Factors {
  /** Units, inputs + 1 and rank of G. */
  readonly units: number
  readonly width: number
  readonly rank: number
  /** L = G Rᵀ, [units, rank] row by row. */
  readonly left: Float64Array
  /** R, [rank, width] row by row; its rows are orthonormal. */
  readonly right: Float64Array
  /** Singular values of G, descending. A large matrix shows at most {@link LIMIT} of them. */
  readonly singular: Float64Array
  /** s_rank / s_rank+1: how clearly the rank shows. */
  readonly gap: number
  /** What one is in these numbers of the gradient given: its largest entry. */
  readonly unit: number
  /** By unit: standard deviation of what the rank leaves of its row of G, for each number. It is the noise of L's row too. */
  readonly noise: Float64Array
}

/** Most singular values that are looked at. */
export const LIMIT = 96

/** A ratio of neighbouring singular values below this is no gap: those of random inputs have ratios up to 3. */
const GAP = 5

/** A rank that is asked for needs less of a gap: noise alone has ratios up to 1.3. */
const WANTED_GAP = 2

/** Where the rest of all rows fell by this factor at once, what is left is noise; so many more directions show it. */
const [FALL, AFTER] = [100, 12]

/** Rounding of float64 numbers, and of what is computed with them here. */
const [FLOAT64, COMPUTED] = [2 ** -52, 2 ** -40]

/** A rank that leaves nothing of the matrix to measure the noise in, or that does not show. */
export interface NoGap {
  readonly rank: undefined
  readonly singular: Float64Array
  /** The largest ratio of two neighbours. */
  readonly gap: number
}

/**
 * @returns undefined where the work is no longer wanted
 * @param wanted the rank to take where the singular values leave a choice; otherwise that of the widest gap
 */
export async function factorsOf(
  gradient: DenseGradient,
  pause: Pause,
  wanted?: number,
): Promise<Factors | NoGap | undefined> {
  const width = inputWidth(gradient) + 1
  const units = gradient.bias.length
  const unit = Math.max(largest(gradient.weight), largest(gradient.bias)) || 1
  const rows = await paced(rowsOf(gradient, width, unit), pause).catch(nothingIfCut)
  if (!rows) return undefined
  const spanned = await paced(rowSpan(rows), pause).catch(nothingIfCut)
  if (!spanned) return undefined
  const { span, whole } = spanned
  if (span.length === 0) return { rank: undefined, singular: new Float64Array(0), gap: 0 }
  const first = await paced(decompose(rows, span), pause).catch(nothingIfCut)
  if (!first) return undefined
  const { singular } = first
  const floor = singular[0] * FLOAT64 * Math.sqrt(units + width)
  const most = Math.min(units, width, LIMIT) - 1
  // where the span was cut, what comes next is not known
  const known = whole ? singular.length : singular.length - 1
  const ratio = (r: number): number => singular[r - 1] / Math.max(singular[r] ?? 0, floor)
  let rank = 1
  for (let r = 1; r <= Math.min(most, known); r++) if (singular[r - 1] > floor && ratio(r) > ratio(rank)) rank = r
  if (wanted !== undefined && wanted <= Math.min(most, known) && ratio(wanted) >= WANTED_GAP) rank = wanted
  if (most < 1 || !(ratio(rank) >= (rank === wanted ? WANTED_GAP : GAP)))
    return { rank: undefined, singular, gap: most < 1 ? 0 : ratio(rank) }
  // the span of some rows holds their noise: two power iterations turn it to the span of all
  let right = first.right.slice(0, rank)
  for (let i = 0; i < 2; i++) {
    const turned = await paced(turnedBy(rows, right), pause).catch(nothingIfCut)
    if (!turned) return undefined
    right = turned
  }
  const left = new Float64Array(units * rank)
  const noise = new Float64Array(units)
  // what is left of each row, and of all rows as far as one row tells too little
  const degrees = Math.max(1, width - rank)
  let total = 0
  for (const [j, row] of rows.entries()) {
    const rest = row.slice()
    right.forEach((direction, k) => {
      const product = inner(row, direction)
      left[j * rank + k] = product
      subtract(rest, direction, product)
    })
    noise[j] = inner(rest, rest)
    total += noise[j]
    if (await pause()) return undefined
  }
  const common = total / (Math.max(1, units - rank) * degrees)
  for (let j = 0; j < units; j++) {
    const rounding = COMPUTED * Math.sqrt(inner(rows[j], rows[j]))
    noise[j] = Math.sqrt((noise[j] + common) / (degrees + 1)) + rounding
  }
  return { units, width, rank, unit, left, right: joined(right), singular, gap: ratio(rank), noise }
}

/** Rows of G in units of its largest entry, so that squares neither overflow nor vanish. */
function* rowsOf({ weight, bias }: DenseGradient, width: number, unit: number): Steps<Float64Array[]> {
  const rows: Float64Array[] = []
  for (let j = 0; j < bias.length; j++) {
    rows.push(mapped({ length: width }, (_, i) => (i < width - 1 ? weight[i * bias.length + j] : bias[j]) / unit))
    yield
  }
  return rows
}

/** Orthonormal directions that span the rows, by Gram–Schmidt with the longest rest first; whole where rounding alone is left. */
function* rowSpan(rows: readonly Float64Array[]): Steps<{ span: Float64Array[]; whole: boolean }> {
  const rest = rows.map((row) => row.slice())
  const squares = rest.map((row) => inner(row, row))
  const total = squares.reduce((a, b) => a + b, 0)
  const found: Float64Array[] = []
  const most = Math.min(rows.length, rows[0].length, LIMIT)
  const lengths: number[] = []
  while (found.length < most && !isNoise(lengths)) {
    const pivot = squares.reduce((best, v, j) => (v > squares[best] ? j : best), 0)
    if (!(squares[pivot] > FLOAT64 ** 2 * total)) return { span: found, whole: true }
    const direction = rest[pivot].slice()
    // once more: what was rounding in the first pass is a direction of its own in a short rest
    for (const other of found) subtract(direction, other, inner(direction, other))
    const length = Math.sqrt(inner(direction, direction))
    if (length === 0) return { span: found, whole: true }
    lengths.push(length)
    for (let i = 0; i < direction.length; i++) direction[i] /= length
    found.push(direction)
    for (const [j, row] of rest.entries()) {
      subtract(row, direction, inner(row, direction))
      squares[j] = j === pivot ? 0 : inner(row, row)
      if (j % ROWS === 0) yield
    }
  }
  return { span: found, whole: found.length === Math.min(rows.length, rows[0].length) }
}

/** Whether the rest fell once, and has stayed where it is. */
function isNoise(lengths: readonly number[]): boolean {
  const at = lengths.length - AFTER
  return at > 0 && lengths[at - 1] > FALL * lengths[at] && lengths[at] < 10 * lengths[lengths.length - 1]
}

/** Singular values, and right vectors within the span, of the rows seen in it. */
function* decompose(
  rows: readonly Float64Array[],
  span: readonly Float64Array[],
): Steps<{ singular: Float64Array; right: Float64Array[] }> {
  const seen: Float64Array[] = []
  for (const row of rows) {
    seen.push(Float64Array.from(span, (direction) => inner(row, direction)))
    yield
  }
  const { values, right: turns } = yield* singularVectors(seen)
  const right: Float64Array[] = []
  for (const turn of turns) {
    const direction = new Float64Array(span[0].length)
    for (const [i, part] of span.entries()) subtract(direction, part, -turn[i])
    right.push(direction)
    yield
  }
  return { singular: values, right }
}

/** The right vectors within the span of Gᵀ G v for each direction v. */
function* turnedBy(rows: readonly Float64Array[], directions: readonly Float64Array[]): Steps<Float64Array[]> {
  const span: Float64Array[] = []
  for (const direction of directions) {
    const rest = new Float64Array(direction.length)
    for (const [j, row] of rows.entries()) {
      subtract(rest, row, -inner(row, direction))
      if (j % ROWS === 0) yield
    }
    for (let twice = 0; twice < 2; twice++) for (const other of span) subtract(rest, other, inner(rest, other))
    const length = Math.sqrt(inner(rest, rest))
    span.push(rest.map((v) => v / length))
  }
  return (yield* decompose(rows, span)).right
}

/** Rows between two looks at the clock. */
const ROWS = 64

/** a ← a − factor · b */
function subtract(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] -= factor * b[i]
}

const joined = (rows: readonly Float64Array[]): Float64Array => Float64Array.from(rows.flatMap((row) => [...row]))
