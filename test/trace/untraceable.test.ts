import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crossEntropy } from '../../src/client/model/criteria'
import { traceGradient } from '../../src/client/model/gradient'
import type { FunctionalModel, Model } from '../../src/client/model/model'
import { openModel } from '../../src/client/model/open-model'
import * as g from '../../src/graph'
import { record } from '../../src/trace'
import { expectUnchanged, snapshot } from './unchanged'

type Body = (x: tf.Tensor) => tf.Tensor

/** A layer of the user's own. */
class Custom extends layers.Layer {
  constructor(readonly body: Body) {
    super({ name: 'custom' })
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.body([inputs].flat()[0]))
  }
  override computeOutputShape() {
    return [null, 3]
  }
}

const bodies: [string, RegExp, Body][] = [
  ['tf.topk', /the operation TopK in layer 'custom'/, (x) => tf.topk(x, 3).values],
  ['tf.unique', /the operation Unique in layer 'custom'/, (x) => tf.add(x, tf.unique(tf.reshape(x, [-1])).values)],
  ['dataSync', /a read of values.* in layer 'custom'/, (x) => tf.mul(x, tf.scalar(x.dataSync()[0]))],
  ['a branch on data', /a read of values.* in layer 'custom'/, (x) => (tf.sum(x).dataSync()[0] > 0 ? x : tf.neg(x))],
  [
    'a shape that depends on data',
    /a read of values.* in layer 'custom'/,
    (x) => tf.slice(x, [0, 0], [-1, Math.ceil(x.arraySync() as unknown as number)]),
  ],
  [
    'a swallowed error',
    /the operation TopK in layer 'custom'/,
    (x) => {
      try {
        return tf.topk(x, 3).values
      } catch {
        return x
      }
    },
  ],
  [
    'an error of its own',
    /the forward pass: no such luck in layer 'custom'/,
    () => {
      throw new Error('no such luck')
    },
  ],
  ['a complex tensor', /in layer 'custom'/, (x) => tf.real(tf.complex(x, x))],
]

const trace = (model: Model, training = false) =>
  traceGradient(openModel(model), { batchSize: 2, criterion: crossEntropy(), reduction: 'mean', training }, (output) =>
    g.parameter(output.graph, 'labels', output.shape),
  )

