import { describe, expect, it } from 'vitest'
import { type FirstInputs, firstInput } from '../../../src/attacks/dager/first-inputs'
import { missingTokens } from '../../../src/attacks/dager/missing'
import { signalsOf } from '../../../src/attacks/dager/signals'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'

describe('missingTokens', () => {
  const [width, length, vocabulary] = [64, 5, 400]
  const { normal } = random(8)
  const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, normal)
  const first: FirstInputs = {
    words: { data: numbers(vocabulary * width), width },
    positions: { data: numbers(length * width), width },
    gamma: new Float32Array(width).fill(1),
    beta: new Float32Array(width),
    epsilon: 1e-12,
  }
  const sentences = [
    [11, 22, 33, 44, 55],
    [66, 77, 88, 99, 110],
    [121, 132, 143, 154, 165],
  ]
  const placed = sentences.flatMap((tokens, s) => tokens.map((token, position) => ({ s, token, position })))
  const centres = sentences.map(() => Float64Array.from({ length: 32 }, normal))

  /** What a client shares, with noise of a part of its root mean square: Σ_t ∂y_t u_tᵀ. */
  function shared(noise: number): Float64Array {
    const out = new Float64Array(32 * width)
    for (const { s, token, position } of placed) {
      const u = firstInput(first, token, position)
      for (let r = 0; r < 32; r++) {
        const sent = centres[s][r] + 0.3 * normal()
        for (let j = 0; j < width; j++) out[r * width + j] += sent * u[j]
      }
    }
    const size = noise * Math.sqrt(out.reduce((sum, v) => sum + v * v, 0) / out.length)
    return out.map((v) => v + size * normal())
  }

  function found(hidden: readonly (readonly [sentence: number, position: number])[], noise: number) {
    const isHidden = (s: number, p: number) => hidden.some(([t, q]) => t === s && q === p)
    const known = placed.filter(({ s, position }) => !isHidden(s, position))
    const inputs = known.map(({ token, position }) => firstInput(first, token, position))
    const heard = atOnce(signalsOf([{ values: shared(noise) }], inputs))
    const slots = hidden.map(([sentence, position]) => ({
      sentence,
      position,
      own: [...known.keys()].filter((i) => known[i].s === sentence),
    }))
    return atOnce(missingTokens(heard, inputs, slots, first, undefined))
  }

  it.each([0, 0.01, 0.1])('finds one of each of two sentences, in noise of %f', (noise) => {
    expect(
      found(
        [
          [0, 2],
          [2, 4],
        ],
        noise,
      ),
    ).toEqual(
      expect.arrayContaining([
        { token: 33, position: 2 },
        { token: 165, position: 4 },
      ]),
    )
  })

  it('gives two of one sentence at both positions, as their order hardly shows', () => {
    const all = found(
      [
        [1, 0],
        [1, 3],
      ],
      0.01,
    )
    expect(all).toHaveLength(4)
    for (const token of [66, 99]) for (const position of [0, 3]) expect(all).toContainEqual({ token, position })
  })

  it('finds nothing where a sentence has ended', () => {
    const inputs = placed.map(({ token, position }) => firstInput(first, token, position))
    const heard = atOnce(signalsOf([{ values: shared(0.01) }], inputs))
    const own = [...placed.keys()].filter((i) => placed[i].s === 0)
    expect(atOnce(missingTokens(heard, inputs, [{ sentence: 0, own, position: 1 }], first, undefined))).toEqual([])
  })
})
