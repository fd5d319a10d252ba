import { input, type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers'
import { drawWeights, fanIn } from './random-weights'

/** Options of the network. */
export interface ResNetOptions {
  size?: number
  classes?: number
  /** Filters of the four stages. */
  filters?: readonly number[]
  activation?: 'sigmoid' | 'relu'
  /** Of the weights. */
  seed?: number
}

/**
 * ResNet-18 in the layout for CIFAR: a 3×3 stem, four stages of two blocks with strides 1, 2, 2, 2, the mean over
 * height and width, and a dense layer. Padding is symmetric; shortcuts that change shape are 1×1 convolutions.
 */
export function resnet18({
  size = 32,
  classes = 10,
  filters = [64, 128, 256, 512],
  activation = 'sigmoid',
  seed = 1,
}: ResNetOptions = {}): LayersModel {
  const convolution = (x: SymbolicTensor, name: string, count: number, kernelSize: 1 | 3, strides: number) => {
    const padded = kernelSize === 1 ? x : (layers.zeroPadding2d({ padding: 1 }).apply(x) as SymbolicTensor)
    const conv = layers.conv2d({ name, filters: count, kernelSize, strides, padding: 'valid', useBias: false })
    const norm = layers.batchNormalization({ name: `${name}_bn`, epsilon: 1e-5 })
    return norm.apply(conv.apply(padded)) as SymbolicTensor
  }
  const activate = (x: SymbolicTensor) => layers.activation({ activation }).apply(x) as SymbolicTensor

  const image = input({ shape: [size, size, 3] })
  let x = activate(convolution(image, 'stem', filters[0], 3, 1))
  filters.forEach((count, stage) => {
    for (const block of [0, 1]) {
      const name = `stage${stage}_block${block}`
      const strides = stage > 0 && block === 0 ? 2 : 1
      const inner = activate(convolution(x, `${name}_conv0`, count, 3, strides))
      const outer = convolution(inner, `${name}_conv1`, count, 3, 1)
      const shortcut = strides > 1 ? convolution(x, `${name}_shortcut`, count, 1, strides) : x
      x = activate(layers.add().apply([outer, shortcut]) as SymbolicTensor)
    }
  })
  const features = layers.globalAveragePooling2d({}).apply(x)
  const scores = layers.dense({ name: 'dense', units: classes }).apply(features) as SymbolicTensor
  const network = model({ inputs: image, outputs: scores, name: 'resnet18' })
  drawWeights(network, seed, (name, shape) => {
    if (name.endsWith('kernel')) {
      const [low, high] = fanIn(shape)
      return [3 * low, 3 * high]
    }
    return name.endsWith('gamma') ? [0.8, 1.2] : name.endsWith('variance') ? [0.5, 1.5] : [-0.1, 0.1]
  })
  return network
}
