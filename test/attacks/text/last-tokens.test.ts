import '@tensorflow/tfjs-backend-cpu'
import { describe, expect, test } from 'vitest'
import { lastTokens } from '../../../src/attacks/text/last-tokens'
import { namedGradients } from '../../../src/client/shared/read-gradients'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { nextTokenGradients, randomGpt, transformerOf } from '../../../src/text'

const [VOCABULARY, WIDTH] = [1000, 64]

/** Sequences whose features have most in common, and what their last predictions leave in the gradients of a norm. */
function batch(count: number, seed: number) {
  const { normal, uniform } = random(seed)
  const data = Float32Array.from({ length: VOCABULARY * WIDTH }, () => 0.02 * normal())
  const common = Float64Array.from({ length: WIDTH }, normal)
  const endings = Array.from({ length: count }, () => ({
    weight: 1 / 100,
    normalised: common.map((v) => 0.8 * v + 0.6 * normal()),
  }))
  const tokens = endings.map(() => Math.floor(VOCABULARY * uniform()))
  const rest = [false, true].map((scaled) =>
    Float64Array.from({ length: WIDTH }, (_, j) =>
      endings.reduce(
        (sum, { weight, normalised }, s) => sum - weight * data[tokens[s] * WIDTH + j] * (scaled ? normalised[j] : 1),
        0,
      ),
    ),
  )
  return { table: { data, width: WIDTH }, endings, tokens, rest }
}

describe('last tokens', () => {
  const { table, endings, tokens, rest } = batch(8, 3)
  const [a, b, c, ...others] = tokens

  test.each([
    ['that begin right stay', [a, b, c, ...others]],
    ['of which two stand in each other’s place', [b, a, c, ...others]],
    ['of which three stand in each other’s place', [b, c, a, ...others]],
    ['of which three do, the other way round', [c, a, b, ...others]],
    ['of which one is another', [a, b, c, ...others.with(2, 7)]],
  ])('%s are found', (_, likely) => {
    expect(atOnce(lastTokens(table, endings, rest, likely))).toEqual(tokens)
  })

  test('are found behind a norm without a shift', () => {
    expect(atOnce(lastTokens(table, endings, [undefined, rest[1]], [b, c, a, ...others]))).toEqual(tokens)
  })

  test('may be one token for two sequences', () => {
    const twice = [a, a, ...tokens.slice(2)]
    const own = rest.map((values, k) =>
      values.map((v, j) => {
        const { weight, normalised } = endings[1]
        return v + weight * (table.data[b * WIDTH + j] - table.data[a * WIDTH + j]) * (k === 1 ? normalised[j] : 1)
      }),
    )
    expect(atOnce(lastTokens(table, endings, own, [c, a, a, ...others]))).toEqual(twice)
  })

  // tokens are read in other sentences too: their rows of the word table have the gradient of embeddings besides
  test.each([1, 5, 7, 8, 9])(
    'of six sentences of a decoder whose word table is the output matrix, draw %i',
    async (seed) => {
      const { uniform } = random(seed)
      const below = (n: number) => Math.floor(n * uniform())
      const sentences = Array.from({ length: 6 }, () => Array.from({ length: 6 + below(3) }, () => below(300)))
      const model = randomGpt({ vocabularySize: 300, hidden: 48, heads: 4, positions: 16, seed })
      const shared = namedGradients(await nextTokenGradients(model, sentences))
      const inputs = sentences.map((sentence) => sentence.slice(0, -1))
      const found = await transformerOf(model).explain(inputs, shared, async () => {})
      expect(found.sequences).toEqual(sentences)
    },
  )
})
