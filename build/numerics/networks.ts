import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import type { FunctionalModel } from 'dlg-ts'

/** The same numbers in every browser. */
const uniform = (shape: number[], low: number, high: number, seed: number): tf.Tensor =>
  tf.randomUniform(shape, low, high, 'float32', seed)

function withUniformWeights(model: Sequential, most: number): Sequential {
  model.setWeights(model.getWeights().map(({ shape }, i) => uniform(shape, -most, most, i + 1)))
  return model
}

/** The paper's, for images of 16 × 16 pixels. */
export const lenet = (): Sequential =>
  withUniformWeights(
    sequential({
      layers: [
        ...[2, 2, 1].flatMap((strides, i) => [
          layers.zeroPadding2d({ padding: 2, ...(i === 0 && { inputShape: [16, 16, 3] }) }),
          layers.conv2d({ filters: 12, kernelSize: 5, strides, activation: 'sigmoid' }),
        ]),
        layers.flatten(),
        layers.dense({ units: 10 }),
      ],
    }),
    0.5,
  )

/** ReLU and max-pooling. */
export const convnet = (): Sequential =>
  withUniformWeights(
    sequential({
      layers: [
        layers.conv2d({ inputShape: [16, 16, 3], filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 16, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
        layers.flatten(),
        layers.dense({ units: 10 }),
      ],
    }),
    0.3,
  )

const [TOKENS, HIDDEN, HEADS] = [8, 32, 4]

/** One block of an encoder: attention, layer norm, GELU; its input is embeddings [batch, tokens, hidden]. */
export function transformer(): FunctionalModel {
  const weights: tf.NamedTensorMap = {}
  const draw = (name: string, shape: number[], low: number, high: number): void => {
    weights[name] = uniform(shape, low, high, Object.keys(weights).length + 1)
  }
  const dense = (name: string, from: number, to: number): void => {
    draw(`${name}/w`, [from, to], -1 / Math.sqrt(from), 1 / Math.sqrt(from))
    draw(`${name}/b`, [to], -0.1, 0.1)
  }
  for (const name of ['query', 'key', 'value', 'out']) dense(name, HIDDEN, HIDDEN)
  dense('up', HIDDEN, 4 * HIDDEN)
  dense('down', 4 * HIDDEN, HIDDEN)
  for (const name of ['first', 'second']) {
    draw(`${name}/gamma`, [HIDDEN], 0.8, 1.2)
    draw(`${name}/beta`, [HIDDEN], -0.1, 0.1)
  }
  dense('classes', HIDDEN, 4)
  return {
    name: 'transformer',
    inputShape: [TOKENS, HIDDEN],
    weights,
    apply(x, w) {
      const [batch] = x.shape
      const linear = (t: tf.Tensor, name: string): tf.Tensor => {
        const flat = tf.reshape(t, [-1, t.shape[t.shape.length - 1]]) as tf.Tensor2D
        const y = tf.add(tf.matMul(flat, w[`${name}/w`] as tf.Tensor2D), w[`${name}/b`])
        return tf.reshape(y, [...t.shape.slice(0, -1), y.shape[1]!])
      }
      const heads = (name: string): tf.Tensor =>
        tf.transpose(tf.reshape(linear(x, name), [batch, TOKENS, HEADS, HIDDEN / HEADS]), [0, 2, 1, 3])
      const norm = (t: tf.Tensor, name: string): tf.Tensor => {
        const { mean, variance } = tf.moments(t, -1, true)
        const unit = tf.div(tf.sub(t, mean), tf.sqrt(tf.add(variance, 1e-12)))
        return tf.add(tf.mul(unit, w[`${name}/gamma`]), w[`${name}/beta`])
      }
      const gelu = (t: tf.Tensor): tf.Tensor => tf.mul(tf.mul(t, 0.5), tf.add(1, tf.erf(tf.div(t, Math.SQRT2))))
      const scores = tf.matMul(heads('query'), heads('key'), false, true)
      const mixed = tf.matMul(tf.softmax(tf.div(scores, Math.sqrt(HIDDEN / HEADS))), heads('value'))
      const attended = linear(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, TOKENS, HIDDEN]), 'out')
      const one = norm(tf.add(x, attended), 'first')
      const two = norm(tf.add(one, linear(gelu(linear(one, 'up')), 'down')), 'second')
      return linear(tf.mean(two, 1), 'classes')
    },
  }
}
