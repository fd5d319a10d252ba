/**
 * Leaks that need no search: an image out of a network that begins with a dense layer, and the sentences of a whole batch
 * out of a GPT-2-shaped decoder, both in closed form and both proven by their gradient.
 *
 *   npx tsx examples/exact.ts
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { gradientsOf } from '../src' // 'dlg-ts'
import { exactSequences, invertDense, proofOf } from '../src/analytic' // 'dlg-ts/analytic'
import { nextTokenGradients, randomGpt, transformerOf } from '../src/text' // 'dlg-ts/text'

const model = sequential({
  layers: [
    layers.flatten({ inputShape: [28, 28, 1] }),
    layers.dense({ units: 64, activation: 'relu', name: 'first' }),
    layers.dense({ units: 10 }),
  ],
})
const secret = tf.randomUniform([1, 28, 28, 1], 0, 1, 'float32', 5)
const shared = await gradientsOf(model, secret, [3])
const [weight, bias] = Object.values(shared).map((t) => t.dataSync<'float32'>())
const began = performance.now()
const { status, input, deviation } = invertDense({ weight, bias })
const data = tf.tensor(Float32Array.from(input!), [1, 28, 28, 1])
console.log(
  `image: ${status}, neurons agree to ${deviation.toExponential(0)}, ${(performance.now() - began).toFixed(0)} ms`,
)
const { residual, proven } = await proofOf(model, { data, labels: [3] }, shared)
console.log(
  `       ${proven ? 'proven' : 'not proven'}: its gradient is the shared one to ${residual.toExponential(0)}`,
)

const gpt = randomGpt({ vocabularySize: 5000, hidden: 128 })
const sentences = [0, 1].map((s) => Array.from({ length: 10 }, (_, i) => (s * 2711 + i * i * 97 + 13) % 5000))
const sequences = await exactSequences(transformerOf(gpt), await nextTokenGradients(gpt, sentences), { batchSize: 2 })
console.log(`sentences: ${sequences.status}, ${(sequences.milliseconds / 1000).toFixed(1)} s`)
for (const tokens of sequences.sequences) console.log(`       ${[...tokens].join(' ')}`)
const all = (list: readonly (readonly number[])[]) =>
  list
    .map((tokens) => tokens.join(' '))
    .sort()
    .join()
console.log(all(sequences.sequences) === all(sentences) ? '       the secret ones' : '       NOT the secret ones')
