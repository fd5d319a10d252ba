import * as tf from '@tensorflow/tfjs-core'
import { initializers, type LayersModel, layers, regularizers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { attack, targetOf } from '../../../src/attacks'
import { checkModel, deepLeakage, gradientsOf, inferLabels } from '../../../src/index'
import { meanSquaredError } from '../../../src/metrics'
import { plain, sample } from '../../attacks/matching/tiny'
import { relativeError } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const uniform = (seed: number) => initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed })

const KINDS = {
  l2: () => regularizers.l2({ l2: 0.05 }),
  l1: () => regularizers.l1({ l1: 0.02 }),
  both: () => regularizers.l1l2({ l1: 0.01, l2: 0.03 }),
}

/** A network whose layers have penalties of their own, on kernels, biases and activations of all kinds. */
function network(kind: keyof typeof KINDS, first: 'conv' | 'dense'): LayersModel {
  const of = (seed: number) => ({ kernelInitializer: uniform(seed), kernelRegularizer: KINDS[kind]() })
  const model = sequential()
  if (first === 'conv') {
    model.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, activation: 'sigmoid', ...of(1) }))
    model.add(layers.flatten())
  } else {
    const biasRegularizer = KINDS[kind]()
    model.add(layers.dense({ inputShape: [8], units: 12, activation: 'sigmoid', biasRegularizer, ...of(1) }))
  }
  model.add(layers.dense({ units: 4, activation: 'softmax', ...of(2) }))
  return model
}

/** What tfjs itself does in one step of SGD at rate 1: before − after is the gradient, penalties included. */
async function fitted(model: LayersModel, x: tf.Tensor, label: number): Promise<Float32Array[]> {
  model.compile({ optimizer: tf.train.sgd(1), loss: 'categoricalCrossentropy' })
  const before = model.getWeights().map((w) => w.clone())
  const y = tf.oneHot([label], 4)
  await model.fit(x, y, { epochs: 1, verbose: 0 })
  const moved = model.getWeights().map((w, i) => tf.tidy(() => tf.sub(before[i], w).dataSync<'float32'>().slice()))
  model.setWeights(before)
  tf.dispose([before, y])
  model.optimizer.dispose()
  return moved
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('a model with regularizers (%s)', (kind) => {
  it('has the gradient that fit makes of it', async () => {
    const model = network(kind, 'conv')
    const x = sample([1, 6, 6, 1])
    const shared = await fitted(model, x, 2)
    const ours = Object.values(plain(await gradientsOf(model, x, [2], { runtime: 'reference' })))
    for (const [i, { data }] of ours.entries()) expect(relativeError(data, shared[i])).toBeLessThan(1e-4)
    const check = await checkModel(model, { x, y: [2] }, { runtime: 'reference' })
    expect(check.findings.filter(({ level }) => level === 'error')).toEqual([])
    tf.dispose(x)
    model.dispose()
  })

  it('is attacked with its penalties', async () => {
    const model = network(kind, 'conv')
    const x = sample([1, 6, 6, 1])
    const shared = await fitted(model, x, 2)
    const weights = model.getWeights()
    const gradients = shared.map((data, i) => ({ shape: weights[i].shape, data }))
    const leak = await deepLeakage(model, gradients, { labels: [2], restarts: 2, runtime: 'reference' })
    expect(leak.status).toBe('converged')
    expect(meanSquaredError(x.dataSync(), leak.data.dataSync())).toBeLessThan(1e-3)
    leak.dispose()
    tf.dispose(x)
    model.dispose()
  })

  it('gives labels and data in closed form, without the part of the penalties', async () => {
    const model = network(kind, 'dense')
    const x = sample([1, 8])
    const gradients = plain(await gradientsOf(model, x, [3], { runtime: 'reference' }))
    expect((await inferLabels(model, gradients)).labels).toEqual([3])
    const found = await attack('dense-inversion', await targetOf(model, gradients, { runtime: 'reference' }))
    expect(found).toMatchObject({ status: 'proven', found: { labels: [3] } })
    expect(meanSquaredError(x.dataSync(), found.found.data!.dataSync())).toBeLessThan(1e-9)
    found.dispose()
    tf.dispose(x)
    model.dispose()
  })
})
