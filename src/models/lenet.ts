import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { choice, knownNames, number } from '../errors/checks'

/** Options of the network. */
export interface LeNetOptions {
  /** Side of the square image, in pixels. Default 32. */
  size?: number
  channels?: number
  classes?: number
  /** Seed of the weights. */
  seed?: number
  /** `uniform` is U(−0.5, 0.5), as in the authors' code (default); `default` is PyTorch's U(±1/√fan-in). */
  init?: 'uniform' | 'default'
}

/**
 * The network of the paper: three 5×5 convolutions with sigmoids, strides 2, 2, 1, symmetric padding of 2, and a dense
 * layer. Weights and biases are drawn alike.
 *
 * @throws DlgError `invalid-option`
 */
export function lenet(options: LeNetOptions = {}): Sequential {
  knownNames('options', options, ['size', 'channels', 'classes', 'seed', 'init'])
  const { size = 32, channels = 3, classes = 100, seed = 1, init = 'uniform' } = options
  const count = (name: string, value: number, most: number): number =>
    number(name, value, (n) => Number.isInteger(n) && n >= 1 && n <= most, `a whole number from 1 to ${most}`)
  count('size', size, 4096)
  count('channels', channels, 1024)
  count('classes', classes, 1_000_000)
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  choice('init', init, ['uniform', 'default'])
  let draws = 0
  const model = sequential({ name: 'lenet' })
  ;[2, 2, 1].forEach((strides, i) => {
    // 'same' would pad on one side only at stride 2
    model.add(layers.zeroPadding2d({ padding: 2, ...(i === 0 && { inputShape: [size, size, channels] }) }))
    model.add(layers.conv2d({ filters: 12, kernelSize: 5, strides, padding: 'valid', activation: 'sigmoid' }))
  })
  model.add(layers.flatten())
  model.add(layers.dense({ units: classes }))
  const shapes = model.getWeights().map((w) => w.shape)
  const weights = shapes.map((shape, i) => {
    // kernels and their biases alternate
    const bound = init === 'uniform' ? 0.5 : 1 / Math.sqrt(fanIn(shapes[i - (i % 2)]))
    return tf.randomUniform(shape, -bound, bound, 'float32', seed * 100 + draws++)
  })
  model.setWeights(weights)
  tf.dispose(weights)
  return model
}

const fanIn = (kernel: readonly number[]): number => kernel.slice(0, -1).reduce((a, b) => a * b, 1)
