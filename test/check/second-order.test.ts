import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FunctionalModel, type Runtime, reference, tfjs, type Values } from '../../src'
import { convNet, sample } from '../attacks/matching/tiny'
import { check, levels } from './checked'

beforeEach(async () => {
  await tf.setBackend('cpu')
})
afterEach(() => tf.setBackend('cpu'))

/** Computes right values, and wrong derivatives with respect to data of this size. */
const faulty = (factor: number, inner: Runtime, size: number): Runtime => ({
  ...inner,
  async compile(program) {
    const executable = await inner.compile(program)
    return {
      ...executable,
      async bind(parameters) {
        const evaluator = await executable.bind(parameters)
        const isDerivative = (i: number, values: Values) =>
          program.inputs[0].attributes.name === 'data' &&
          program.outputs[0].shape.length === 0 &&
          i === 2 &&
          values.length === size
        const run: typeof evaluator.run = async (inputs) =>
          (await evaluator.run(inputs)).map((v, i) => (isDerivative(i, v) ? v.map((d) => d * factor) : v))
        return { ...evaluator, run }
      },
    }
  },
})

describe('a wrong derivative', () => {
  it.each([
    [1, 'ok'],
    [1.1, 'error'],
    [-1, 'error'],
    [0, 'error'],
  ])('times %s is %s', async (factor, level) => {
    const example = { x: sample([1, 6, 6, 1]), y: [2] }
    const result = await check(convNet(), example, { runtime: faulty(factor, reference(), 36) })
    expect(levels(result, 'second-order')).toEqual([level])
  })
})

describe('a model too large for float64', () => {
  const wide = (): FunctionalModel => ({
    inputShape: [1200],
    weights: { a: tf.sub(sample([1200, 1200], 2), 0.5), b: tf.sub(sample([1200, 4], 3), 0.5) },
    apply: (x, { a, b }) =>
      tf.matMul(tf.tanh(tf.mul(0.1, tf.matMul(x as tf.Tensor2D, a as tf.Tensor2D))), b as tf.Tensor2D),
  })

  it.each([
    [1, 'ok'],
    [1.2, 'error'],
  ])('is checked in float32, times %s is %s', async (factor, level) => {
    await tf.setBackend('wasm')
    const runtime = faulty(factor, tfjs(), 16 * 1200)
    const result = await check(
      wide(),
      { x: sample([16, 1200]), y: Array.from({ length: 16 }, (_, i) => i % 4) },
      { runtime },
    )
    expect(result.secondOrder).toMatchObject({ precision: 'float32', tolerance: 0.05 })
    expect(levels(result, 'second-order')).toEqual([level])
  })
})
