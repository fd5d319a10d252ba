import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { gptShapes } from '../../src/models/gpt-shapes'
import { type GptConfig, type GptModel, gpt, nextTokenGradients, randomGpt } from '../../src/text'
import { finiteDifference, relativeError, uniform } from '../oracle'

const config: GptConfig = {
  ...{ vocabularySize: 9, hidden: 6, layers: 2, heads: 2, intermediate: 8, positions: 5, epsilon: 1e-5 },
}
const SENTENCES = [
  [3, 7, 1, 7, 2],
  [8, 0, 4],
]
type Weights = Record<string, Float64Array>

const values: Weights = Object.fromEntries(
  gptShapes(config).map(([name, shape], i) => [
    name,
    Float64Array.from(
      uniform(
        shape.reduce((a, b) => a * b),
        -0.5,
        0.5,
        i + 1,
      ),
      Math.fround,
    ),
  ]),
)
const build = (): GptModel =>
  gpt(
    config,
    Object.fromEntries(gptShapes(config).map(([n, shape]) => [n, tf.tensor(Float32Array.from(values[n]), [...shape])])),
  )

/** GPT-2 token by token in float64, written from the paper's equations: one row at a time, no masks. */
function logitsOf(tokens: readonly number[], w: Weights): number[][] {
  const { hidden, heads, layers, epsilon, vocabularySize } = config
  const size = hidden / heads
  const norm = (x: number[], name: string): number[] => {
    const mean = x.reduce((a, b) => a + b) / x.length
    const deviation = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length + epsilon)
    return x.map((v, j) => ((v - mean) / deviation) * w[`${name}.weight`][j] + w[`${name}.bias`][j])
  }
  const dense = (x: number[], name: string): number[] => {
    const bias = w[`${name}.bias`]
    return Array.from(bias, (b, o) => x.reduce((sum, v, i) => sum + v * w[`${name}.weight`][i * bias.length + o], b))
  }
  const gelu = (v: number): number => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0)
  const add = (a: number[], b: number[]): number[] => a.map((v, i) => v + b[i])
  const row = (name: string, i: number): number[] => [...w[name].subarray(i * hidden, (i + 1) * hidden)]
  let x = tokens.map((token, t) => add(row('wte.weight', token), row('wpe.weight', t)))
  for (let l = 0; l < layers; l++) {
    const projected = x.map((v) => dense(norm(v, `h.${l}.ln_1`), `h.${l}.attn.c_attn`))
    const mixed = x.map((_, t) =>
      Array.from({ length: heads }, (_, h) => {
        const part = (s: number, k: number) => projected[s].slice(k * hidden + h * size, k * hidden + (h + 1) * size)
        const powers = x.slice(0, t + 1).map((_, s) => Math.exp(dot(part(t, 0), part(s, 1)) / Math.sqrt(size)))
        const total = powers.reduce((a, b) => a + b)
        return part(t, 0).map((_, j) => powers.reduce((sum, p, s) => sum + (p / total) * part(s, 2)[j], 0))
      }).flat(),
    )
    x = x.map((v, t) => add(v, dense(mixed[t], `h.${l}.attn.c_proj`)))
    x = x.map((v) => add(v, dense(dense(norm(v, `h.${l}.ln_2`), `h.${l}.mlp.c_fc`).map(gelu), `h.${l}.mlp.c_proj`)))
  }
  return x.map((v) => {
    const last = norm(v, 'ln_f')
    return Array.from({ length: vocabularySize }, (_, token) => dot(last, row('wte.weight', token)))
  })
}

/** Mean over sentences of the mean cross-entropy of their next tokens. */
/** The mean over all predictions of the batch. */
function loss(w: Weights): number {
  const losses = SENTENCES.flatMap((sentence) =>
    logitsOf(sentence.slice(0, -1), w).map(
      (z, t) => Math.log(z.reduce((a, b) => a + Math.exp(b), 0)) - z[sentence[t + 1]],
    ),
  )
  return losses.reduce((a, b) => a + b) / losses.length
}

beforeAll(async () => {
  await tf.setBackend('cpu')
})

describe('a decoder', () => {
  it('gives the logits of the equations', () => {
    const model = build()
    const [inputs] = SENTENCES
    const client = model.overTokens(inputs.length)
    const logits = tf.tidy(() => client.apply(tf.tensor2d([inputs]), client.weights).dataSync())
    expect(relativeError(logits, logitsOf(inputs, values).flat())).toBeLessThan(1e-5)
    model.dispose()
  })

  it('shares the gradient of the loss of every next token, shorter sentences included', async () => {
    const model = build()
    const gradients = await nextTokenGradients(model, SENTENCES, { runtime: 'reference' })
    expect(Object.keys(gradients)).toEqual(gptShapes(config).map(([name]) => name))
    for (const [name, found] of Object.entries(gradients)) {
      const numeric = await finiteDifference(async (x) => loss({ ...values, [name]: x }), values[name])
      expect(relativeError(found.dataSync(), numeric), name).toBeLessThan(1e-5)
    }
    tf.dispose(gradients)
    model.dispose()
  })

  it('has the same random weights for the same seed', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => randomGpt({ vocabularySize: 20, hidden: 8, heads: 2, layers: 1, seed }))
    expect(a.words.dataSync()).toEqual(b.words.dataSync())
    expect(a.words.dataSync()).not.toEqual(c.words.dataSync())
    for (const model of [a, b, c]) model.dispose()
  })
})

describe('wrong input is refused', () => {
  it('of a model', () => {
    const all = Object.fromEntries(gptShapes(config).map(([name, shape]) => [name, tf.zeros([...shape])]))
    const { 'h.1.mlp.c_fc.bias': bias, ...rest } = all
    expect(() => gpt(config, rest)).toThrow("the decoder has no weight 'h.1.mlp.c_fc.bias' [8]")
    expect(() => gpt({ ...config, positions: 6 }, all)).toThrow("weight 'wpe.weight' is [5,6]; the decoder needs [6,6]")
    expect(() => gpt({ ...config, heads: 4 }, all)).toThrow('hidden size 6 does not split into 4 heads')
    expect(() => gpt({ ...config, layers: 0 }, all)).toThrow('layers of the decoder is 0')
    tf.dispose([all, bias])
  })

  it.each([
    [[], 'there is no sentence'],
    [[[1]], 'a sentence has 1 token; it must have 2 to 6'],
    [[[1, 2, 3, 4, 5, 6, 7]], 'a sentence has 7 tokens'],
    [[[1, 9]], 'token 9 is not in the vocabulary of 9'],
  ])('of a client: %j', async (sentences, message) => {
    const model = build()
    await expect(nextTokenGradients(model, sentences)).rejects.toThrow(message)
    model.dispose()
  })
})
