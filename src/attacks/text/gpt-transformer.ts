import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import { layerNorm } from '../../models/bert'
import { decode, decodeWords, feedForward, type GptModel, project } from '../../models/gpt'
import { outputOf, PLACES, TOKENS } from '../../models/gpt-shapes'
import { transposed } from '../../numbers/norms'
import type { FirstBlock, Placed, Transformer } from '../dager/transformer'
import { sequenceLength, tokenSet } from '../tokens/token-set'
import { attendedBy } from './attended'
import { explainByLogits, goOn, memories } from './completions'
import { explainNextTokens, type NextTokenHead, neededBy } from './gpt-targets'
import { loraTransformer } from './lora-transformer'
import { nextTokenGradients } from './next-token'
import { gradientOf } from './shared-text'

const values = async (tensor: tf.Tensor): Promise<Float32Array> => (await tensor.data()) as Float32Array

/** A decoder as exact recovery sees it. */
export function gptTransformer(model: GptModel): Transformer {
  const { config, weights } = model
  const { hidden, epsilon } = config
  if (config.layers < 2)
    throw new DlgError('invalid-model', 'the decoder has one block; exact recovery reads the gradients of two')
  const memory = memories()
  if (model.lora)
    return loraTransformer(gptTransformer(model.lora.merged), model, model.lora, {
      explain: (inputs, shared, between = goOn) => explainByLogits(model, inputs, shared, memory(shared), between),
      share: (sequences) => nextTokenGradients(model, sequences),
    })
  const { tied = true } = config
  const head: NextTokenHead = {
    ...{ output: outputOf(config), tied, gamma: 'ln_f.weight', beta: 'ln_f.bias' },
    features: (ids) => decode(ids, weights, config),
  }
  return {
    name: 'gpt',
    causal: true,
    hidden,
    tables: { words: TOKENS, positions: PLACES, tied },
    named: model.named,
    async firstInputs() {
      return {
        words: { data: await values(weights[TOKENS]), width: hidden },
        positions: { data: await values(weights[PLACES]), width: hidden },
        gamma: await values(weights['h.0.ln_1.weight']),
        beta: await values(weights['h.0.ln_1.bias']),
        epsilon,
      }
    },
    async projections(block, shared) {
      const gradient = await gradientOf(shared, `h.${block}.attn.c_attn.weight`, 3 * hidden ** 2)
      // [hidden, 3 hidden] of GPT-2's files: its columns are the rows of queries, keys and values
      const rows = transposed(gradient, hidden, 3 * hidden)
      return [0, 1, 2].map((part) => ({ values: rows.subarray(part * hidden ** 2, (part + 1) * hidden ** 2) }))
    },
    positions: async (shared) =>
      Object.hasOwn(shared, PLACES)
        ? sequenceLength({ data: await gradientOf(shared, PLACES, config.positions * hidden), width: hidden })
        : config.positions,
    // where the table is the output matrix too, every row has a gradient
    allowed: async (shared) =>
      !tied && Object.hasOwn(shared, TOKENS)
        ? tokenSet({ data: await gradientOf(shared, TOKENS, config.vocabularySize * hidden), width: hidden })
        : undefined,
    inputs(words, block) {
      if (block === 2) return decodeWords(words, weights, config)
      // the last layer norm is that of the block: its projections read what it gives
      const norm = { 'ln_f.weight': weights[`h.${block}.ln_1.weight`], 'ln_f.bias': weights[`h.${block}.ln_1.bias`] }
      return decodeWords(words, { ...weights, ...norm }, { ...config, layers: block })
    },
    firstBlock: (candidates) => firstBlock(model, candidates),
    explain: (inputs, shared, between = goOn) =>
      neededBy(head).every((name) => Object.hasOwn(shared, name))
        ? explainNextTokens(model, head, inputs, shared, between)
        : explainByLogits(model, inputs, shared, memory(shared), between),
    share: (sequences) => nextTokenGradients(model, sequences),
  }
}

function firstBlock({ config, weights }: GptModel, candidates: readonly Placed[]): FirstBlock {
  const { heads, epsilon } = config
  const [x, ...parts] = tf.tidy(() => {
    const words = tf.gather(
      weights[TOKENS],
      tf.tensor1d(
        candidates.map((c) => c.token),
        'int32',
      ),
    )
    const places = tf.gather(
      weights[PLACES],
      tf.tensor1d(
        candidates.map((c) => c.position),
        'int32',
      ),
    )
    const entry = tf.add(words, places) as tf.Tensor2D
    const projected = project(layerNorm(entry, weights, 'h.0.ln_1', epsilon), weights, 'h.0.attn.c_attn')
    return [entry, ...tf.split(projected, 3, 1)] as tf.Tensor2D[]
  })
  return {
    async secondInputs(trials, at) {
      const out = tf.tidy(() => {
        const mixed = attendedBy({ query: parts[0], key: parts[1], value: parts[2] }, trials, at, heads)
        const own = tf.gather(
          x,
          tf.tensor1d(
            trials.map((trial) => trial[at]),
            'int32',
          ),
        )
        const after = tf.add(own, project(mixed, weights, 'h.0.attn.c_proj')) as tf.Tensor2D
        return layerNorm(feedForward(after, weights, 'h.0', config), weights, 'h.1.ln_1', epsilon)
      })
      try {
        return await values(out)
      } finally {
        out.dispose()
      }
    },
    dispose: () => tf.dispose([x, ...parts]),
  }
}
