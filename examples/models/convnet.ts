import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { drawWeights, fanIn } from './random-weights'

/** Options of the network. */
export interface ConvNetOptions {
  size?: number
  classes?: number
  /** Of the weights. */
  seed?: number
}

/** Filters and stride of every convolution. */
const STAGES = [
  [32, 1],
  [64, 2],
  [64, 1],
  [128, 2],
] as const

/** A mid-size network: four 3×3 convolutions with sigmoids and symmetric padding of 1, and a dense layer. */
export function convnet({ size = 32, classes = 10, seed = 1 }: ConvNetOptions = {}): Sequential {
  const model = sequential({ name: 'convnet' })
  STAGES.forEach(([filters, strides], i) => {
    model.add(layers.zeroPadding2d({ padding: 1, ...(i === 0 && { inputShape: [size, size, 3] }) }))
    model.add(
      layers.conv2d({ name: `conv${i}`, filters, kernelSize: 3, strides, padding: 'valid', activation: 'sigmoid' }),
    )
  })
  model.add(layers.flatten())
  model.add(layers.dense({ name: 'dense', units: classes }))
  drawWeights(model, seed, (name, shape) => {
    const [low, high] = name.endsWith('kernel') ? fanIn(shape) : [-0.1, 0.1]
    // sigmoids lose three quarters of every signal
    return [4 * low, 4 * high]
  })
  return model
}
