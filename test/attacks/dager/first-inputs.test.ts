import { describe, expect, it } from 'vitest'
import { type FirstInputs, firstInput, spanCandidates } from '../../../src/attacks/dager/first-inputs'
import { noisySpectrum } from '../../../src/attacks/dager/ranks'
import { spanOf } from '../../../src/attacks/dager/span'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { uniform } from '../../oracle'

const [WIDTH, WORDS, PLACES] = [64, 400, 10]

const inputs: FirstInputs = {
  words: { data: uniform(WORDS * WIDTH, -1, 1, 1), width: WIDTH },
  positions: { data: uniform(PLACES * WIDTH, -1, 1, 2), width: WIDTH },
  gamma: uniform(WIDTH, 0.5, 1.5, 3),
  beta: uniform(WIDTH, -0.2, 0.2, 4),
  epsilon: 1e-5,
}

/** Tokens that the span of a noisy gradient leaves at each position of a sentence. */
function candidatesOf(sentence: readonly number[], noise: number, seed: number): number[][] {
  const { normal } = random(seed)
  const read = sentence.map((token, at) => firstInput(inputs, token, at))
  const rows = Array.from({ length: 3 * WIDTH }, () => {
    const row = Float64Array.from({ length: WIDTH }, () => noise * Math.sqrt(sentence.length) * normal())
    for (const u of read) {
      const part = normal()
      for (let j = 0; j < WIDTH; j++) row[j] += part * u[j]
    }
    return row
  })
  const gradient = Float64Array.from(rows.flatMap((row) => [...row]))
  const span = spanOf(atOnce(noisySpectrum([gradient], WIDTH)), sentence.length)
  return atOnce(spanCandidates(inputs, span, PLACES, 1e-3)).map((list) => list.map(({ token }) => token))
}

describe('the tokens that the span of a gradient leaves', () => {
  for (const noise of [0, 1e-5, 1e-3, 1e-2])
    it(`are those that were read, behind noise of ${noise}, for any sentence`, () => {
      const seeds = Array.from({ length: 30 }, (_, seed) => seed + 1)
      const sentences = seeds.map((seed) => Array.from(uniform(8, 0, WORDS, seed), Math.floor))
      expect(sentences.map((sentence, i) => candidatesOf(sentence, noise, seeds[i]))).toEqual(
        sentences.map((sentence) => sentence.map((token) => [token])),
      )
    })
})
