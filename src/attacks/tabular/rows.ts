import { pseudoInverse } from '../../numbers/singular-vectors'
import { atOnce } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { inner, lengthOf, orthogonalPart } from '../../numbers/vectors'
import type { Pause } from '../spear/pause'
import { scaleOf, shiftOf } from './encode'
import type { PlacedColumn } from './schema'
import type { Span } from './span'

/** Rows of a span that are records of the schema. */
export interface RecordRows {
  /** Each [inputs]; the batch's own are among them where the search was whole. */
  readonly rows: readonly Float64Array[]
  /** Those of them that the layer's ReLU tells to be samples of the batch. */
  readonly samples: readonly Float64Array[]
  /** Whether every possibility was looked at, and each left one row at most. */
  readonly whole: boolean
}

/** A set of coordinates: those with ⟨w, n⟩ = ⟨point, n⟩ for each of some orthonormal normals n. */
interface Plane {
  readonly point: Float64Array
  readonly normals: readonly Float64Array[]
}

/** What a column can be: equations ⟨w, r_j⟩ = value, for each of its values. */
interface Choices {
  readonly vectors: readonly Float64Array[]
  /** For each value, what the equations ask for. */
  readonly values: readonly (readonly number[])[]
  /** Whether other values are possible too, so that these are a guess to be made where nothing else is left. */
  readonly open: boolean
}

/** Part of a vector that must be new for its equation to be one more. */
const NEW = 1e-2

/** How far an equation may be missed, in units of a category: so many times the noise, within these bounds. */
const [NOISES, CLOSE, WIDE] = [300, 1e-4, 0.2]

/** An input whose vector is shorter than this part of the longest is zero in every row. */
const ABSENT = 1e-4

/** Most possibilities that are looked at, and most rows that are kept. */
const [MOST, MOST_ROWS] = [200_000, 2048]

/** Most numbers that testing rows for samples may touch: two seconds or three. */
const MOST_TESTED = 1e8

/** How far beyond its range a column is tried, and how far a number may be, in widths of the range. */
const [BEYOND, FAR] = [0.1, 1]

/** Whole numbers of so many values are tried one by one, where categories leave a row open. */
const MOST_VALUES = 128

/**
 * All records of the schema in the span of a batch's rows. One-hot blocks make this a finite search: choosing the category of one
 * column fixes as many coordinates as the column has categories in the batch, less one, so that a few columns fix a row and
 * all others test it. Columns with the most categories come first.
 *
 * Besides the batch's own rows there can be combinations of them, such as a + b − c, that are records too.
 */
export async function recordRows(
  span: Omit<Span, 'layer' | 'traced'>,
  columns: readonly PlacedColumn[],
  pause: Pause,
): Promise<RecordRows> {
  const { rank, inputs, one, noise } = span
  const directionOf = sampleDirections(span)
  const tolerance = Math.min(WIDE, Math.max(CLOSE, NOISES * noise))
  const choices = columns.flatMap((column) => choicesOf(column, span)).sort((a, b) => order(a) - order(b))
  const rows: Float64Array[] = []
  const samples: Float64Array[] = []
  const directions: Float64Array[] = []
  let [looked, tested, whole, ended] = [0, 0, true, false]
  const visit = async (before: Plane, at: number, known: number): Promise<void> => {
    if (ended) return
    const plane = cut(before, directions.slice(known), new Array(directions.length - known).fill(0), tolerance)
    if (!plane) return
    const spent = looked > MOST || (directionOf ? tested * rank ** 3 > MOST_TESTED : rows.length > MOST_ROWS)
    if (samples.length === rank || spent || (looked % 64 === 0 && (await pause()))) {
      ended = true
      return
    }
    if (at === choices.length) {
      if (plane.normals.length < rank) whole = false
      else {
        const row = Float64Array.from(inputs, (r) => inner(r, plane.point))
        if (!isRecord(row, columns, tolerance)) return
        rows.push(row)
        tested++
        const direction = directionOf?.(row, plane.point)
        if (!direction) return
        samples.push(row)
        directions.push(direction)
      }
      return
    }
    const { vectors, values, open } = choices[at]
    if (open && plane.normals.length === rank) return visit(plane, at + 1, directions.length)
    if (open) whole = false
    const possible = plane.normals.length < rank ? values : nearest(choices[at], plane)
    const now = directions.length
    for (const value of possible) {
      looked++
      const next = cut(plane, vectors, value, tolerance)
      if (next) await visit(next, at + 1, now)
    }
  }
  const first = cut({ point: new Float64Array(rank), normals: [] }, [one], [1], tolerance)
  if (first) await visit(first, 0, 0)
  const complete = samples.length === rank
  return {
    rows,
    samples: complete ? fromDirections(directions, span) : samples,
    whole: whole && (complete || !ended),
  }
}

/**
 * All rows of the batch from the directions of all samples: ⟨w, q⟩ = 0 for the directions of all others, and ⟨w, r⟩ = 1 for the
 * number 1. A direction belongs to its sample even where the row that gave it was a little off.
 */
function fromDirections(
  directions: readonly Float64Array[],
  { inputs, one }: Pick<Span, 'inputs' | 'one'>,
): Float64Array[] {
  const inverse = atOnce(pseudoInverse(directions))
  return directions.map((_, i) => {
    const point = Float64Array.from(inverse, (row) => row[i])
    const scale = 1 / inner(point, one)
    return Float64Array.from(inputs, (r) => scale * inner(r, point))
  })
}

/** Columns that fix many coordinates at once come first; those of one number last, the fewest values first. */
const order = ({ vectors, values }: Choices): number => (vectors.length > 1 ? -vectors.length : values.length)

