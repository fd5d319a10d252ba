import * as tf from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import { DlgError } from '../../errors/dlg-error'
import { activations, dense, encode, layerNorm, withPlaces } from '../../models/bert'
import { POSITIONS, WORDS } from '../../models/bert-shapes'
import { withoutPeft } from '../../models/lora'
import type { TextModel } from '../../models/text-model'
import type { Explained, FirstBlock, Placed, Transformer } from '../dager/transformer'
import { lossGradients, targetOf } from '../dense/loss-gradients'
import { attendedBy } from './attended'
import { blockNumbers } from './block-numbers'
import { classGradients, padded } from './class-gradients'
import { explainByClasses, goOn, type Memory, memories } from './completions'
import { loraTransformer } from './lora-transformer'
import { firstInputs, gradientOf, lengthOf, tokensOf } from './shared-text'

/** An encoder with a classification head as exact recovery sees it. */
export function bertTransformer(model: TextModel): Transformer {
  const { config, head } = model
  if (head === 'mlm')
    throw new DlgError('invalid-model', "exact sequences need a classification head; for 'mlm' use deepLeakageFromText")
  if (config.layers < 2)
    throw new DlgError('invalid-model', 'the encoder has one block; exact recovery reads the gradients of two')
  if (model.lora) {
    const { merged } = model.lora
    const memory = memories()
    return loraTransformer(bertTransformer(merged), model, model.lora, {
      explain: (inputs, shared, between = goOn) =>
        explainClasses(model, merged, inputs, shared, memory(shared), between),
      share: (sequences, labels) => classGradients(model, sequences, labels ?? []),
    })
  }
  const memory = memories()
  return {
    name: `bert (${head})`,
    causal: false,
    hidden: config.hidden,
    tables: { words: WORDS, positions: POSITIONS, tied: false },
    named: model.named,
    firstInputs: () => firstInputs(model),
    projections: (block, shared) =>
      Promise.all(
        ['query', 'key', 'value'].map(async (part) => ({
          values: await gradientOf(shared, `encoder.layer.${block}.attention.self.${part}.weight`, config.hidden ** 2),
        })),
      ),
    positions: async (shared) => (Object.hasOwn(shared, POSITIONS) ? lengthOf(model, shared) : config.positions),
    allowed: (shared, tokens) => tokensOf(model, shared, tokens),
    inputs: (words, block) => encode(words, model.weights, { ...config, layers: block }),
    firstBlock: (candidates) => firstBlock(model, candidates),
    blockNumbers: (shared) => blockNumbers(model, shared),
    explain: (inputs, shared, between = goOn) => explainClasses(model, model, inputs, shared, memory(shared), between),
    share: (sequences, labels) => classGradients(model, sequences, labels ?? []),
  }
}

function firstBlock({ config, weights }: TextModel, candidates: readonly Placed[]): FirstBlock {
  const { heads, epsilon, positionOffset = 0 } = config
  const at = 'encoder.layer.0'
  const [x, query, key, value] = tf.tidy(() => {
    const words = tf.gather(
      weights[WORDS],
      tf.tensor1d(
        candidates.map((c) => c.token),
        'int32',
      ),
    )
    const places = tf.gather(
      weights[POSITIONS],
      tf.tensor1d(
        candidates.map((c) => c.position + positionOffset),
        'int32',
      ),
    )
    const summed = withPlaces(words, places, weights) as tf.Tensor2D
    const entry = layerNorm(summed, weights, 'embeddings.LayerNorm', epsilon)
    return [entry, ...['query', 'key', 'value'].map((part) => dense(entry, weights, `${at}.attention.self.${part}`))]
  })
  return {
    async secondInputs(trials, place) {
      const out = tf.tidy(() => {
        const mixed = dense(
          attendedBy({ query, key, value }, trials, place, heads),
          weights,
          `${at}.attention.output.dense`,
        )
        const own = tf.gather(
          x,
          tf.tensor1d(
            trials.map((trial) => trial[place]),
            'int32',
          ),
        )
        const after = layerNorm(tf.add(own, mixed), weights, `${at}.attention.output.LayerNorm`, epsilon)
        const wide = activations[config.activation](dense(after, weights, `${at}.intermediate.dense`))
        return layerNorm(
          tf.add(after, dense(wide, weights, `${at}.output.dense`)),
          weights,
          `${at}.output.LayerNorm`,
          epsilon,
        )
      })
      try {
        return (await out.data()) as Float32Array
      } finally {
        out.dispose()
      }
    },
    dispose: () => tf.dispose([x, query, key, value]),
  }
}

/**
 * The class of each sequence, from the gradient of the last layer and the features it reads of each.
 *
 * @param merged what the model computes, adapters included
 */
async function explainClasses(
  model: TextModel,
  merged: TextModel,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
  memory: Memory,
  between: () => Promise<void>,
): Promise<Explained> {
  const classifier = Object.keys(shared).find((name) => model.named(withoutPeft(name)) === 'classifier.weight')
  if (classifier === undefined) return explainByClasses(model, inputs, shared, memory, between)
  const { hidden } = model.config
  const { ids, mask } = padded(inputs)
  const client = merged.overPadded(ids.shape[1])
  // a classifier of the identity gives what it reads
  const features = tf.tidy(
    () =>
      client.apply(
        { ids, mask },
        { ...client.weights, 'classifier.weight': tf.eye(hidden), 'classifier.bias': tf.zeros([hidden]) },
      ) as tf.Tensor,
  )
  try {
    const data = (await features.data()) as Float32Array
    const rows = inputs.map((_, s) => data.subarray(s * hidden, (s + 1) * hidden))
    await between()
    const labels = lossGradients(await gradientOf(shared, classifier, model.classes * hidden), rows).map(targetOf)
    await between()
    return { sequences: inputs.map((s) => [...s]), labels, gradients: await classGradients(model, inputs, labels) }
  } finally {
    tf.dispose([ids, mask, features])
  }
}
