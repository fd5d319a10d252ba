import * as tf from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import type { GptModel } from '../../models/gpt'
import type { LlamaModel } from '../../models/llama'
import { paced } from '../contract/pause'
import type { Explained } from '../dager/transformer'
import { lossGradientSteps, targetOf } from '../dense/loss-gradients'
import { type Ending, lastTokens } from './last-tokens'
import { nextTokenGradients } from './next-token'
import { gradientOf } from './shared-text'

/** The end of a decoder, which says the next token. */
export interface NextTokenHead {
  /** Name of the output matrix. */
  readonly output: string
  /** Whether it is the word table. */
  readonly tied: boolean
  /** Names of scale and shift of the last norm; LLaMA's has no shift. */
  readonly gamma: string
  readonly beta?: string
  /** What the output matrix reads of token ids [batch, tokens], [batch · tokens, hidden]. */
  features(ids: tf.Tensor): tf.Tensor2D
}

/** The weights whose gradients show the last tokens. */
export const neededBy = ({ output, tied, gamma, beta }: NextTokenHead): string[] =>
  tied ? [output, gamma, ...(beta ? [beta] : [])] : [output]

/**
 * Sentences from their inputs: the last token was never read, only predicted, so it comes from the loss at the last
 * position. The gradient of the output matrix shows it. Where that is the word table, what the table has as word embeddings is
 * added to it, and the gradient of the last norm decides.
 */
export async function explainNextTokens(
  model: GptModel | LlamaModel,
  head: NextTokenHead,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
  between: () => Promise<void>,
): Promise<Explained> {
  const { hidden, vocabularySize } = model.config
  const table = await numbersOf(model.weights[head.output])
  const endings = head.tied ? await endingsOf(model, head, table, inputs, shared, between) : undefined
  const features = endings?.features ?? (await featuresOf(head, inputs, hidden, between))
  const ends = inputs.map((_, s) => inputs.slice(0, s + 1).reduce((n, { length }) => n + length, 0) - 1)
  const gradient = await gradientOf(shared, head.output, vocabularySize * hidden)
  await between()
  const pause = async () => {
    await between()
    return false
  }
  const lossGradients = await paced(lossGradientSteps(gradient, features, ends), pause)
  let last = lossGradients.map(targetOf)
  if (endings) {
    const read = new Set(inputs.flat())
    const likely = lossGradients.map((own, s) => unreadTarget(own, read, endings.endings[s].weight) ?? last[s])
    last = await paced(lastTokens({ data: table, width: hidden }, endings.endings, endings.rest, likely), pause)
  }
  const sequences = inputs.map((sequence, i) => [...sequence, last[i]])
  return { sequences, gradients: await nextTokenGradients(model, sequences) }
}

/**
 * The target among tokens that no sequence reads, if there is one: the others' rows of a word table have the gradient of their
 * embeddings besides. At a target ∂z is nearly the weight of the loss, negated.
 */
function unreadTarget(lossGradient: Float64Array, read: ReadonlySet<number>, weight: number): number | undefined {
  const target = targetOf(lossGradient.map((v, token) => (read.has(token) ? 0 : v)))
  return lossGradient[target] < -weight / 2 && !read.has(target) ? target : undefined
}

/** What the gradient of the last norm has left when everything but the last predictions is taken off it. */
async function endingsOf(
  { weights, config: { hidden } }: GptModel | LlamaModel,
  head: NextTokenHead,
  table: Float32Array,
  inputs: readonly (readonly number[])[],
  shared: NamedGradients,
  between: () => Promise<void>,
) {
  const gamma = await numbersOf(weights[head.gamma])
  const beta = head.beta ? await numbersOf(weights[head.beta]) : undefined
  // ∂β and, with x̂ the normalised features, ∂γ are Σ_t w_t a_t and Σ_t w_t a_t ⊙ x̂_t of a_t = Eᵀ(p_t − y_t)
  const names = [head.beta, head.gamma]
  const rest = await Promise.all(
    names.map(async (name) => name && Float64Array.from(await gradientOf(shared, name, hidden))),
  )
  const features: Float32Array[] = []
  const endings: Ending[] = []
  // the loss is the mean over all that is predicted: one token for each that is read
  const weight = 1 / inputs.reduce((n, sequence) => n + sequence.length, 0)
  for (const sequence of inputs) {
    await between()
    const { read: rows, expected } = await forward(head, weights[head.output] as tf.Tensor2D, sequence)
    sequence.forEach((_, t) => {
      const at = t * hidden
      const normalised = Float64Array.from({ length: hidden }, (_, j) =>
        gamma[j] === 0 ? 0 : (rows[at + j] - (beta?.[j] ?? 0)) / gamma[j],
      )
      const next = sequence[t + 1]
      for (let j = 0; j < hidden; j++) {
        const a = weight * (expected[at + j] - (next === undefined ? 0 : table[next * hidden + j]))
        if (rest[0]) rest[0][j] -= a
        if (rest[1]) rest[1][j] -= a * normalised[j]
      }
      features.push(rows.subarray(at, at + hidden))
      if (next === undefined) endings.push({ weight, normalised })
    })
  }
  return { features, endings, rest: rest.map((values) => values || undefined) }
}

const numbersOf = async (tensor: tf.Tensor): Promise<Float32Array> => (await tensor.data()) as Float32Array

/** At every position of a sequence: what the output matrix E reads, and Eᵀp, the embedding that is expected next. */
async function forward(head: NextTokenHead, table: tf.Tensor2D, sequence: readonly number[]) {
  const [rows, means] = tf.tidy(() => {
    const out = head.features(tf.tensor2d([[...sequence]]))
    return [out, tf.matMul(tf.softmax(tf.matMul(out, table, false, true)), table)]
  })
  try {
    return { read: await numbersOf(rows), expected: await numbersOf(means) }
  } finally {
    tf.dispose([rows, means])
  }
}

/** What the output matrix reads at every position of every sequence. */
async function featuresOf(
  head: NextTokenHead,
  inputs: readonly (readonly number[])[],
  hidden: number,
  between: () => Promise<void>,
): Promise<Float32Array[]> {
  const features: Float32Array[] = []
  for (const sequence of inputs) {
    await between()
    const rows = tf.tidy(() => head.features(tf.tensor2d([[...sequence]])))
    try {
      const data = await numbersOf(rows)
      features.push(...sequence.map((_, t) => data.subarray(t * hidden, (t + 1) * hidden)))
    } finally {
      rows.dispose()
    }
  }
  return features
}
