import * as tf from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import { decode, type GptModel } from '../../models/gpt'
import { TOKENS } from '../../models/gpt-shapes'
import type { Explained } from '../dager/transformer'
import { lossGradients, targetOf } from '../dense/loss-gradients'
import { type Ending, lastTokens } from './last-tokens'
import { nextTokenGradients } from './next-token'
import { gradientOf } from './shared-text'

/**
 * Sentences from their inputs: the last token was never read, only predicted, so it comes from the loss at the last
 * position. The gradient of the output matrix shows it, up to the part that the same table has as word embeddings; the
 * gradient of the last layer norm decides.
 */
export async function explainNextTokens(
  model: GptModel,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
): Promise<Explained> {
  const { hidden } = model.config
  const read = async (name: string) => (await model.weights[name].data()) as Float32Array
  const [table, gamma, beta] = [await read(TOKENS), await read('ln_f.weight'), await read('ln_f.bias')]
  // ∂β and, with x̂ the normalised features, ∂γ are Σ_t w_t a_t and Σ_t w_t a_t ⊙ x̂_t of a_t = Eᵀ(p_t − y_t)
  const rest = [await gradientOf(shared, 'ln_f.bias', hidden), await gradientOf(shared, 'ln_f.weight', hidden)].map(
    (v) => Float64Array.from(v),
  )
  const features: Float32Array[] = []
  const ends: number[] = []
  const endings: Ending[] = []
  // the loss is the mean over all that is predicted: one token for each that is read
  const weight = 1 / inputs.reduce((n, sequence) => n + sequence.length, 0)
  for (const sequence of inputs) {
    const { read: rows, expected } = await forward(model, sequence)
    sequence.forEach((_, t) => {
      const at = t * hidden
      const normalised = Float64Array.from({ length: hidden }, (_, j) =>
        gamma[j] === 0 ? 0 : (rows[at + j] - beta[j]) / gamma[j],
      )
      const next = sequence[t + 1]
      for (let j = 0; j < hidden; j++) {
        const a = weight * (expected[at + j] - (next === undefined ? 0 : table[next * hidden + j]))
        rest[0][j] -= a
        rest[1][j] -= a * normalised[j]
      }
      features.push(rows.subarray(at, at + hidden))
      if (next === undefined) endings.push({ weight, normalised })
    })
    ends.push(features.length - 1)
  }
  const likely = lossGradients(await gradientOf(shared, TOKENS, table.length), features, ends).map(targetOf)
  const last = lastTokens({ data: table, width: hidden }, endings, rest, likely)
  const sequences = inputs.map((sequence, i) => [...sequence, last[i]])
  return { sequences, gradients: await nextTokenGradients(model, sequences) }
}

/** At every position of a sequence: what the output matrix E reads, and Eᵀp, the embedding that is expected next. */
async function forward({ weights, config }: GptModel, sequence: readonly number[]) {
  const [rows, means] = tf.tidy(() => {
    const out = decode(tf.tensor2d([[...sequence]]), weights, config)
    const table = weights[TOKENS] as tf.Tensor2D
    return [out, tf.matMul(tf.softmax(tf.matMul(out, table, false, true)), table)]
  })
  try {
    return { read: (await rows.data()) as Float32Array, expected: (await means.data()) as Float32Array }
  } finally {
    tf.dispose([rows, means])
  }
}
