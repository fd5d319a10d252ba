import { number } from '../../errors/checks'
import { requireTable, rowNorms, type Table } from './token-set'

/** Rows of an embedding that belong together: what one user's sample looked up. */
export interface EmbeddingGroup {
  /** Row numbers, ascending. */
  readonly rows: readonly number[]
  /** How often each row was looked up, as its norm says beside the least of the group; a mean over the sample is assumed. */
  readonly counts: readonly number[]
}

/** Rows by the user that they belong to. */
export interface EmbeddingGroups {
  /** The largest group first. */
  readonly groups: readonly EmbeddingGroup[]
  /** Rows that several users looked up, with the groups of these users. */
  readonly shared: readonly { readonly row: number; readonly groups: readonly number[] }[]
}

/** Relative length that may be left of a row that several groups explain. */
const LEFT = 0.02

/** Part of a row below which a group has no part in it. */
const PART = 0.02

/**
 * The rows of an embedding's gradient grouped by direction: the basket of every user of a recommender's batch.
 *
 * Where a sample's embeddings are summed or averaged, each row that sample u alone looked up has the gradient c · δ_u, with δ_u the
 * sample's own direction and c how often. So rows of one direction are of one sample. A row that several samples looked up is a
 * combination of their directions, with positive factors. It is theirs where no other two users, or three, come nearly as close.
 *
 * A group of a single row is a sample of one item, or a row of several samples that nothing else tells apart.
 *
 * @param embeddingGradient [rows, width]
 * @param tolerance 1 − cosine up to which two rows have one direction, in (0, 1). Default 1e-4: float32 leaves 1e-7.
 * @throws DlgError `invalid-gradients` for a table without whole rows or with numbers that are not finite, `invalid-option`
 */
export function embeddingGroups(embeddingGradient: Table, tolerance = 1e-4): EmbeddingGroups {
  requireTable('embeddingGradient', embeddingGradient)
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const { data, width } = embeddingGradient
  const norms = rowNorms(embeddingGradient)
  const unit = (row: number): Float64Array => {
    const out = new Float64Array(width)
    for (let j = 0; j < width; j++) out[j] = data[row * width + j] / norms[row]
    return out
  }
  const used = [...norms.keys()].filter((row) => norms[row] > 0)
  const found: { direction: Float64Array; rows: number[] }[] = []
  for (const row of used) {
    const direction = unit(row)
    const group = found.find((other) => inner(other.direction, direction) >= 1 - tolerance)
    if (group) group.rows.push(row)
    else found.push({ direction, rows: [row] })
  }
  found.sort((a, b) => b.rows.length - a.rows.length)
  const several = found.filter(({ rows }) => rows.length > 1)
  const shared: { row: number; groups: number[] }[] = []
  const directions = several.map((group) => group.direction)
  const alone = found.filter(({ rows, direction }) => {
    if (rows.length > 1) return false
    const groups = fewestParts(direction, directions)
    if (groups) shared.push({ row: rows[0], groups })
    return !groups
  })
  const groups = [...several, ...alone].map(({ rows }) => {
    const least = Math.min(...rows.map((row) => norms[row]))
    return { rows, counts: rows.map((row) => Math.round(norms[row] / least)) }
  })
  return { groups, shared: shared.sort((a, b) => a.row - b.row) }
}

/**
 * The two directions, or else three, of which x is a sum with positive factors; undefined where there are none, or where others come
 * nearly as close: which users it is cannot be told then.
 */
function fewestParts(x: Float64Array, directions: readonly Float64Array[]): number[] | undefined {
  for (let size = 2; size <= MOST_USERS; size++) {
    if (combinations(directions.length, size) > MOST_TRIES) return undefined
    let best: { groups: number[]; left: number } | undefined
    let next = Infinity
    for (const groups of choices(directions.length, size)) {
      const left = leftOf(
        x,
        groups.map((g) => directions[g]),
      )
      if (left < (best?.left ?? Infinity)) {
        next = best?.left ?? Infinity
        best = { groups, left }
      } else next = Math.min(next, left)
    }
    if (best && best.left <= LEFT && next >= APART * Math.max(best.left, ROUNDING)) return best.groups
  }
  return undefined
}

/** Users of one row that are looked for. */
const MOST_USERS = 3

/** Choices of users that are tried for a row. */
const MOST_TRIES = 20_000

/** How many times closer than any other choice the right one comes. */
const APART = 10

/** What float32 leaves of a row that is explained. */
const ROUNDING = 1e-6

const combinations = (count: number, size: number): number =>
  size === 0 ? 1 : (combinations(count - 1, size - 1) * count) / size

/** Every choice of `size` of the first `count` whole numbers. */
function* choices(count: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) yield []
  else for (let i = from; i < count; i++) for (const rest of choices(count, size - 1, i + 1)) yield [i, ...rest]
}

/** ‖x − Σ c_k d_k‖ of the best c; Infinity where one of them is not above PART. */
function leftOf(x: Float64Array, directions: readonly Float64Array[]): number {
  // Gram and Schmidt: d_k = Σ r_jk q_j
  const basis: Float64Array[] = []
  const r = directions.map((direction) => {
    const rest = direction.slice()
    const row = basis.map((q) => {
      const c = inner(q, rest)
      for (let j = 0; j < rest.length; j++) rest[j] -= c * q[j]
      return c
    })
    const length = Math.sqrt(inner(rest, rest))
    basis.push(rest.map((v) => v / Math.max(length, Number.MIN_VALUE)))
    return [...row, length]
  })
  const rest = x.slice()
  const along = basis.map((q) => {
    const c = inner(q, rest)
    for (let j = 0; j < rest.length; j++) rest[j] -= c * q[j]
    return c
  })
  for (let k = directions.length - 1; k >= 0; k--) {
    const c = along[k] / r[k][k]
    if (!(c > PART)) return Infinity
    for (let j = 0; j < k; j++) along[j] -= c * r[k][j]
  }
  return Math.sqrt(inner(rest, rest))
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}