const predict = (model: LayersModel, shape: number[]): number[] =>
  tf.tidy(() => [...(model.predict(tf.reshape(tf.linspace(-1, 1, g.sizeOf(shape)), shape)) as tf.Tensor).dataSync()])

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  beforeEach(async () => {
    await tf.setBackend(backend)
    tf.engine().startScope()
  })
  afterEach(() => {
    expect(tf.getBackend()).toBe(backend)
    tf.engine().endScope()
  })

  it.each(bodies)('a layer with %s is named and the model is as before', (_, message, body) => {
    let active: Body = tf.sin
    const dense = () => layers.dense({ units: 3, inputShape: [3] })
    const model = sequential({ layers: [dense(), new Custom((x) => active(x)), dense()] })
    const expected = predict(model, [2, 3])
    const before = snapshot(model)
    active = body
    expect(() => trace(model)).toThrow(message)
    expect(() => trace(model)).toThrow(expect.objectContaining({ name: 'DlgError', code: 'untraceable' }))
    expectUnchanged(before, model)
    active = tf.sin
    expect(predict(model, [2, 3])).toEqual(expected)
    trace(model)
    expectUnchanged(before, model)
  })

  it('the layer inside a nested model and a wrapper is named', () => {
    const inner = sequential({
      layers: [layers.dense({ units: 3, inputShape: [3] }), new Custom((x) => tf.topk(x, 3).values)],
    })
    const model = sequential({ layers: [layers.dense({ units: 3, inputShape: [3] }), inner] })
    const before = snapshot(model)
    expect(() => trace(model)).toThrow(/TopK in layer 'custom'/)
    expectUnchanged(before, model)
    const cell = layers.timeDistributed({ layer: new Custom((x) => tf.topk(x, 3).values) as never, inputShape: [2, 3] })
    const wrapped = sequential({ layers: [cell as never, layers.flatten(), layers.dense({ units: 2 })] })
    expect(() => trace(wrapped)).toThrow(/TopK in layer 'custom'/)
  })

  it('a functional model that reads values, or fails, is refused', () => {
    const model = (apply: FunctionalModel['apply']): FunctionalModel => ({
      inputShape: [3],
      weights: { w: tf.ones([3, 2]) },
      apply,
    })
    const failing: [FunctionalModel['apply'], RegExp][] = [
      [(x, { w }) => tf.mul(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), x.dataSync()[0]), /a read of values/],
      [(x, { w }) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, true), /cannot trace .*matMul/],
      [(x, { w }) => tf.mul(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), tf.unique(x).values), /operation Unique/],
    ]
    const models = failing.map(([apply, message]) => [model(apply), message] as const)
    const before = snapshot(undefined)
    for (const [m, message] of models) {
      expect(() => trace(m)).toThrow(message)
      expect(() => trace(m)).toThrow(expect.objectContaining({ code: 'untraceable' }))
    }
    expectUnchanged(before)
  })

  it('batch normalization in training mode leaves the moving statistics as they are', () => {
    const model = sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [3] }),
        layers.batchNormalization(),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
    })
    const expected = predict(model, [2, 3])
    const before = snapshot(model)
    trace(model, true)
    expectUnchanged(before, model)
    expect(predict(model, [2, 3])).toEqual(expected)
    // a real training call still moves them
    tf.tidy(() => model.apply(tf.randomNormal([2, 3]), { training: true }) as tf.Tensor)
    expect(predict(model, [2, 3])).not.toEqual(expected)
  })

  it('recurrent dropout masks are not left in the model', () => {
    const recurrent = layers.lstm({
      units: 2,
      inputShape: [2, 3],
      recurrentInitializer: 'glorotUniform',
      dropout: 0.3,
      recurrentDropout: 0.3,
    })
    const model = sequential({ layers: [recurrent, layers.dense({ units: 2 })] })
    const before = snapshot(model)
    trace(model, true)
    expectUnchanged(before, model)
    // a call makes masks of its own and frees those of the call before
    const expected = predict(model, [2, 2, 3])
    trace(model, true)
    expect(predict(model, [2, 2, 3])).toEqual(expected)
  })

  it('a stateful layer is refused', () => {
    const recurrent = layers.simpleRNN({
      units: 2,
      batchInputShape: [2, 2, 3],
      recurrentInitializer: 'glorotUniform',
      stateful: true,
    })
    const model = sequential({ layers: [recurrent, layers.dense({ units: 2 })] })
    predict(model, [2, 2, 3])
    const before = snapshot(model)
    expect(() => trace(model)).toThrow(/stateful layer.* in layer 'simple_rnn/)
    expectUnchanged(before, model)
  })

  it('traces follow each other and nest', () => {
    const dense = () => sequential({ layers: [layers.dense({ units: 2, inputShape: [2], activation: 'tanh' })] })
    const [outer, inner] = [dense(), dense()]
    const before = snapshot(outer)
    const sizes = [1, 2].map(() => trace(outer).graph.size)
    expect(sizes[1]).toBe(sizes[0])
    const graph = g.createGraph()
    const out = record(graph, new Map(), (recorder) => {
      const x = recorder.tensorOf(g.input(graph, 'x', [2, 2]))
      const y = tf.sin(x)
      expect(trace(inner).graph.size).toBe(sizes[0])
      return recorder.nodeOf(tf.cos(y))
    })
    expect(out.op).toBe('cos')
    expect(out.inputs[0].op).toBe('sin')
    expectUnchanged(before, outer)
  })

  it("tensors of the caller's, made before the trace, are captured by value and stay", () => {
    const big = tf.range(0, 100)
    const variable = tf.variable(tf.tensor1d([1, 2]))
    const before = tf.memory().numTensors
    const graph = g.createGraph()
    const captured = new Map()
    const out = record(graph, captured, (recorder) => {
      const x = recorder.tensorOf(g.input(graph, 'x', [100]))
      const large = tf.linspace(1, 2, 100)
      const values = tf.tensor1d([...big.dataSync()])
      expect([values.dataSync()[99], tf.ones([3]).dataSync()[1]]).toEqual([99, 1])
      return recorder.nodeOf(tf.mul(tf.mul(x, large), tf.mul(tf.mul(big, values), tf.sum(variable))))
    })
    expect(out.shape).toEqual([100])
    for (const values of captured.values()) expect([...values]).toEqual([...big.dataSync()])
    expect(tf.memory().numTensors).toBe(before)
    expect(big.isDisposed || variable.isDisposed).toBe(false)
    variable.dispose()
  })
})
