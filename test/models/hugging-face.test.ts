import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { classGradients, fromPretrained, nextTokenGradients, textGradients } from '../../src/text'
import { relativeError, uniform } from '../oracle'
import { leavesNoTensors } from '../tensors'

/** Models of every family by transformers, in float64; see make_hugging_face.py. */
const made: {
  sentences: number[][]
  labels: number[]
  targets: { position: number; token: number }[]
  models: Record<
    string,
    {
      config: object
      shapes: Record<string, number[]>
      logits: number[]
      gradients: Record<string, number[]>
    }
  >
} = JSON.parse(readFileSync(new URL('hugging-face.json', import.meta.url), 'utf8'))
const { sentences, labels, targets, models } = made

const letters = (name: string): number => [...name].reduce((sum, c) => sum + c.charCodeAt(0), 0)
const weightsOf = (shapes: Record<string, readonly number[]>) =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from(uniform(tf.util.sizeFromShape([...shape]), -0.5, 0.5, letters(name))) },
    ]),
  )
const load = (name: string) => fromPretrained(JSON.stringify(models[name].config), weightsOf(models[name].shapes))

leavesNoTensors()

describe.each(Object.keys(models))('%s, as transformers computes it', (name) => {
  const { logits, gradients } = models[name]

  it('has its logits', () => {
    const model = load(name)
    const found = tf.tidy(() => {
      const client = model.overTokens(sentences[0].length)
      return client.apply(tf.tensor2d([sentences[0]]), client.weights).dataSync()
    })
    expect(relativeError(found, logits)).toBeLessThan(1e-5)
    model.dispose()
  })

  it('has its gradient, under names that it knows', async () => {
    const model = load(name)
    const options = { runtime: 'reference' } as const
    const found = !('head' in model)
      ? await nextTokenGradients(model, sentences, options)
      : model.head === 'mlm'
        ? await textGradients(model, { tokens: sentences[0], targets }, options)
        : await classGradients(model, sentences, labels, options)
    expect(Object.keys(gradients).map(model.named).sort()).toEqual(Object.keys(found).sort())
    for (const [theirs, values] of Object.entries(gradients))
      expect(relativeError(found[model.named(theirs)].dataSync(), values, 1e-2), theirs).toBeLessThan(1e-5)
    tf.dispose(found)
    model.dispose()
  })
})

describe('what transformers would compute otherwise is refused', () => {
  const refusal = (message: RegExp) =>
    expect.objectContaining({ name: 'DlgError', code: 'invalid-file', message: expect.stringMatching(message) })

  it.each(Object.keys(models))('%s whose weights are packed in few bits', (name) => {
    const { config, shapes } = models[name]
    const packed = JSON.stringify({
      ...config,
      quantization_config: { quant_method: 'bitsandbytes', load_in_8bit: true },
    })
    expect(() => fromPretrained(packed, weightsOf(shapes))).toThrow(
      refusal(/has quantization_config, quant_method .* in few bits/),
    )
    const weights = weightsOf(shapes)
    const [first, { shape }] = [...weights][3]
    const whole = { shape, data: new Float32Array(tf.util.sizeFromShape([...shape])).fill(3), dtype: 'int8' as const }
    weights.set(first, whole)
    expect(() => fromPretrained(JSON.stringify(config), weights)).toThrow(refusal(/is of int8, packed in few bits/))
  })

  it.each([
    ['gpt2', 'GPT2ForSequenceClassification'],
    ['gpt2', 'GPT2DoubleHeadsModel'],
    ['llama', 'LlamaForTokenClassification'],
    ['llama', 'LlamaForQuestionAnswering'],
  ])('a %s that is a %s', (name, architecture) => {
    const { config, shapes } = models[name]
    const other = JSON.stringify({ ...config, architectures: [architecture] })
    expect(() => fromPretrained(other, weightsOf(shapes))).toThrow(refusal(new RegExp(`is of a '${architecture}'`)))
  })
})
