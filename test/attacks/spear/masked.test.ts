import { expect, it } from 'vitest'
import { masked } from '../../../src/attacks/spear/masked'
import { batch, distances } from './batches'

const [SAMPLES, INPUTS, UNITS, DEVIATION] = [4, 20, 150, 2e-3]

/** z > 0 of each row and unit. */
function onIn(rows: Float64Array, { weight, bias }: { weight: ArrayLike<number>; bias: ArrayLike<number> }): boolean[] {
  return Array.from({ length: SAMPLES * UNITS }, (_, at) => {
    const [s, j] = [Math.floor(at / UNITS), at % UNITS]
    const row = rows.subarray(s * INPUTS, (s + 1) * INPUTS)
    return row.reduce((z, x, i) => z + x * weight[i * UNITS + j], bias[j]) > 0
  })
}

it('rows that noise moves across a kink are put back on the side that their ∂z shows', () => {
  let crossed = 0
  for (let seed = 1; seed <= 25; seed++) {
    const { rows, layer } = batch(seed, { samples: SAMPLES, inputs: INPUTS, units: UNITS })
    const right = Float64Array.from(rows.flatMap((row) => [...row]))
    const noise = batch(seed + 1000, { samples: SAMPLES, inputs: INPUTS, units: 1 }).rows.flatMap((row) => [...row])
    const near = right.map((v, i) => v + DEVIATION * noise[i])
    const on = onIn(right, layer)
    const felt = Float64Array.from(on, (v) => (v ? 1 : 0))
    const moved = masked(near, felt, layer, new Array(SAMPLES).fill(DEVIATION))
    const wrong = onIn(near, layer).some((v, at) => v !== on[at])
    if (wrong) crossed++
    expect(moved !== undefined, `seed ${seed}`).toBe(wrong)
    if (!moved) continue
    expect(onIn(moved, layer)).toEqual(on)
    expect(onIn(Float64Array.from(Float32Array.from(moved)), layer)).toEqual(on)
    // no further off than the noise
    expect(Math.max(...distances(rows, moved))).toBeLessThan(3 * DEVIATION)
  }
  expect(crossed).toBeGreaterThan(5)
})

it('a row that is on the other side by more than its noise is left', () => {
  const { rows, layer } = batch(1, { samples: SAMPLES, inputs: INPUTS, units: UNITS })
  const right = Float64Array.from(rows.flatMap((row) => [...row]))
  const opposite = Float64Array.from(onIn(right, layer), (v) => (v ? 0 : 1))
  expect(masked(right, opposite, layer, new Array(SAMPLES).fill(1e-9))).toBeUndefined()
})
