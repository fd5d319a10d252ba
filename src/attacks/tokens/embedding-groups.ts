import { number } from '../../errors/checks'
import { atOnce, type Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { DEVIATIONS, rankOf, roundedAway } from './row-directions'
import { requireTable, rowNormSteps, type Table } from './token-set'

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
 * The model must tell users apart. Where its last layer reads the sum itself and has one output or two classes, all directions are one or its
 * opposite, and a group has the rows of all users of one label.
 *
 * @param embeddingGradient [rows, width]
 * @param tolerance 1 − cosine up to which two rows have one direction, in (0, 1). Default: what the precision of the numbers leaves, 5e-11 for
 * float32 and 2e-6 for float16. Users of whom the model says nearly the same differ by little more than 1e-5. Behind noise give what it leaves: its part of
 * a row, squared.
 * @throws DlgError `invalid-gradients` for a table without whole rows or with numbers that are not finite, `invalid-option`
 */
export const embeddingGroups = (embeddingGradient: Table, tolerance?: number): EmbeddingGroups =>
  atOnce(groupSteps(embeddingGradient, { tolerance }))

/** What tells directions apart, and who hears of it. */
interface GroupSettings {
  /** 1 − cosine up to which two rows have one direction. Default: what the precision of the numbers leaves. */
  readonly tolerance?: number | undefined
  /** Mean square of what each number lost beside its own rounding, as where an update was shared. Default 0. */
  readonly lost?: number
  /** How many users there are, where that is known. */
  readonly users?: number
  /** Hears what is known so far before each row that may be of several users, and which part of these rows is done. */
  readonly told?: (groups: EmbeddingGroups, part: number) => void
}

/** 1 − cosine that loss alone leaves of a row, from which on its direction is no longer known. */
const LOST = 0.01

/**
 * {@link embeddingGroups} in steps.
 *
 * @throws DlgError as it
 */
export function* groupSteps(
  embeddingGradient: Table,
  { tolerance, lost = 0, users, told }: GroupSettings,
): Steps<EmbeddingGroups> {
  requireTable('embeddingGradient', embeddingGradient)
  if (tolerance !== undefined) number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const { data, width } = embeddingGradient
  const least = tolerance ?? (yield* roundedAway(data))
  // 1 − cosine is half the squared distance of two directions
  const away = (norm: number): number => (DEVIATIONS ** 2 * width * lost) / norm ** 2 / 2
  const norms = yield* rowNormSteps(embeddingGradient)
  const found: { direction: Float64Array; away: number; rows: number[] }[] = []
  // the longest first, whose directions are known best
  const order = [...norms.keys()].filter((row) => norms[row] > 0).sort((a, b) => norms[b] - norms[a])
  for (const row of order) {
    const norm = norms[row]
    const direction = mapped(data.subarray(row * width, (row + 1) * width), (v) => v / norm)
    const own = away(norm)
    const group =
      own > LOST ? undefined : found.find((other) => inner(other.direction, direction) >= 1 - least - own - other.away)
    if (group) group.rows.push(row)
    else found.push({ direction, away: own, rows: [row] })
    yield
  }
  for (const { rows } of found) rows.sort((a, b) => a - b)
  found.sort((a, b) => b.rows.length - a.rows.length || a.rows[0] - b.rows[0])
  const several = found.filter(({ rows }) => rows.length > 1)
  const single = found.slice(several.length)
  const own = several.map((group) => group.direction)
  const choices = yield* choicesOf(own)
  const [all, ofUsers] = [
    yield* rankOf(
      found.map((group) => group.direction),
      least,
    ),
    yield* rankOf(own, least),
  ]
  // users beside those that are known may have any direction that there is, and so may these where theirs depend on each other
  const areOthers = (users ?? 0) > own.length || own.length > ofUsers
  const most = Math.min(MOST_USERS, areOthers ? all - 1 : MOST_USERS)
  const shared: { row: number; groups: number[] }[] = []
  const alone: (typeof found)[number][] = []
  const known = (unknown: typeof found): EmbeddingGroups => ({
    groups: [...several, ...alone, ...unknown].map(({ rows }) => {
      const least = rows.reduce((most, row) => Math.min(most, norms[row]), Number.POSITIVE_INFINITY)
      return { rows, counts: rows.map((row) => Math.round(norms[row] / least)) }
    }),
    shared: [...shared].sort((a, b) => a.row - b.row),
  })
  for (const [i, one] of single.entries()) {
    if (told && i % TOLD === 0) told(known(single.slice(i)), i / single.length)
    const groups = yield* fewestParts(one.direction, choices, most)
    if (groups) shared.push({ row: one.rows[0], groups })
    else alone.push(one)
    yield
  }
  return known([])
}

/** Rows between two reports. */
const TOLD = 16

/** Directions of users, with their products. */
interface Choices {
  readonly directions: readonly Float64Array[]
  readonly products: readonly Float64Array[]
}

function* choicesOf(directions: readonly Float64Array[]): Steps<Choices> {
  const products: Float64Array[] = []
  for (const a of directions) {
    products.push(Float64Array.from(directions, (b) => inner(a, b)))
    yield
  }
  return { directions, products }
}

/**
 * The two directions, or else three, of which x is a sum with positive factors; undefined where there are none, or where others come
 * nearly as close: which users it is cannot be told then.
 *
 * @param most users at most: of as many directions as there are dimensions every row is a sum
 */
function* fewestParts(x: Float64Array, { directions, products }: Choices, most: number): Steps<number[] | undefined> {
  const along = Float64Array.from(directions, (direction) => inner(direction, x))
  for (let size = 2; size <= most; size++) {
    if (combinations(directions.length, size) > MOST_TRIES) return undefined
    let best: { groups: number[]; left: number } | undefined
    let [next, tried] = [Infinity, 0]
    for (const groups of choices(directions.length, size)) {
      if (tried++ % TRIES === 0) yield
      // far off, the number does not matter
      const roughly = roughlyLeftOf(groups, along, products)
      const left =
        roughly > FAR
          ? roughly
          : leftOf(
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

/** Tries between two looks at the clock. */
const TRIES = 256

/** What is left of a row that is far from any that decides: above APART · LEFT. */
const FAR = 0.3

/** ‖x − Σ c_k d_k‖ of the best c of any sign, as far as products of pairs tell: √(1 − pᵀ G⁻¹ p), by Cholesky's factorisation of G. */
function roughlyLeftOf(groups: readonly number[], along: Float64Array, products: readonly Float64Array[]): number {
  const size = groups.length
  const [factor, y] = [new Float64Array(size * size), new Float64Array(size)]
  let left = 1
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = products[groups[i]][groups[j]]
      for (let k = 0; k < j; k++) sum -= factor[i * size + k] * factor[j * size + k]
      // directions that are nearly one say nothing here
      if (i === j && !(sum > NEARLY_ONE)) return 0
      factor[i * size + j] = i === j ? Math.sqrt(sum) : sum / factor[j * size + j]
    }
    let sum = along[groups[i]]
    for (let k = 0; k < i; k++) sum -= factor[i * size + k] * y[k]
    y[i] = sum / factor[i * size + i]
    left -= y[i] ** 2
  }
  return Math.sqrt(Math.max(0, left))
}

/** Part of a direction beside others, squared, below which products of pairs do not tell them apart. */
const NEARLY_ONE = 1e-8

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
