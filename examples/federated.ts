/**
 * Federated averaging: a client trains for five steps of SGD and sends its new weights. The attack takes the steps for what
 * they are and unrolls them.
 *
 *   npx tsx examples/federated.ts
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf } from '../src' // 'dlg-ts'
import { mse } from '../src/metrics' // 'dlg-ts/metrics'
import { lenet } from './models/lenet'

const LEARNING_RATE = 0.01
const STEPS = 5

const server = lenet({ size: 12, classes: 10, seed: 2 })
const client = lenet({ size: 12, classes: 10, seed: 2 })
const secret = tf.randomUniform([1, 12, 12, 3], 0, 1, 'float32', 5)
for (let step = 0; step < STEPS; step++) {
  const gradients = await gradientsOf(client, secret, [3])
  client.setWeights(client.trainableWeights.map((w) => tf.sub(w.read(), tf.mul(gradients[w.name], LEARNING_RATE))))
}

for (const approach of ['unrolled', 'one-step'] as const) {
  const leak = await deepLeakageFromGradients(
    server,
    { after: client.getWeights() },
    { update: { learningRate: LEARNING_RATE, localSteps: STEPS, approach }, labels: [3], seed: 1, restarts: 1 },
  )
  const error = mse(leak.data.dataSync(), secret.dataSync())
  const seconds = (leak.milliseconds / 1000).toFixed(1)
  console.log(
    `${approach}: ${leak.status}, mse ${error.toExponential(1)}, ${leak.evaluations} evaluations, ${seconds} s`,
  )
  leak.dispose()
}
