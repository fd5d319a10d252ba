import { Matrix, solve } from 'ml-matrix'
import { inner, lengthOf } from '../../numbers/vectors'
import { type Candidate, type Layer, WINDOWS } from './candidates'
import type { Factors } from './factors'
import { UNSURE } from './masked'
import type { Pause } from './pause'

/** A choice of one direction for each sample, and what it says of the samples. */
export interface Choice {
  readonly candidates: readonly Candidate[]
  /** P = Q⁻¹, scaled so that X̃ = P R ends in ones: [rank, rank] row by row. */
  readonly inverse: readonly Float64Array[]
  /** By sample: part of the units with (∂z = 0) ⇔ (z ≤ 0), among those that say something. */
  readonly rowAgreement: readonly number[]
  /** λ over all samples. */
  readonly agreement: number
  /** Part of all entries that noise hides. */
  readonly hidden: number
  /** Whether noise explains every entry that disagrees. */
  readonly consistent: boolean
  /** By sample: standard deviation of each of its numbers that comes from noise. */
  readonly deviations: readonly number[]
}

/** Relative rounding of z where the client computes in float32. */
const ROUNDING = 1e-6

/** How many times as far as rounding noise moves z, at least, where there is noise. */
const ABOVE = 3

/** Agreement below which noise is no explanation. */
const CONSISTENT = 0.95

/** Least part of a direction that others of the choice must not explain. */
const INDEPENDENT = 1e-7

/** What one choice says. @returns undefined where the directions depend on each other */
export function judge(
  candidates: readonly Candidate[],
  layer: Layer,
  { rank, singular, noise }: Factors,
): Choice | undefined {
  const inverse = invert(candidates, rank)
  if (!inverse) return undefined
  let noisy = false
  const typical = Math.sqrt(noise.reduce((sum, v) => sum + v * v, 0) / noise.length)
  const total = { right: 0, said: 0, hidden: 0, wrongOn: 0, wrongOff: 0, next: 0, above: 0 }
  const deviations: number[] = []
  const rowAgreement = inverse.map((row, s) => {
    const scale = inner(row, layer.last)
    // a row that ends in nothing is no sample
    if (!(Math.abs(scale) > 1e-12 * lengthOf(row))) return 0
    for (let k = 0; k < rank; k++) row[k] /= scale
    // deviation of a number of X̃: σ √[(∂Zᵀ∂Z)⁻¹]_ss, where (∂Zᵀ∂Z)⁻¹ = P diag(s)⁻² Pᵀ
    deviations[s] = typical * Math.sqrt(row.reduce((sum, v, k) => sum + (v / singular[k]) ** 2, 0))
    const reach = UNSURE * deviations[s] + ROUNDING * lengthOf(row)
    noisy ||= UNSURE * deviations[s] > ABOVE * ROUNDING * lengthOf(row)
    let [right, said] = [0, 0]
    candidates[s].pattern.forEach((sign, j) => {
      const z = inner(row, layer.columns[j])
      const clear = Math.abs(z) > reach * layer.sizes[j]
      const times = candidates[s].above[j]
      if (clear && z > 0 && times > 0) {
        total.above++
        if (times === 1) total.next++
      }
      if (sign === 0 || !clear) {
        total.hidden++
        return
      }
      said++
      if (z > 0 === sign > 0) right++
      else if (sign > 0) total.wrongOn++
      else total.wrongOff++
    })
    total.right += right
    total.said += said
    return said > 0 ? right / said : 0
  })
  const agreement = total.said > 0 && deviations.length === rank ? total.right / total.said : 0
  // ∂z of a unit that was on is hidden below the bound as often as it is in one of the windows above: n / WINDOWS times, where there are n in all
  // of them. Behind noise there may be one more than was seen
  const often = Math.max(total.next, noisy ? (total.above + 1) / WINDOWS : 0)
  const explained = often + 3 * Math.sqrt(often)
  const consistent = agreement === 1 || (agreement > CONSISTENT && total.wrongOn === 0 && total.wrongOff <= explained)
  const hidden = total.hidden / (rank * layer.columns.length)
  return { candidates, inverse, rowAgreement, agreement, hidden, consistent, deviations }
}

function invert(candidates: readonly Candidate[], rank: number): Float64Array[] | undefined {
  const columns = new Matrix(rank, rank)
  candidates.forEach(({ direction }, s) => {
    for (let i = 0; i < rank; i++) columns.set(i, s, direction[i])
  })
  try {
    const inverse = solve(columns, Matrix.eye(rank))
    const rows = Array.from({ length: rank }, (_, i) => Float64Array.from(inverse.getRow(i)))
    return rows.every((row) => row.every(Number.isFinite) && lengthOf(row) < 1 / INDEPENDENT) ? rows : undefined
  } catch {
    // ml-matrix throws where the matrix is singular
    return undefined
  }
}

/** The best explained directions that do not depend on each other; undefined where there are fewer than samples. */
export function independent(
  candidates: readonly Candidate[],
  rank: number,
  first: readonly Candidate[] = [],
): Candidate[] {
  const found: Candidate[] = []
  const basis: Float64Array[] = []
  for (const candidate of [...first, ...candidates]) {
    if (found.length === rank) break
    const rest = candidate.direction.slice()
    for (let twice = 0; twice < 2; twice++)
      for (const other of basis) {
        const product = inner(rest, other)
        for (let i = 0; i < rank; i++) rest[i] -= product * other[i]
      }
    const size = lengthOf(rest)
    if (size < 1e-5) continue
    basis.push(rest.map((v) => v / size))
    found.push(candidate)
  }
  return found
}

/** Exchanges one direction for another for as long as more of all masks agree. */
export async function exchanged(
  start: Choice,
  pool: readonly Candidate[],
  layer: Layer,
  factors: Factors,
  pause: Pause,
): Promise<Choice> {
  let best = start
  for (;;) {
    let better: Choice | undefined
    // the samples that agree least are the first to go
    const order = [...best.rowAgreement.keys()].sort((a, b) => best.rowAgreement[a] - best.rowAgreement[b])
    for (const s of order) {
      for (const candidate of pool) {
        if (best.candidates.includes(candidate)) continue
        const trial = judge(best.candidates.with(s, candidate), layer, factors)
        if (trial && trial.agreement > (better ?? best).agreement) better = trial
        if (await pause()) return better ?? best
      }
      if (better) break
    }
    if (!better) return best
    best = better
    if (best.consistent) return best
  }
}
