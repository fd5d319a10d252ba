import { initializers, layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'

/** Options of the network. */
export interface KerasCnnOptions {
  size?: number
  channels?: number
  classes?: number
  /** Of the weights. */
  seed?: number
}

/** The convolutional network of the Keras tutorials: ReLU, max-pooling, and the default initializers. */
export function kerasCnn({ size = 32, channels = 3, classes = 10, seed = 1 }: KerasCnnOptions = {}): Sequential {
  let drawn = 0
  const kernelInitializer = () => initializers.glorotUniform({ seed: seed * 1000 + drawn++ })
  const conv = (filters: number) => ({
    ...{ filters, kernelSize: 3, activation: 'relu' as const, kernelInitializer: kernelInitializer() },
  })
  const model = sequential({ name: 'keras-cnn' })
  model.add(layers.conv2d({ ...conv(32), inputShape: [size, size, channels] }))
  model.add(layers.maxPooling2d({ poolSize: 2 }))
  model.add(layers.conv2d(conv(64)))
  model.add(layers.maxPooling2d({ poolSize: 2 }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: 64, activation: 'relu', kernelInitializer: kernelInitializer() }))
  model.add(layers.dense({ units: classes, activation: 'softmax', kernelInitializer: kernelInitializer() }))
  return model
}
