import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { inner } from '../../numbers/vectors'
import { candidateOf, type Layer } from './candidates'
import { type Choice, judge } from './choice'
import { gramOf, leastDirection, refined, type Units, WIDE, ZERO, zerosOf } from './directions'
import type { Factors } from './factors'
import { UNSURE } from './masked'

/** Rounds: a row that is nearer to its sample says better which units were off. */
const ROUNDS = 3

/**
 * The choice again, each direction made of all units that its sample turned off. A direction that was found through a part of them may be
 * as good as zero there, and not at the others, which is many times the noise; z of the sample it gives says which the others are.
 */
export function* polished(choice: Choice, units: Units, layer: Layer, factors: Factors): Steps<Choice> {
  let best = choice
  for (let round = 0; round < ROUNDS; round++) {
    const candidates = [...best.candidates]
    let changed = false
    for (const [s, { direction, zeros }] of candidates.entries()) {
      const off = units.positions.flatMap((j, at) => {
        const z = inner(best.inverse[s], layer.columns[j])
        const isOff = z < -UNSURE * best.deviations[s] * layer.sizes[j]
        return isOff && Math.abs(inner(units.rows[at], direction)) < WIDE * ZERO ? [at] : []
      })
      if (off.length < units.rank - 1) continue
      const near = yield* leastDirection(
        off.map((at) => units.rows[at]),
        units.rank,
      )
      const better = yield* refined(units, zerosOf(units, near), zeros.length + 1)
      if (!better) continue
      changed = true
      candidates[s] = yield* candidateOf(units, better.direction, better.zeros, layer)
    }
    const trial = changed ? judge(candidates, layer, factors) : undefined
    if (!trial || (best.consistent && !trial.consistent)) break
    best = trial
  }
  return best
}

/**
 * By sample, the standard deviation of each of its numbers. Noise moves R, and it moves the directions: q_t by δq_t of covariance
 * (Σ r rᵀ)⁺ over the rows r of its zeros, in units of their noise. With P = Q⁻¹ that moves x̃_s by Σ_t ⟨p_s, δq_t⟩ (x̃_s − x̃_t).
 */
export function* deviationsOf(
  { candidates, inverse, deviations }: Choice,
  units: Units,
  { width }: Factors,
): Steps<number[]> {
  const squares = deviations.map((v) => v * v)
  for (const [t, { direction, zeros }] of candidates.entries()) {
    const { values, vectors } = yield* symmetricEigen(
      yield* gramOf(
        zeros.map((at) => units.rows[at]),
        units.rank,
      ),
    )
    // P Q = 1 for directions of this size
    const scale = inner(inverse[t], direction)
    for (const [s, row] of inverse.entries()) {
      if (s === t) continue
      let variance = 0
      for (let k = 0; k < units.rank - 1; k++) variance += inner(row, vectors[k]) ** 2 / values[k]
      const apart = row.reduce((sum, v, k) => sum + (v - inverse[t][k]) ** 2, 0) / width
      squares[s] += (variance / scale ** 2) * apart
    }
    yield
  }
  return squares.map(Math.sqrt)
}
