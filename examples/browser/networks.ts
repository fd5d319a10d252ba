import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { SIDE } from './photographs'
import type { Settings } from './settings'

const CLASSES = 10
const inputShape = [SIDE, SIDE, 3]

/** The network of the settings, with weights that its seed decides. */
export function networkOf({ network, seed }: Settings): Sequential {
  const model = NETWORKS[network]()
  const bound = (shape: readonly number[]): number =>
    network === 'lenet' ? 0.5 : Math.sqrt((network === 'relu' ? 6 : 3) / fanIn(shape))
  let last: readonly number[] = []
  const weights = model.getWeights().map(({ shape }, i) => {
    // kernels and their biases alternate; a bias has the interval of its kernel
    if (i % 2 === 0) last = shape
    const most = i % 2 === 0 || network === 'lenet' ? bound(last) : 0.05
    return tf.randomUniform(shape, -most, most, 'float32', seed * 100 + i)
  })
  model.setWeights(weights)
  tf.dispose(weights)
  return model
}

const fanIn = (kernel: readonly number[]): number => kernel.slice(0, -1).reduce((a, b) => a * b, 1)

const NETWORKS: Readonly<Record<Settings['network'], () => Sequential>> = {
  /** Zhu et al. 2019: sigmoids, no pooling, weights U(−0.5, 0.5). */
  lenet: () =>
    sequential({
      layers: [
        ...[2, 2, 1].flatMap((strides, i) => [
          layers.zeroPadding2d({ padding: 2, ...(i === 0 && { inputShape }) }),
          layers.conv2d({ filters: 12, kernelSize: 5, strides, activation: 'sigmoid' }),
        ]),
        layers.flatten(),
        layers.dense({ units: CLASSES }),
      ],
    }),
  relu: () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape, filters: 16, kernelSize: 3, padding: 'same', activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 32, kernelSize: 3, padding: 'same', activation: 'relu' }),
        layers.flatten(),
        layers.dense({ units: CLASSES }),
      ],
    }),
  dense: () =>
    sequential({
      layers: [
        layers.flatten({ inputShape }),
        layers.dense({ units: 64, activation: 'sigmoid' }),
        layers.dense({ units: CLASSES }),
      ],
    }),
}
