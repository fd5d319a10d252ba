import * as tf from '@tensorflow/tfjs-core'
import { metrics } from '@tensorflow/tfjs-layers'
import { type OpCase, type T, weighted } from './case'

const [batch, classes] = [2, 3]
const labels = () => tf.tensor2d([0.7, 0.2, 0.1, 0.1, 0.3, 0.6], [batch, classes]) as T
const bits = () => tf.tensor2d([1, 0, 1, 0, 0, 1], [batch, classes]) as T
const loss = (name: string, f: (z: T) => T, options: Partial<OpCase> = {}): OpCase => ({
  ...weighted(`loss ${name}`, [batch, 3], { w: [3, classes] }, (x, { w }) => f(tf.matMul(x, w))),
  seed: 5,
  ...options,
})
const crossEntropy = (y: T, log: T) => tf.neg(tf.mean(tf.sum(tf.mul(y, log), 1)))
const soft = (name: string, f: (y: T, logits: T) => T): OpCase =>
  weighted(`soft label: grad wrt label logits, ${name}`, [batch, classes], { w: [batch, classes] }, (x, { w }) =>
    f(tf.softmax(x), tf.mul(w, tf.scalar(1.5))),
  )

export const lossCases: OpCase[] = [
  loss('tf.losses.softmaxCrossEntropy', (z) => tf.losses.softmaxCrossEntropy(labels(), z)),
  loss('tf.losses.softmaxCrossEntropy smoothed', (z) =>
    tf.losses.softmaxCrossEntropy(labels(), z, undefined, 0.1, tf.Reduction.MEAN),
  ),
  loss('tf.losses.sigmoidCrossEntropy', (z) => tf.losses.sigmoidCrossEntropy(bits(), z)),
  loss('tf.losses.meanSquaredError', (z) => tf.losses.meanSquaredError(labels(), z)),
  loss('tf.losses.meanSquaredError weighted', (z) =>
    tf.losses.meanSquaredError(labels(), z, tf.tensor2d([1, 2, 0, 1, 1, 3], [batch, classes])),
  ),
  loss('tf.losses.absoluteDifference', (z) => tf.losses.absoluteDifference(labels(), tf.square(z))),
  loss('tf.losses.huberLoss', (z) => tf.losses.huberLoss(labels(), z, undefined, 0.5)),
  loss('tf.losses.logLoss', (z) => tf.losses.logLoss(labels(), tf.sigmoid(z))),
  loss('tf.losses.hingeLoss', (z) => tf.losses.hingeLoss(bits(), z)),
  loss('tf.losses.cosineDistance', (z) => tf.losses.cosineDistance(labels(), tf.div(z, tf.norm(z)), 1)),
  loss('neg sum y*logSoftmax', (z) => crossEntropy(labels(), tf.logSoftmax(z))),
  loss('neg sum y*log(softmax)', (z) => crossEntropy(labels(), tf.log(tf.softmax(z)))),
  loss('CE = logSumExp - y.l', (z) => tf.mean(tf.sub(tf.logSumExp(z, 1), tf.sum(tf.mul(labels(), z), 1)))),
  loss('CE hand (exp/sum/log)', (z) => {
    const e = tf.exp(z)
    return crossEntropy(labels(), tf.log(tf.div(e, tf.sum(e, 1, true))))
  }),
  loss('softplus BCE', (z) => tf.mean(tf.sub(tf.softplus(z), tf.mul(bits(), z)))),
  loss('tf.metrics.meanSquaredError', (z) => metrics.meanSquaredError(labels(), z)),
  loss('tf.metrics.meanAbsoluteError', (z) => metrics.meanAbsoluteError(labels(), tf.square(z))),
  loss('tf.metrics.meanAbsolutePercentageError', (z) =>
    tf.mul(tf.scalar(0.005), metrics.meanAbsolutePercentageError(labels(), tf.square(z))),
  ),
  loss('tf.metrics.categoricalCrossentropy(softmax)', (z) => metrics.categoricalCrossentropy(labels(), tf.softmax(z))),
  loss('tf.metrics.binaryCrossentropy(sigmoid)', (z) => metrics.binaryCrossentropy(bits(), tf.sigmoid(z))),
  loss('tf.metrics.cosineProximity', (z) => metrics.cosineProximity(labels(), z)),
  soft('tf.losses CE', (y, z) => tf.losses.softmaxCrossEntropy(y, z)),
  soft('lse CE', (y, z) => tf.mean(tf.sub(tf.logSumExp(z, 1), tf.sum(tf.mul(y, z), 1)))),
]
