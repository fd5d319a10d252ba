import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import { outputOf } from '../../models/gpt-shapes'
import { gated, type LlamaModel, llamaFeatures, multiplied, rmsNorm, turned, turns } from '../../models/llama'
import { LLAMA_NORM, LLAMA_TOKENS } from '../../models/llama-shapes'
import type { FirstBlock, Placed, Transformer } from '../dager/transformer'
import { tokenSet } from '../tokens/token-set'
import { explainByLogits, goOn, memories } from './completions'
import { explainNextTokens, type NextTokenHead, neededBy } from './gpt-targets'
import { nextTokenGradients } from './next-token'
import { gradientOf } from './shared-text'

const values = async (tensor: tf.Tensor): Promise<Float32Array> => (await tensor.data()) as Float32Array

/**
 * A LLaMA as exact recovery sees it. Its first block's input is RMS(E_v), whatever the position: the first span shows which tokens
 * there are. Positions turn the queries and keys, so the second span shows their order.
 */
export function llamaTransformer(model: LlamaModel): Transformer {
  const { config, weights } = model
  const { hidden, epsilon, tied } = config
  if (config.layers < 2)
    throw new DlgError('invalid-model', 'the decoder has one block; exact recovery reads the gradients of two')
  const memory = memories()
  const head: NextTokenHead = {
    ...{ output: outputOf(config, LLAMA_TOKENS), tied, gamma: LLAMA_NORM },
    features: (ids) => llamaFeatures(ids, weights, config),
  }
  return {
    name: 'llama',
    causal: true,
    hidden,
    named: model.named,
    async firstInputs() {
      return {
        words: { data: await values(weights[LLAMA_TOKENS]), width: hidden },
        gamma: await values(weights['layers.0.input_layernorm.weight']),
        beta: new Float32Array(hidden),
        epsilon,
        norm: 'rms',
      }
    },
    projections: (block, shared) =>
      Promise.all(
        ['q_proj', 'k_proj', 'v_proj'].map(async (part) => {
          const name = `layers.${block}.self_attn.${part}.weight`
          return { values: await gradientOf(shared, name, weights[name].size) }
        }),
      ),
    positions: async () => config.positions,
    // where the table is the output matrix too, every row has a gradient
    allowed: async (shared) =>
      !tied && Object.hasOwn(shared, LLAMA_TOKENS)
        ? tokenSet({ data: await gradientOf(shared, LLAMA_TOKENS, weights[LLAMA_TOKENS].size), width: hidden })
        : undefined,
    firstBlock: (candidates) => firstBlock(model, candidates),
    explain: (inputs, shared, between = goOn) =>
      neededBy(head).every((name) => Object.hasOwn(shared, name))
        ? explainNextTokens(model, head, inputs, shared, between)
        : explainByLogits(model, inputs, shared, memory(shared), between),
    share: (sequences) => nextTokenGradients(model, sequences),
  }
}

/** Queries, keys and values depend on the token alone, and are turned where a sequence puts them. */
function firstBlock({ config, weights }: LlamaModel, candidates: readonly Placed[]): FirstBlock {
  const { heads, keyHeads, headSize, epsilon } = config
  const at = 'layers.0'
  const tokens = [...new Set(candidates.map(({ token }) => token))]
  const rows = new Map(tokens.map((token, i) => [token, i]))
  const rowOf = candidates.map(({ token }) => rows.get(token)!)
  const [x, query, key, value] = tf.tidy(() => {
    const words = tf.gather(weights[LLAMA_TOKENS], tf.tensor1d(tokens, 'int32')) as tf.Tensor2D
    const entry = rmsNorm(words, weights[`${at}.input_layernorm.weight`], epsilon)
    const split = (part: string, count: number): tf.Tensor3D =>
      tf.reshape(multiplied(entry, weights, `${at}.self_attn.${part}`), [tokens.length, count, headSize])
    // a head of keys for every head of queries
    const spread = (part: string): tf.Tensor3D =>
      tf.reshape(tf.tile(tf.expandDims(split(part, keyHeads), 2), [1, 1, heads / keyHeads, 1]), [
        tokens.length,
        heads,
        headSize,
      ])
    return [words, split('q_proj', heads), spread('k_proj'), spread('v_proj')]
  })
  return {
    async secondInputs(trials, place) {
      const out = tf.tidy(() => {
        const [count, length] = [trials.length, trials[0].length]
        const all = tf.tensor1d(
          trials.flatMap((trial) => trial.map((i) => rowOf[i])),
          'int32',
        )
        const own = tf.tensor1d(
          trials.map((trial) => rowOf[trial[place]]),
          'int32',
        )
        // [trials, heads, places, size]
        const each = (table: tf.Tensor): tf.Tensor4D =>
          tf.transpose(tf.reshape(tf.gather(table, all), [count, length, heads, headSize]), [0, 2, 1, 3])
        const angles = turns(length, config)
        const mine = {
          cosines: tf.slice(angles.cosines, [place, 0], [1, headSize]),
          sines: tf.slice(angles.sines, [place, 0], [1, headSize]),
        } as typeof angles
        const asking = turned(tf.reshape(tf.gather(query, own), [count, heads, 1, headSize]) as tf.Tensor4D, mine)
        const scores = tf.mul(tf.matMul(asking, turned(each(key), angles), false, true), 1 / Math.sqrt(headSize))
        const mixed = tf.reshape(tf.matMul(tf.softmax(scores), each(value)), [count, heads * headSize]) as tf.Tensor2D
        const after = tf.add(tf.gather(x, own), multiplied(mixed, weights, `${at}.self_attn.o_proj`)) as tf.Tensor2D
        return rmsNorm(gated(after, weights, at, config), weights['layers.1.input_layernorm.weight'], epsilon)
      })
      try {
        return await values(out)
      } finally {
        out.dispose()
      }
    },
    dispose: () => tf.dispose([x, query, key, value]),
  }
}
