import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../../src'

/** Options of the network. */
export interface VitOptions {
  size?: number
  /** Height and width of a patch; it must divide `size`. */
  patch?: number
  width?: number
  heads?: number
  blocks?: number
  classes?: number
  /** Whether the classifier reads a token of its own; else it reads the mean over the patches. Default true. */
  classToken?: boolean
  /** How patches are embedded. Default `convolution`. */
  embedding?: 'convolution' | 'dense'
  /** Of the weights. */
  seed?: number
}

const EPSILON = 1e-6

/**
 * A vision transformer (Dosovitskiy et al. 2021): patches embedded by one linear map, a trained position embedding, and blocks
 * that normalise before attention and before the feed-forward part, four times as wide, with GELU.
 */
export function vit({
  size = 32,
  patch = 4,
  width = 64,
  heads = 4,
  blocks = 2,
  classes = 10,
  classToken = true,
  embedding = 'convolution',
  seed = 1,
}: VitOptions = {}): FunctionalModel {
  const side = size / patch
  const tokens = side * side + (classToken ? 1 : 0)
  const weights: tf.NamedTensorMap = {}
  const draw = (name: string, shape: number[], std: number) => {
    weights[name] = tf.randomNormal(shape, 0, std, 'float32', seed * 1000 + Object.keys(weights).length)
  }
  const dense = (name: string, inputs: number, outputs: number) => {
    draw(`${name}/kernel`, [inputs, outputs], 1 / Math.sqrt(inputs))
    weights[`${name}/bias`] = tf.zeros([outputs])
  }
  const norm = (name: string) => {
    weights[`${name}/gamma`] = tf.ones([width])
    weights[`${name}/beta`] = tf.zeros([width])
  }
  if (embedding === 'convolution') {
    draw('patches/kernel', [patch, patch, 3, width], 1 / Math.sqrt(3 * patch * patch))
    weights['patches/bias'] = tf.zeros([width])
  } else dense('patches', 3 * patch * patch, width)
  if (classToken) draw('class', [1, 1, width], 0.02)
  draw('positions', [1, tokens, width], 0.02)
  for (let i = 0; i < blocks; i++) {
    norm(`block${i}/attention-norm`)
    for (const part of ['query', 'key', 'value', 'attention']) dense(`block${i}/${part}`, width, width)
    norm(`block${i}/norm`)
    dense(`block${i}/expand`, width, 4 * width)
    dense(`block${i}/contract`, 4 * width, width)
  }
  norm('norm')
  dense('classifier', width, classes)

  return {
    name: 'vit',
    inputShape: [size, size, 3],
    weights,
    apply(images, w) {
      const [batch] = images.shape
      const apply = (name: string, h: tf.Tensor) => tf.add(tf.matMul(h, w[`${name}/kernel`]), w[`${name}/bias`])
      const normalize = (name: string, h: tf.Tensor) => {
        const { mean, variance } = tf.moments(h, -1, true)
        const normalized = tf.div(tf.sub(h, mean), tf.sqrt(tf.add(variance, EPSILON)))
        return tf.add(tf.mul(normalized, w[`${name}/gamma`]), w[`${name}/beta`])
      }
      const split = (h: tf.Tensor) => tf.transpose(tf.reshape(h, [batch, tokens, heads, width / heads]), [0, 2, 1, 3])
      const embedded =
        embedding === 'convolution'
          ? tf.add(
              tf.conv2d(images as tf.Tensor4D, w['patches/kernel'] as tf.Tensor4D, patch, 'valid'),
              w['patches/bias'],
            )
          : apply('patches', patchRows(images, side, patch))
      let x = tf.reshape(embedded, [batch, side * side, width])
      if (classToken) x = tf.concat([tf.tile(w.class, [batch, 1, 1]), x], 1)
      x = tf.add(x, w.positions)
      for (let i = 0; i < blocks; i++) {
        const of = (part: string) => `block${i}/${part}`
        const h = normalize(of('attention-norm'), x)
        const [query, key, value] = ['query', 'key', 'value'].map((part) => split(apply(of(part), h)))
        const scores = tf.div(tf.matMul(query, key, false, true), Math.sqrt(width / heads))
        const context = tf.transpose(tf.matMul(tf.softmax(scores), value), [0, 2, 1, 3])
        x = tf.add(x, apply(of('attention'), tf.reshape(context, [batch, tokens, width])))
        x = tf.add(x, apply(of('contract'), gelu(apply(of('expand'), normalize(of('norm'), x)))))
      }
      x = normalize('norm', x)
      const features = classToken ? tf.slice(x, [0, 0, 0], [batch, 1, width]) : tf.mean(x, 1)
      return apply('classifier', tf.reshape(features, [batch, width]))
    },
  }
}

/** [batch, patches, numbers of a patch] */
function patchRows(images: tf.Tensor, side: number, patch: number): tf.Tensor {
  const [batch] = images.shape
  const cut = tf.reshape(images, [batch, side, patch, side, patch, 3])
  return tf.reshape(tf.transpose(cut, [0, 1, 3, 2, 4, 5]), [batch, side * side, patch * patch * 3])
}

/** x Φ(x) */
const gelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1))
