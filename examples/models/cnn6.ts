import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { drawWeights, fanIn } from './random-weights'

/** Options of the network. */
export interface Cnn6Options {
  size?: number
  /** Numbers of the last layer: 1 as in R-GAP, or one for each class. */
  outputs?: number
  /** Leaky ReLU with a slope of 0.2 below zero, or another activation by its name in tfjs. */
  activation?: 'leakyReLU' | 'sigmoid' | 'tanh'
  bias?: boolean
  /** Of the weights. */
  seed?: number
}

/** Filters, height and width of the kernel, stride and padding of each convolution. */
const CONVOLUTIONS = [
  [12, 4, 2, 2],
  [36, 3, 2, 1],
  [36, 3, 1, 1],
  [36, 3, 1, 1],
  [64, 3, 2, 1],
  [128, 3, 1, 1],
] as const

/** R-GAP's CNN6: six convolutions and a dense layer, without pooling. Weights are drawn as PyTorch draws them, U(±1/√inputs). */
export function cnn6(options: Cnn6Options = {}): Sequential {
  const { size = 32, outputs = 1, activation = 'leakyReLU', bias = false, seed = 1 } = options
  const model = sequential({ name: 'cnn6' })
  for (const [i, [filters, kernelSize, strides, padding]] of CONVOLUTIONS.entries()) {
    model.add(layers.zeroPadding2d({ padding, ...(i === 0 && { inputShape: [size, size, 3] }) }))
    model.add(layers.conv2d({ name: `conv${i}`, filters, kernelSize, strides, useBias: bias }))
    model.add(activation === 'leakyReLU' ? layers.leakyReLU({ alpha: 0.2 }) : layers.activation({ activation }))
  }
  model.add(layers.flatten())
  model.add(layers.dense({ name: 'dense', units: outputs, useBias: bias }))
  let limits: readonly [number, number] = [0, 0]
  drawWeights(model, seed, (name, shape) => {
    // a bias follows its kernel, and has the limits of its layer
    if (name.endsWith('kernel')) limits = fanIn(shape)
    return limits
  })
  return model
}