function choicesOf({ column, at, size }: PlacedColumn, { inputs }: Pick<Span, 'inputs'>): Choices[] {
  if (column.kind === 'categorical') {
    const longest = inputs.reduce((most, r) => Math.max(most, lengthOf(r)), 0)
    const present = Array.from({ length: size }, (_, i) => inputs[at + i]).filter((r) => lengthOf(r) > ABSENT * longest)
    return [{ vectors: present, values: present.map((_, i) => present.map((_, k) => (i === k ? 1 : 0))), open: false }]
  }
  const count = valuesOf(column)
  if (count === undefined) return []
  const low = column.kind === 'numeric' ? wholeRange(column.range!)[0] : 0
  const code = (i: number): number => (low + i - shiftOf(column)) / scaleOf(column)
  return [
    {
      vectors: [inputs[at]],
      values: Array.from({ length: count }, (_, i) => [code(i)]),
      open: column.kind === 'numeric',
    },
  ]
}

/** How many values a column of one input has, if they are few. */
function valuesOf(column: PlacedColumn['column']): number | undefined {
  if (column.kind === 'binary') return 2
  if (column.kind === 'ordinal') return column.levels.length
  if (column.kind !== 'numeric' || !column.integer || !column.range) return undefined
  const [low, high] = wholeRange(column.range)
  const count = high - low + 1
  return count >= 1 && count <= MOST_VALUES ? count : undefined
}

/** The whole numbers of a range, and some beyond it: a range is often that of other records. */
function wholeRange([low, high]: readonly [number, number]): readonly [number, number] {
  const more = BEYOND * (high - low)
  return [Math.ceil(low - more), Math.floor(high + more)]
}

/** The value of a column that is nearest to what a single point says. */
function nearest({ vectors, values }: Choices, { point }: Plane): readonly (readonly number[])[] {
  const said = vectors.map((r) => inner(r, point))
  const miss = (value: readonly number[]): number => value.reduce((sum, v, i) => sum + (v - said[i]) ** 2, 0)
  return values.length === 0 ? values : [values.reduce((best, value) => (miss(value) < miss(best) ? value : best))]
}

/** The part of a plane where some equations hold; undefined where there is none. */
function cut(
  plane: Plane,
  vectors: readonly Float64Array[],
  values: readonly number[],
  tolerance: number,
): Plane | undefined {
  let { point, normals } = plane
  for (const [i, vector] of vectors.entries()) {
    const miss = values[i] - inner(vector, point)
    const rest = normals.length < point.length ? orthogonalPart(vector, normals) : undefined
    const size = rest ? lengthOf(rest) : 0
    if (rest && size > NEW * lengthOf(vector)) {
      const normal = rest.map((v) => v / size)
      point = point.map((v, k) => v + (normal[k] * miss) / size)
      normals = [...normals, normal]
    } else if (Math.abs(miss) > tolerance) return undefined
  }
  return { point, normals }
}

/** Whether numbers lie in the range of their column, or not far from it, and are whole where they must be, as far as noise lets one see. */
function isRecord(row: Float64Array, columns: readonly PlacedColumn[], tolerance: number): boolean {
  return columns.every(({ column, at }) => {
    if (column.kind !== 'numeric') return true
    const value = shiftOf(column) + scaleOf(column) * row[at]
    const slack = tolerance * scaleOf(column)
    const { range, integer } = column
    const more = range ? FAR * (range[1] - range[0]) : 0
    if (range && (value < range[0] - more || value > range[1] + more)) return false
    return !integer || slack > 0.2 || Math.abs(value - Math.round(value)) <= slack
  })
}

/** Units that must be off beyond those that show the other samples, so that they show them all by no accident. */
const SPARE = 4

/** So many times the noise may be left of a direction in the units that are off; the next direction must have so much more. */
const [LEFT, GAP] = [30, 10]

/**
 * For a row behind whose layer a ReLU stands: the direction q of its sample, with ⟨w, q⟩ = 0 for the coordinates w of all other
 * samples. The gradient of a unit that the row turns off has no part of it. So such units leave one direction over, to which
 * the row itself is not orthogonal. A combination of samples leaves none.
 *
 * @returns undefined where no ReLU follows the layer; the function returns undefined for a row that is no sample
 */
function sampleDirections({ rank, units, rest, weights, hasRelu }: Omit<Span, 'layer' | 'traced'>) {
  if (!hasRelu) return undefined
  const count = weights.bias.length
  const seen = Array.from({ length: count }, (_, j) => units.subarray(j * rank, (j + 1) * rank))
  return (row: Float64Array, point: Float64Array): Float64Array | undefined => {
    const off = seen.filter((_, j) => {
      let z = weights.bias[j]
      for (let i = 0; i < row.length; i++) z += weights.weight[i * count + j] * row[i]
      return z < 0
    })
    if (off.length < rank - 1 + SPARE) return undefined
    const gram = Array.from({ length: rank }, (_, a) =>
      Float64Array.from({ length: rank }, (_, b) => off.reduce((sum, u) => sum + u[a] * u[b], 0)),
    )
    const { values, vectors } = atOnce(symmetricEigen(gram))
    const sizeAt = (k: number): number => Math.sqrt(Math.max(values[k], 0))
    const least = sizeAt(rank - 1)
    if (least > LEFT * rest || (rank > 1 && sizeAt(rank - 2) < GAP * least)) return undefined
    const direction = vectors[rank - 1]
    return Math.abs(inner(direction, point)) > NEW * lengthOf(point) ? direction : undefined
  }
}
