import { describe, expect, it } from 'vitest'
import { type FirstInputs, firstInput } from '../../../src/attacks/dager/first-inputs'
import { noiseOutside, pursued, rowDirections } from '../../../src/attacks/dager/pursuit'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { uniform } from '../../oracle'

const [WIDTH, WORDS, PLACES] = [48, 400, 10]

const inputs: FirstInputs = {
  words: { data: uniform(WORDS * WIDTH, -1, 1, 1), width: WIDTH },
  positions: { data: uniform(PLACES * WIDTH, -1, 1, 2), width: WIDTH },
  gamma: uniform(WIDTH, 0.5, 1.5, 3),
  beta: uniform(WIDTH, -0.2, 0.2, 4),
  epsilon: 1e-5,
}

/** Rows that are random combinations of the inputs of some tokens, with noise. */
function rowsOf(sentences: readonly (readonly number[])[], count: number, noise: number): Float64Array {
  const { normal } = random(5)
  const read = sentences.flatMap((sentence) => sentence.map((token, at) => firstInput(inputs, token, at)))
  const rows = new Float64Array(count * WIDTH).map(() => noise * normal())
  for (let r = 0; r < count; r++)
    for (const u of read) {
      const part = normal()
      for (let j = 0; j < WIDTH; j++) rows[r * WIDTH + j] += part * u[j]
    }
  return rows
}

const sentence = [7, 399, 0, 120, 33, 250, 251, 64]
const picked = (values: Float64Array, among = inputs, allowed?: readonly number[]) => {
  const { directions } = atOnce(rowDirections([{ values }], WIDTH, { isUpdate: false }))
  return atOnce(pursued(among, directions, PLACES, allowed))
}
const names = (placed: readonly { token: number; position: number }[]) =>
  placed.map(({ token, position }) => `${token} at ${position}`).sort()
const expected = (sentences: readonly (readonly number[])[]) =>
  sentences.flatMap((own) => own.map((token, at) => `${token} at ${at}`)).sort()

describe('tokens picked one by one', () => {
  it.each([
    ['as many rows as tokens', 8, 0],
    ['half as many rows as tokens', 4, 0],
    ['half as many rows as tokens, with noise', 4, 0.1],
    ['more rows than tokens, with noise', 16, 0.1],
  ])('of %s', (_, rows, noise) => {
    expect(names(picked(rowsOf([sentence], rows, noise)).picks)).toEqual(expected([sentence]))
  })

  it('of two sentences', () => {
    const both = [sentence, [5, 6, 9, 10, 11, 12]]
    expect(names(picked(rowsOf(both, 10, 0.01)).picks)).toEqual(expected(both))
  })

  it('among the tokens that are allowed', () => {
    const allowed = sentence.toSorted((a, b) => a - b)
    expect(names(picked(rowsOf([sentence], 4, 0.1), inputs, allowed).picks)).toEqual([])
    const many = Array.from({ length: 200 }, (_, i) => 2 * i).concat([7, 399, 33, 251])
    expect(names(picked(rowsOf([sentence], 4, 0.1), inputs, many).picks)).toEqual(expected([sentence]))
  })

  it('none of noise alone', () => {
    expect(picked(rowsOf([], 6, 1)).picks).toEqual([])
  })

  it('none of nothing', () => {
    expect(
      atOnce(rowDirections([{ values: new Float64Array(3 * WIDTH) }], WIDTH, { isUpdate: true })).directions,
    ).toEqual([])
  })

  it('show the noise outside their span', () => {
    const placed = sentence.map((token, position) => ({ token, position }))
    const clean = rowsOf([sentence], 40, 0)
    const { normal } = random(8)
    const unit = Math.sqrt(clean.reduce((sum, v) => sum + v * v, 0) / clean.length)
    const values = clean.map((v) => v + 0.03 * unit * normal())
    const [exact, noisy] = atOnce(noiseOutside([{ values: clean }, { values }], inputs, placed))
    expect(exact).toBeLessThan(1e-12)
    expect(noisy).toBeGreaterThan(0.027)
    expect(noisy).toBeLessThan(0.033)
  })
})
