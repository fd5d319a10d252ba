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
 * combination of their directions, and is told apart where these are independent.
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
  const alone = found.filter(({ rows, direction }) => {
    if (rows.length > 1) return false
    const parts = partsOf(
      direction,
      several.map((group) => group.direction),
    )
    const groups = [...parts.keys()].filter((g) => parts[g] > PART)
    const rest = direction.map((v, j) => v - parts.reduce((sum, c, g) => sum + c * several[g].direction[j], 0))
    if (groups.length < 2 || Math.sqrt(inner(rest, rest)) > LEFT) return true
    shared.push({ row: rows[0], groups })
    return false
  })
  const groups = [...several, ...alone].map(({ rows }) => {
    const least = Math.min(...rows.map((row) => norms[row]))
    return { rows, counts: rows.map((row) => Math.round(norms[row] / least)) }
  })
  return { groups, shared: shared.sort((a, b) => a.row - b.row) }
}

/** c ≥ 0 with Σ c_g d_g nearest to x, one coordinate after the other. */
function partsOf(x: Float64Array, directions: readonly Float64Array[]): number[] {
  const parts = directions.map(() => 0)
  const rest = x.slice()
  for (let round = 0, moved = 1; round < 5000 && moved > 1e-12; round++) {
    moved = 0
    for (const [g, direction] of directions.entries()) {
      const next = Math.max(0, parts[g] + inner(direction, rest))
      const step = next - parts[g]
      for (let j = 0; j < rest.length; j++) rest[j] -= step * direction[j]
      moved = Math.max(moved, Math.abs(step))
      parts[g] = next
    }
  }
  return parts
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}
