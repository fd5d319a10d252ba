import type { LayersModel } from '@tensorflow/tfjs-layers'
import { blitzCnn } from '../examples/models/blitz-cnn'
import { kerasCnn } from '../examples/models/keras-cnn'
import { resnet20 } from '../examples/models/resnet'

/** Networks with kinks that people train, by the name that benchmarks and their peers know them by. */
export const NETWORKS = {
  ...{ keras: kerasCnn, blitz: blitzCnn, resnet20 },
  'keras-norm': (options) => kerasCnn({ ...options, batchNorm: true }),
} as const satisfies Readonly<Record<string, (options: { readonly seed: number }) => LayersModel>>

export type NetworkName = keyof typeof NETWORKS

/** @throws Error for a name that is not known */
export function networkName(word: string): NetworkName {
  if (Object.hasOwn(NETWORKS, word)) return word as NetworkName
  throw new Error(`--network knows ${Object.keys(NETWORKS).join(', ')}`)
}
