import type { Random } from '../../numbers/random'
import { lengthOf } from '../../numbers/vectors'
import { type Units, ZERO, zerosOf } from './directions'

/** Rows that are tried before the others are; a direction with few zeros among them is given up. */
const [TRIED, LEAST] = [24, 3]

/** A direction out of rank − 1 noisy rows misses its other zeros by more than one out of many rows. */
const ROUGH = 5 * ZERO

/** A pivot this small leaves a second direction that is orthogonal to the rows. */
const FLAT = 1e-6

/**
 * Random draws of SPEAR: rank − 1 rows, and the one direction that is orthogonal to all of them. Where a sample turned all of
 * these units off, the direction is a column of Q. About half of the units are off, so one draw in 2^(rank − 1) hits a sample.
 *
 * @returns a function that makes one draw: the rows that the direction is nearly orthogonal to, or undefined where they are few
 */
export function drawing(units: Units, random: Random): () => number[] | undefined {
  const { rows, unitRows, rank } = units
  const count = rows.length
  const order = Int32Array.from(rows.keys())
  const work = new Float64Array((rank - 1) * rank)
  const pivots = new Int32Array(rank - 1)
  const free = new Uint8Array(rank)
  const direction = new Float64Array(rank)
  const tried = Math.min(TRIED, count - rank + 1)
  const least = Math.min(LEAST, tried / 4)
  /** The first `n` of the order become a random choice without repetition. */
  const shuffle = (n: number): void => {
    for (let i = 0; i < n; i++) {
      const other = i + Math.floor(random.uniform() * (count - i))
      const kept = order[i]
      order[i] = order[other]
      order[other] = kept
    }
  }
  /** Elimination with the largest entry of each row as its pivot. */
  const orthogonal = (): boolean => {
    for (let i = 0; i < rank - 1; i++) work.set(unitRows[order[i]], i * rank)
    free.fill(1)
    for (let i = 0; i < rank - 1; i++) {
      const start = i * rank
      let pivot = -1
      for (let k = 0; k < rank; k++)
        if (free[k] === 1 && (pivot < 0 || Math.abs(work[start + k]) > Math.abs(work[start + pivot]))) pivot = k
      if (Math.abs(work[start + pivot]) < FLAT) return false
      free[pivot] = 0
      pivots[i] = pivot
      for (let h = start + rank; h < work.length; h += rank) {
        const factor = work[h + pivot] / work[start + pivot]
        for (let k = 0; k < rank; k++) work[h + k] -= factor * work[start + k]
      }
    }
    direction.fill(0)
    direction[free.indexOf(1)] = 1
    for (let i = rank - 2; i >= 0; i--) {
      let sum = 0
      for (let k = 0; k < rank; k++) sum += k === pivots[i] ? 0 : work[i * rank + k] * direction[k]
      direction[pivots[i]] = -sum / work[i * rank + pivots[i]]
    }
    const size = lengthOf(direction)
    for (let k = 0; k < rank; k++) direction[k] /= size
    return true
  }
  return () => {
    if (count < rank) return undefined
    shuffle(rank - 1 + tried)
    if (!orthogonal()) return undefined
    let zeros = 0
    for (let i = 0; i < tried; i++) {
      const row = rows[order[rank - 1 + i]]
      let product = 0
      for (let k = 0; k < rank; k++) product += row[k] * direction[k]
      if (Math.abs(product) < ROUGH) zeros++
    }
    return zeros >= least ? zerosOf(units, direction, ROUGH) : undefined
  }
}
