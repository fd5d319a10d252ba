import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { encoderShapes, headShapes } from '../../src/models/bert-shapes'
import {
  type BertConfig,
  bert,
  classGradients,
  type Head,
  parseBertConfig,
  randomBert,
  textGradients,
} from '../../src/text'
import { relativeError, uniform } from '../oracle'
import { leavesNoTensors } from '../tensors'

/** Logits, loss and gradients by PyTorch in float64; see make_fixture.py. */
const torch: Record<Head, { logits: number[]; loss: number; gradients: Record<string, number[]> }> = JSON.parse(
  readFileSync(new URL('bert.json', import.meta.url), 'utf8'),
)

const config: BertConfig = {
  vocabularySize: 11,
  hidden: 8,
  layers: 2,
  heads: 2,
  intermediate: 12,
  positions: 7,
  typeVocabulary: 2,
  epsilon: 1e-12,
  activation: 'gelu',
}
const IDS = [2, 5, 7, 5, 3]
const TARGETS = [
  { position: 1, token: 6 },
  { position: 3, token: 9 },
]

const letters = (name: string): number => [...name].reduce((sum, c) => sum + c.charCodeAt(0), 0)

function weights(head: Head): tf.NamedTensorMap {
  const shapes = [...encoderShapes(config), ...headShapes(config, head, 3)]
  return Object.fromEntries(
    shapes.map(([name, shape]) => {
      const values = uniform(tf.util.sizeFromShape([...shape]), -0.5, 0.5, letters(name))
      return [name, tf.tensor(Float32Array.from(values), [...shape])]
    }),
  )
}

leavesNoTensors()

describe.each<Head>(['mean', 'first', 'mlm'])('the %s head', (head) => {
  it('gives the logits of PyTorch', () => {
    const model = bert(config, weights(head), head)
    const logits = tf.tidy(() => {
      const client = model.overTokens(IDS.length)
      return client.apply(tf.tensor([IDS], [1, IDS.length]), client.weights).dataSync()
    })
    expect(relativeError(logits, torch[head].logits)).toBeLessThan(1e-5)
    const embedded = tf.tidy(() => {
      const inner = model.overEmbeddings(IDS.length)
      const words = tf.reshape(tf.gather(model.words, IDS), [1, IDS.length, config.hidden])
      return inner.apply(words, inner.weights).dataSync()
    })
    expect(relativeError(embedded, logits)).toBeLessThan(1e-6)
    model.dispose()
  })

  it.each(['reference', 'auto'] as const)("gives the client's gradient of PyTorch on %s", async (runtime) => {
    const model = bert(config, weights(head), head)
    const sample = head === 'mlm' ? { tokens: IDS, targets: TARGETS } : { tokens: IDS, label: 1 }
    const gradients = await textGradients(model, sample, { runtime })
    expect(Object.keys(gradients)).toEqual(Object.keys(torch[head].gradients))
    for (const [name, values] of Object.entries(torch[head].gradients))
      expect(relativeError(gradients[name].dataSync(), values, 1e-2), name).toBeLessThan(1e-4)
    tf.dispose(gradients)
    model.dispose()
  })
})

describe('weights', () => {
  it('may have the names of older files and of models with a head', () => {
    const renamed = Object.fromEntries(
      Object.entries(weights('mean')).map(([name, tensor]) => [
        name.startsWith('classifier')
          ? name
          : `bert.${name}`.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
        tensor,
      ]),
    )
    const model = bert(config, renamed)
    expect(Object.keys(model.weights)).toContain('embeddings.LayerNorm.weight')
    model.dispose()
  })

  it('that are missing or of another shape are named', () => {
    const all = weights('mean')
    const { 'encoder.layer.1.output.dense.bias': bias, ...rest } = all
    expect(() => bert(config, rest)).toThrow("the encoder has no weight 'encoder.layer.1.output.dense.bias' [8]")
    expect(() => bert({ ...config, positions: 9 }, all)).toThrow(
      "weight 'embeddings.position_embeddings.weight' is [7,8]; the encoder needs [9,8]",
    )
    expect(() => bert({ ...config, heads: 3 }, all)).toThrow('hidden size 8 does not split into 3 heads')
    tf.dispose(all)
    expect(bias.isDisposed).toBe(true)
  })

  it('are the same for the same seed', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => randomBert({ vocabularySize: 20, hidden: 8, heads: 2, layers: 1, seed }))
    expect(a.words.dataSync()).toEqual(b.words.dataSync())
    expect(a.words.dataSync()).not.toEqual(c.words.dataSync())
    for (const model of [a, b, c]) model.dispose()
  })
})

describe('config.json', () => {
  const file = {
    model_type: 'bert',
    hidden_act: 'gelu',
    vocab_size: 11,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 12,
    max_position_embeddings: 7,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
  }

  it('is read', () => {
    expect(parseBertConfig(JSON.stringify(file))).toEqual(config)
  })

  it.each([
    ['{', 'not JSON'],
    ['null', 'not an object'],
    [JSON.stringify({ ...file, model_type: 'gpt2' }), "of a 'gpt2'"],
    [JSON.stringify({ ...file, position_embedding_type: 'relative_key' }), 'relative_key positions'],
    [JSON.stringify({ ...file, hidden_act: 'silu' }), "hidden_act 'silu'"],
    [JSON.stringify({ ...file, hidden_size: undefined }), 'hidden of the encoder is undefined'],
  ])('%s is refused', (json, message) => {
    expect(() => parseBertConfig(json)).toThrow(expect.objectContaining({ code: 'invalid-file' }))
    expect(() => parseBertConfig(json)).toThrow(message)
  })
})

describe('padding', () => {
  it.each(['mean', 'first'] as const)(
    'changes nothing for the %s head: a batch is the mean of its sentences',
    async (head) => {
      const model = bert(config, weights(head), head)
      const sentences = [
        [2, 5, 7, 5, 3],
        [2, 9, 3],
        [2, 6, 4, 3],
      ]
      const labels = [0, 2, 1]
      const batch = await classGradients(model, sentences, labels, { runtime: 'reference' })
      const alone: tf.NamedTensorMap[] = []
      for (const [i, tokens] of sentences.entries())
        alone.push(await textGradients(model, { tokens, label: labels[i] }, { runtime: 'reference' }))
      for (const [name, gradient] of Object.entries(batch)) {
        const mean = tf.tidy(() => tf.div(tf.addN(alone.map((own) => own[name])), 3).dataSync())
        expect(relativeError(gradient.dataSync(), mean)).toBeLessThan(1e-5)
      }
      tf.dispose([batch, alone])
      model.dispose()
    },
  )

  it('is refused where it has no meaning', async () => {
    const [masked, mean] = [bert(config, weights('mlm'), 'mlm'), bert(config, weights('mean'), 'mean')]
    await expect(classGradients(masked, [[2, 3]], [0])).rejects.toThrow("the head 'mlm' has no classes")
    await expect(classGradients(mean, [], [])).rejects.toThrow('there is no sentence')
    await expect(classGradients(mean, [[2, 99]], [0])).rejects.toThrow('token 99 is not in the vocabulary of 11')
    await expect(classGradients(mean, [[2, 3], []], [0, 1])).rejects.toThrow('sentence 1 has 0 tokens')
    await expect(classGradients(mean, [[2, 3]], [0, 1])).rejects.toThrow('2 labels for 1 sentence')
    for (const model of [masked, mean]) model.dispose()
  })
})
