import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { drawWeights, fanIn } from './random-weights'

/** Options of the network. */
export interface BlitzCnnOptions {
  size?: number
  classes?: number
  /** Of the weights. */
  seed?: number
}

/**
 * The network of PyTorch's 60-minute blitz: convolutions of 6 and 16 filters of 5×5, each followed by ReLU and max-pooling over
 * 2×2, then dense layers of 120, 84 and 10. Weights and biases are drawn as PyTorch draws them, U(±1/√inputs).
 */
export function blitzCnn({ size = 32, classes = 10, seed = 1 }: BlitzCnnOptions = {}): Sequential {
  const model = sequential({ name: 'blitz-cnn' })
  ;[6, 16].forEach((filters, i) => {
    model.add(
      layers.conv2d({
        ...{ name: `conv${i}`, filters, kernelSize: 5, activation: 'relu' },
        ...(i === 0 && { inputShape: [size, size, 3] }),
      }),
    )
    model.add(layers.maxPooling2d({ poolSize: 2 }))
  })
  model.add(layers.flatten())
  ;[120, 84].forEach((units, i) => {
    model.add(layers.dense({ name: `dense${i}`, units, activation: 'relu' }))
  })
  model.add(layers.dense({ name: 'dense2', units: classes }))
  let limits: readonly [number, number] = [0, 0]
  drawWeights(model, seed, (name, shape) => {
    // a bias follows its kernel, and has the limits of its layer
    if (name.endsWith('kernel')) limits = fanIn(shape)
    return limits
  })
  return model
}
