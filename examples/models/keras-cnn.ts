import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { drawWeights } from './random-weights'

/** Options of the network. */
export interface KerasCnnOptions {
  size?: number
  classes?: number
  /** Of the convolutions. Default `same`. */
  padding?: 'same' | 'valid'
  /** Whether each convolution is followed by a batch norm. Default false. */
  batchNorm?: boolean
  /** Of the weights. */
  seed?: number
}

/**
 * The network of Keras' tutorials: two 3×3 convolutions with ReLU, each followed by max-pooling over 2×2, a dense layer
 * of 64 with ReLU, and a dense layer. Weights are drawn as Keras draws them: Glorot's uniform kernels, biases of zero.
 */
export function kerasCnn({
  size = 32,
  classes = 10,
  padding = 'same',
  batchNorm = false,
  seed = 1,
}: KerasCnnOptions = {}): Sequential {
  const model = sequential({ name: 'keras-cnn' })
  ;[32, 64].forEach((filters, i) => {
    model.add(
      layers.conv2d({
        ...{ name: `conv${i}`, filters, kernelSize: 3, padding, ...(!batchNorm && { activation: 'relu' as const }) },
        ...(i === 0 && { inputShape: [size, size, 3] }),
      }),
    )
    if (batchNorm) {
      model.add(layers.batchNormalization({ name: `norm${i}` }))
      model.add(layers.activation({ activation: 'relu' }))
    }
    model.add(layers.maxPooling2d({ poolSize: 2 }))
  })
  model.add(layers.flatten())
  model.add(layers.dense({ name: 'dense0', units: 64, activation: 'relu' }))
  model.add(layers.dense({ name: 'dense1', units: classes }))
  drawWeights(model, seed, (name, shape) => {
    if (name.endsWith('kernel')) return glorot(shape)
    return name.endsWith('gamma') || name.endsWith('variance') ? [1, 1] : [0, 0]
  })
  return model
}

/** ±√(6 / (inputs + outputs)) of a kernel [...taps, inputs, outputs], each input and output counted once a tap. */
function glorot(shape: readonly number[]): readonly [number, number] {
  const [inputs, outputs] = shape.slice(-2)
  const taps = shape.slice(0, -2).reduce((n, size) => n * size, 1)
  const limit = Math.sqrt(6 / (taps * (inputs + outputs)))
  return [-limit, limit]
}
