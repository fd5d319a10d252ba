import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { expect } from 'vitest'

const kernelNames = () => ['cpu', 'wasm'].flatMap((name) => tf.getKernelsForBackend(name).map((k) => k.kernelName))

/** Everything of the user's that a trace could disturb. */
export const snapshot = (model: LayersModel | undefined) => ({
  backend: tf.getBackend(),
  backends: Object.keys(tf.engine().registryFactory),
  tensors: tf.memory().numTensors,
  gradients: new Map(kernelNames().map((name) => [name, tf.getGradient(name)])),
  kernels: kernelNames(),
  leftKernels: Array.from({ length: 120 }, (_, i) => tf.getKernelsForBackend(`dlg-trace-${i}`).length).filter(Boolean),
  layers: model?.layers.map((layer) => [layer, Object.getOwnPropertyNames(layer), layer.inboundNodes.length]),
  weights: model?.weights.map((weight) => [weight, Object.getOwnPropertyNames(weight), weight.read()]),
  values: model?.weights.map((weight) => [...weight.read().dataSync()]),
})

/** Compares with a snapshot: nothing of the user's has changed, and the instances are the same. */
export const expectUnchanged = (before: ReturnType<typeof snapshot>, model?: LayersModel) => {
  const after = snapshot(model)
  expect(after.gradients).toEqual(before.gradients)
  for (const [name, gradient] of before.gradients) expect(after.gradients.get(name)).toBe(gradient)
  after.layers?.forEach(([layer], i) => {
    expect(layer).toBe(before.layers![i][0])
  })
  after.weights?.forEach(([weight, names, tensor], i) => {
    expect(weight).toBe(before.weights![i][0])
    expect(names).not.toContain('read')
    expect(names).not.toContain('write')
    expect(tensor).toBe(before.weights![i][2])
    expect((tensor as tf.Tensor).isDisposed).toBe(false)
  })
  const plain = ({ layers: l, weights: w, gradients: _, ...rest }: typeof before) => ({
    ...rest,
    layers: l?.map(([, names, nodes]) => [names, nodes]),
    weights: w?.map(([, names]) => names),
  })
  expect(plain(after)).toEqual(plain(before))
  expect(plain(after).layers?.flat(3) ?? []).not.toContain('call')
}
