import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import {
  classGradients,
  type GptModel,
  lora,
  nextTokenGradients,
  randomBert,
  randomGpt,
  randomLora,
  type TextModel,
} from '../../src/text'
import { leavesNoTensors } from '../tensors'

leavesNoTensors()

const SIZES = { vocabularySize: 40, hidden: 16, heads: 2, positions: 8, std: 0.2 }
const encoder = () => randomBert({ ...SIZES, intermediate: 32, classes: 3 })
const sentences = [
  [3, 11, 39, 4],
  [7, 7, 20, 1],
]

const close = (found: tf.Tensor, wanted: tf.Tensor) => {
  const scale = Math.max(...wanted.dataSync().map(Math.abs))
  expect(found.shape).toEqual(wanted.shape)
  const [a, b] = [found.dataSync(), wanted.dataSync()]
  for (const [i, v] of b.entries()) expect(Math.abs(a[i] - v)).toBeLessThan(1e-5 * scale)
}

/** ∂A = s Bᵀ ∂W and ∂B = s ∂W Aᵀ, with the gradient ∂W [out, in] of the merged model's own matrix. */
function chainRule<M extends TextModel | GptModel>(model: M, own: tf.NamedTensorMap, whole: tf.NamedTensorMap) {
  tf.tidy(() => {
    for (const { weight, a, b, scaling } of model.lora!.adapters) {
      const matrix = ('head' in model ? whole[weight] : tf.transpose(whole[weight])) as tf.Tensor2D
      const [A, B] = [model.weights[a], model.weights[b]] as tf.Tensor2D[]
      close(own[a], tf.mul(tf.matMul(B, matrix, true), scaling))
      close(own[b], tf.mul(tf.matMul(matrix, A, false, true), scaling))
    }
  })
}

describe('adapters', () => {
  it('of an encoder have the gradients of the chain rule, and its classifier its own', async () => {
    const base = encoder()
    const model = randomLora(base, { rank: 3, alpha: 6, trained: 0.1, targets: ['query', 'value', 'output.dense'] })
    expect(Object.keys(model.weights)).toHaveLength(2 * (2 + 2 + 2 * 2) + 2)
    const own = await classGradients(model, sentences, [2, 0])
    const whole = await classGradients(model.lora!.merged, sentences, [2, 0])
    expect(Object.keys(own)).toEqual(Object.keys(model.weights))
    chainRule(model, own, whole)
    close(own['base_model.model.classifier.weight'], whole['classifier.weight'])
    tf.dispose([own, whole])
    model.dispose()
    base.dispose()
  })

  it('of a decoder have the gradients of the chain rule', async () => {
    const base = randomGpt(SIZES)
    const model = randomLora(base, { rank: 2, alpha: 16, trained: 0.1, rankStabilized: true })
    expect(model.lora!.adapters.map(({ scaling }) => scaling)).toEqual([16 / Math.SQRT2, 16 / Math.SQRT2])
    const own = await nextTokenGradients(model, sentences)
    const whole = await nextTokenGradients(model.lora!.merged, sentences)
    chainRule(model, own, whole)
    tf.dispose([own, whole])
    model.dispose()
    base.dispose()
  })

  it('begin without an effect: the model is the base model, and A has no gradient', async () => {
    const base = encoder()
    const model = randomLora(base, { layers: [1] })
    const ids = tf.tensor2d(sentences)
    const [before, after] = [base, model].map((m) => {
      const client = m.overTokens(4)
      return tf.tidy(() => client.apply(ids, client.weights))
    })
    expect(after.dataSync()).toEqual(before.dataSync())
    const own = await classGradients(model, sentences, [2, 0])
    for (const { a, b } of model.lora!.adapters) {
      expect(a).toContain('.layer.1.')
      expect(own[a].dataSync().every((v) => v === 0)).toBe(true)
      expect(own[b].dataSync().some((v) => v !== 0)).toBe(true)
    }
    tf.dispose([before, after, ids, own])
    model.dispose()
    base.dispose()
  })

  it('are read by the names of a saved adapter and of a running one', () => {
    const base = encoder()
    for (const name of [
      'base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight',
      'base_model.model.encoder.layer.0.attention.self.query.lora_A.default.weight',
    ]) {
      const model = lora(
        base,
        {
          [name]: tf.ones([4, 16]),
          [name.replace('lora_A', 'lora_B')]: tf.ones([16, 4]),
          'base_model.model.classifier.modules_to_save.default.bias': tf.ones([3]),
        },
        { alpha: 2 },
      )
      const [adapter] = model.lora!.adapters
      expect(adapter).toMatchObject({ weight: 'encoder.layer.0.attention.self.query.weight', rank: 4, scaling: 0.5 })
      const { weights } = model.lora!.merged
      const difference = tf.tidy(() => tf.sub(weights[adapter.weight], base.weights[adapter.weight]).dataSync())
      for (const v of difference) expect(v).toBeCloseTo(2, 5)
      expect([...weights['classifier.bias'].dataSync()]).toEqual([1, 1, 1])
      model.dispose()
    }
    base.dispose()
  })

  it('that do not fit are refused by name', () => {
    const base = encoder()
    const at = 'base_model.model.encoder.layer.0.attention.self.query'
    const [a, b] = [tf.ones([4, 16]), tf.ones([16, 4])]
    const wrong: [tf.NamedTensorMap, RegExp][] = [
      [{}, /no adapter among the weights/],
      [{ [`${at}.lora_A.weight`]: a }, /no B/],
      [{ [`${at}.lora_A.weight`]: b, [`${at}.lora_B.weight`]: a }, /is \[16,4\]; the model needs \[16,16\]/],
      [{ [`${at}s.lora_A.weight`]: a, [`${at}s.lora_B.weight`]: b }, /there is no 'encoder.*querys.weight'/],
      [{ [`${at}.lora_magnitude_vector.weight`]: a }, /DoRA/],
    ]
    for (const [weights, words] of wrong)
      expect(() => lora(base, weights, { alpha: 8 })).toThrow(
        expect.objectContaining({ code: 'invalid-model', message: expect.stringMatching(words) }),
      )
    expect(() => randomLora(base, { targets: ['c_attn'] })).toThrow(/no matrix of the model/)
    for (const rank of [1e300, 2 ** 40])
      expect(() => randomLora(base, { rank })).toThrow(/^rank is .*; an adapter of .* must have at most \d+$/)
    const model = randomLora(base)
    expect(() => randomLora(model)).toThrow(/has adapters already/)
    tf.dispose([a, b])
    model.dispose()
    base.dispose()
  })
})
