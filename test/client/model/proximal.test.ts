import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { checkModel, deepLeakage, gradientsOf, type LossFunction } from '../../../src'
import { denseNet, sample } from '../../attacks/matching/tiny'
import { relativeError } from '../../oracle'

const MU = 0.3

/** The mean cross-entropy and FedProx's term, μ/2 ‖w − w₀‖². */
const proximal =
  (server: readonly tf.Tensor[]): LossFunction =>
  (output, target, weights) => {
    const surprise = tf.neg(tf.sum(tf.mul(target, tf.logSoftmax(output)), -1))
    const pull = Object.values(weights).map((w, i) => tf.sum(tf.square(tf.sub(w, server[i]))))
    return tf.add(
      tf.mean(surprise),
      tf.mul(
        MU / 2,
        pull.reduce((a, b) => tf.add(a, b)),
      ),
    )
  }

it('adds μ (w − w₀) to the gradient, and is matched through local steps', async () => {
  const model = denseNet()
  const server = model.getWeights().map((w) => tf.mul(w, 0.8))
  const criterion = proximal(server)
  const x = sample([1, 8])
  const plain = Object.values(await gradientsOf(model, x, [2]))
  const whole = Object.values(await gradientsOf(model, x, [2], { criterion }))
  for (const [i, w] of model.getWeights().entries()) {
    const expected = tf.add(plain[i], tf.mul(MU, tf.sub(w, server[i])))
    expect(relativeError(whole[i].dataSync(), expected.dataSync())).toBeLessThan(1e-5)
    expected.dispose()
  }
  const leak = await deepLeakage(model, whole, { criterion, labels: [2] })
  expect(['converged', 'undetermined']).toContain(leak.status)
  expect(relativeError(leak.data.dataSync(), x.dataSync())).toBeLessThan(1e-3)
  leak.dispose()

  // two steps of SGD: the term is that of the weights where each step is taken
  const before = model.getWeights().map((w) => tf.clone(w))
  const learningRate = 0.2
  for (let step = 0; step < 2; step++) {
    const gradients = Object.values(await gradientsOf(model, x, [2], { criterion }))
    const next = model.getWeights().map((w, i) => tf.sub(w, tf.mul(learningRate, gradients[i])))
    model.setWeights(next)
    tf.dispose([gradients, next])
  }
  const after = model.getWeights().map((w) => tf.clone(w))
  model.setWeights(before)
  const update = { learningRate, epochs: 2 }
  const moved = await deepLeakage(model, { before, after }, { criterion, labels: [2], update })
  expect(relativeError(moved.data.dataSync(), x.dataSync())).toBeLessThan(0.01)
  const forgotten = await deepLeakage(model, { before, after }, { labels: [2], update, restarts: 1 })
  expect(forgotten.status).not.toBe('converged')
  moved.dispose()
  forgotten.dispose()

  const { findings } = await checkModel(model, { x, y: [2] }, { criterion })
  expect(findings.find(({ code }) => code === 'not-compared')?.message).toContain('reads the weights itself')
  expect(findings.filter(({ level }) => level === 'error')).toEqual([])
  tf.dispose([server, x, plain, whole, before, after])
  model.dispose()
})
