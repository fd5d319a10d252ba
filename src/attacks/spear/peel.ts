import { inner, lengthOf } from '../../numbers/vectors'
import { LOUD, scaled, type Units, unitsFrom, ZERO } from './directions'

/** The units that some samples left off: the problem of the other samples, in fewer dimensions. */
export interface Peeled {
  readonly units: Units
  /** A direction of the smaller problem as one of the whole; undefined where the known directions leave none. */
  lift(within: Float64Array): Float64Array | undefined
}

/**
 * Where directions q_1, …, q_k are known, the rows of units that were off for all of these samples lie in the rank − k
 * dimensions orthogonal to the q_s. There the other samples are as sparse as before, a draw hits one 2^k times as often, and a
 * descent cannot end at a known one.
 *
 * A direction q that was found there is one of the whole up to Σ c_s q_s. A unit that q turns off says what c_s is, once the
 * coefficients after it are known: c_s = −⟨r_j, q⟩ / ⟨r_j, q_s⟩ for a unit j that sample s left on and those before it left off.
 * The value that most of these units agree on is taken.
 */
export function peeled(whole: Units, known: readonly Float64Array[]): Peeled | undefined {
  const { rows, rank } = whole
  const left = rank - known.length
  const basis = complement(known, rank)
  if (basis.length !== left) return undefined
  /** Units by the first known sample that left them on; the last list is of those that all left off. */
  const groups: number[][] = Array.from({ length: known.length + 1 }, () => [])
  rows.forEach((row, j) => {
    const at = known.findIndex((q) => Math.abs(inner(row, q)) >= ZERO)
    groups[at < 0 ? known.length : at].push(j)
  })
  const quiet = groups[known.length]
    .map((j) => ({ position: j, row: Float64Array.from(basis, (axis) => inner(rows[j], axis)) }))
    .filter(({ row }) => lengthOf(row) > LOUD)
  if (quiet.length < 2 * left) return undefined
  const units = unitsFrom(
    quiet.map(({ row }) => row),
    quiet.map(({ position }) => position),
    left,
  )
  return {
    units,
    lift(within) {
      const direction = new Float64Array(rank)
      basis.forEach((axis, k) => {
        for (let i = 0; i < rank; i++) direction[i] += within[k] * axis[i]
      })
      for (let s = known.length - 1; s >= 0; s--) {
        const size = lengthOf(direction)
        const coefficient = mode(
          groups[s].map((j) => {
            const part = inner(rows[j], known[s])
            return { value: -inner(rows[j], direction) / part, reach: (ZERO * size) / Math.abs(part) }
          }),
        )
        if (coefficient === undefined) return undefined
        for (let i = 0; i < rank; i++) direction[i] += coefficient * known[s][i]
      }
      return scaled(direction, 1 / lengthOf(direction))
    },
  }
}

/** The value that most others are within reach of. */
function mode(values: readonly { readonly value: number; readonly reach: number }[]): number | undefined {
  const sorted = [...values].sort((a, b) => a.value - b.value)
  let [best, support] = [undefined as number | undefined, 0]
  sorted.forEach(({ value, reach }, at) => {
    let count = 1
    for (let i = at + 1; i < sorted.length && sorted[i].value - value <= reach + sorted[i].reach; i++) count++
    for (let i = at - 1; i >= 0 && value - sorted[i].value <= reach + sorted[i].reach; i--) count++
    if (count > support) [best, support] = [value, count]
  })
  return best
}

/** An orthonormal basis of what is orthogonal to the directions. */
export function complement(directions: readonly Float64Array[], rank: number): Float64Array[] {
  const found: Float64Array[] = []
  const axes = Array.from({ length: rank }, (_, k) => Float64Array.from({ length: rank }, (_, i) => (i === k ? 1 : 0)))
  const basis: Float64Array[] = []
  for (const [at, given] of [...directions, ...axes].entries()) {
    const rest = given.slice()
    for (let twice = 0; twice < 2; twice++)
      for (const other of found) {
        const product = inner(rest, other)
        for (let i = 0; i < rank; i++) rest[i] -= product * other[i]
      }
    const size = lengthOf(rest)
    // among the axes there is always one at least 1 / √rank away from fewer than rank directions
    if (size < (at < directions.length ? 1e-9 : 0.5 / Math.sqrt(rank))) continue
    const direction = scaled(rest, 1 / size)
    found.push(direction)
    if (at >= directions.length) basis.push(direction)
    if (found.length === rank) break
  }
  return basis
}
