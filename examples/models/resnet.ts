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
  const network = residual('resnet18', { size, classes, filters, activation }, 2)
  drawWeights(network, seed, (name, shape) => {
    if (name.endsWith('kernel')) {
      const [low, high] = fanIn(shape)
      return [3 * low, 3 * high]
    }
    return name.endsWith('gamma') ? [0.8, 1.2] : name.endsWith('variance') ? [0.5, 1.5] : [-0.1, 0.1]
  })
  return network
}

/**
 * ResNet-20 for CIFAR (He et al. 2016): three stages of three blocks, at the weights that training begins with: He's for
 * convolutions, batch norms that do nothing.
 */
export function resnet20({
  size = 32,
  classes = 10,
  filters = [16, 32, 64],
  activation = 'relu',
  seed = 1,
}: ResNetOptions = {}): LayersModel {
  const network = residual('resnet20', { size, classes, filters, activation }, 3)
  drawWeights(network, seed, (name, shape) => {
    const ones = name.endsWith('gamma') || name.endsWith('variance')
    if (!name.endsWith('kernel')) return ones ? [1, 1] : [0, 0]
    const [low, high] = fanIn(shape)
    // uniform numbers of variance 2 / inputs; the dense layer's have 1 / (3 · inputs)
    return shape.length === 4 ? [Math.sqrt(6) * low, Math.sqrt(6) * high] : [low, high]
  })
  return network
}

function residual(
  name: string,
  { size, classes, filters, activation }: Required<Omit<ResNetOptions, 'seed'>>,
  blocks: number,
): LayersModel {
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
    for (let block = 0; block < blocks; block++) {
      const part = `stage${stage}_block${block}`
      const strides = stage > 0 && block === 0 ? 2 : 1
      const inner = activate(convolution(x, `${part}_conv0`, count, 3, strides))
      const outer = convolution(inner, `${part}_conv1`, count, 3, 1)
      const shortcut = strides > 1 ? convolution(x, `${part}_shortcut`, count, 1, strides) : x
      x = activate(layers.add().apply([outer, shortcut]) as SymbolicTensor)
    }
  })
  const features = layers.globalAveragePooling2d({}).apply(x)
  const scores = layers.dense({ name: 'dense', units: classes }).apply(features) as SymbolicTensor
  return model({ inputs: image, outputs: scores, name })
}
