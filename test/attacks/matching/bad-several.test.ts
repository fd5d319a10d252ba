import * as tf from '@tensorflow/tfjs-core'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  DlgError,
  type DlgErrorCode,
  deepLeakage,
  gradientsOf,
  type NamedFunctionalModel,
  type PlainTensor,
  tokenCrossEntropy,
} from '../../../src'
import { numbers, plain, sample, spy } from './tiny'

// what a caller in JavaScript can pass
// biome-ignore lint/suspicious/noExplicitAny: that is anything
type Anything = any

let model: NamedFunctionalModel
let shared: Record<string, PlainTensor>
let x: { a: tf.Tensor; b: tf.Tensor }
let runtime: ReturnType<typeof spy>
let owned: { dispose(): unknown }[]
let numTensors: number

beforeAll(async () => {
  await tf.setBackend('cpu')
})

beforeEach(async () => {
  numTensors = tf.memory().numTensors
  owned = []
  const w = own(tf.tensor(numbers(30, 1, -0.5, 0.5), [5, 6]))
  const v = own(tf.tensor(numbers(18, 2, -0.5, 0.5), [6, 3]))
  const u = own(tf.tensor(numbers(6, 3, -0.5, 0.5), [6, 1]))
  model = {
    name: 'two ends',
    inputShape: { a: [2], b: [3] },
    weights: { w, v, u },
    apply(inputs, weights) {
      const h = tf.sigmoid(tf.matMul(tf.concat([inputs.a, inputs.b], 1) as tf.Tensor2D, weights.w as tf.Tensor2D))
      return { class: tf.matMul(h, weights.v as tf.Tensor2D), age: tf.matMul(h, weights.u as tf.Tensor2D) }
    },
  }
  x = { a: own(sample([1, 2], 3)), b: own(sample([1, 3], 4)) }
  shared = plain(await gradientsOf(model, x, right.y, { ...right.options, runtime: 'reference' }))
  runtime = spy()
})

afterEach(() => {
  for (const thing of owned) thing.dispose()
  expect(tf.memory().numTensors).toBe(numTensors)
})

const right: Anything = {
  y: { class: [2], age: [0.5] },
  options: { criterion: { class: 'crossEntropy', age: 'huber' } },
}

function own<T extends { dispose(): unknown }>(thing: T): T {
  owned.push(thing)
  return thing
}

async function expectError(attempt: Promise<unknown>, code: DlgErrorCode, words: readonly string[]): Promise<void> {
  const error = await attempt.then(
    () => 'nothing was thrown',
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(DlgError)
  expect({ code: error.code, message: error.message }).toMatchObject({ code })
  for (const word of words) expect(error.message).toContain(word)
  expect(runtime.compiled).toBe(0)
}

const refused = (code: DlgErrorCode, words: readonly string[], options: Anything, gradients: Anything = shared) =>
  expectError(
    deepLeakage(model, gradients, { ...right.options, runtime, ...options }).then((leak) => leak.dispose()),
    code,
    words,
  )

const gradientRefused = (code: DlgErrorCode, words: readonly string[], attempt: Anything) =>
  expectError(
    gradientsOf(attempt.model ?? model, attempt.x ?? x, attempt.y ?? right.y, {
      ...right.options,
      runtime,
      ...attempt.options,
    }).then((gradients) => tf.dispose(gradients)),
    code,
    words,
  )

it('the attack these tests spoil works', async () => {
  own(await deepLeakage(model, shared, { ...right.options, runtime, iterations: 1, restarts: 1 }))
  // the objective, and the factor that would fit
  expect(runtime.compiled).toBe(2)
})

describe('data', () => {
  const wrong: [string[], () => Anything][] = [
    [["data is one tensor; model 'two ends' needs", 'one for each of a, b'], () => x.a],
    [['1 data in a list', 'one for each of a, b is needed'], () => [x.a]],
    [["data have none for 'b'"], () => ({ a: x.a })],
    [["data have one for 'c', which there is not", 'a, b'], () => ({ ...x, c: x.a })],
    [["data 'b' has shape [1,2]", 'needs [1, 3]'], () => ({ a: x.a, b: x.a })],
    [["data 'b' has shape [2,3]", 'needs [1, 3]'], () => ({ a: x.a, b: own(tf.zeros([2, 3])) })],
    [["data 'a' must be a tf.Tensor"], () => ({ a: 5, b: x.b })],
    [["data 'a' has dtype string"], () => ({ a: own(tf.tensor([['p', 'q']])), b: x.b })],
    [['data must be a tf.Tensor'], () => 5],
  ]
  it.each(wrong)('%j', (words, make) => gradientRefused('invalid-data', words, { x: make() }))
})

describe('targets', () => {
  const wrong: [string[], () => Anything][] = [
    [['1 target in a list', 'one for each of class, age'], () => [2]],
    [["targets have none for 'age'"], () => ({ class: [2] })],
    [["targets have one for 'size'"], () => ({ ...right.y, size: [2] })],
    [['label 3 is not a class index in [0, 3)'], () => ({ class: [3], age: [0.5] })],
    [["2 targets; the model's output has [1,1]"], () => ({ class: [2], age: [1, 2] })],
    [['targets has NaN'], () => ({ class: [2], age: [Number.NaN] })],
    [["targets have shape [1,2]; the model's output has [1,3]"], () => ({ class: x.a, age: [1] })],
  ]
  it.each(wrong)('%j', (words, make) => gradientRefused('invalid-data', words, { y: make() }))

  const known: [DlgErrorCode, string[], Anything][] = [
    ['labels', ['1 label in a list', 'one for each of class, age is needed'], [2]],
    ['labels', ['labels have none for'], { class: 'infer' }],
    ['labels', ["labels have one for 'size'"], { class: 'infer', age: 'joint', size: 'joint' }],
    ['invalid-option', ["labels.age is 'guess'", "'joint' or 'infer' or a list"], { class: 'infer', age: 'guess' }],
    ['invalid-option', ['labels[1] is null'], ['joint', null]],
    ['invalid-option', ['labels is an object without a name'], {}],
    ['labels', ["labels: 'infer' cannot apply", 'the training loss is huber'], { class: 'joint', age: 'infer' }],
    ['invalid-data', ['targets have shape [1,2]'], ['joint', { targets: { shape: [1, 2], data: [1, 2] } }]],
    [
      'invalid-data',
      ['targets have 1 number for the shape [1,2]'],
      ['joint', { targets: { shape: [1, 2], data: [1] } }],
    ],
    ['invalid-data', ['targets must be a tensor or {shape, data}'], ['joint', { targets: { shape: [1], data: null } }]],
    ['invalid-data', ['targets has NaN at position 0'], ['joint', { targets: { shape: [1], data: [Number.NaN] } }]],
    ['labels', ["unknown as 'words'"], ['joint', { name: 'mine', decide: () => ({ kind: 'joint', as: 'words' }) }]],
  ]
  it.each(known)('%s %j', (code, words, labels) => refused(code, words, { labels }))

  it('tokens that are all ignored', () =>
    gradientRefused('invalid-data', ['every label is -100', 'there is no loss'], {
      y: { class: own(tf.fill([1], -100)), age: [1] },
      options: { criterion: { class: tokenCrossEntropy(), age: 'huber' } },
    }))
})

describe('losses', () => {
  const wrong: [string[], Anything][] = [
    [['1 criteria in a list', 'class, age'], { criterion: ['huber'] }],
    [["criteria have one for 'size'", 'class, age'], { criterion: { size: 'huber' } }],
    [["criterion.age is 'hinge'"], { criterion: { class: 'crossEntropy', age: 'hinge' } }],
    [['criterion is an object', 'loss()'], { criterion: {} }],
    [['lossWeights.age is 0', 'a number above 0'], { lossWeights: { class: 1, age: 0 } }],
    [['lossWeights.0 is NaN'], { lossWeights: [Number.NaN, 1] }],
    [['lossWeights is 2', 'a list or a map'], { lossWeights: 2 }],
    [["lossWeights have none for 'age'"], { lossWeights: { class: 1 } }],
    [['3 lossWeights in a list'], { lossWeights: [1, 2, 3] }],
  ]
  it.each(wrong)('%j %j', (words, options) => refused('invalid-option', words, options))
})

describe('known inputs', () => {
  const wrong: [DlgErrorCode, string[], () => Anything][] = [
    ['invalid-option', ["known have one for 'c', which there is not; there are a, b"], () => ({ c: x.a })],
    ['invalid-option', ['known has every input (a, b): nothing is left to search'], () => x],
    ['invalid-option', ['known is a tensor', 'a map of tensors by input'], () => x.a],
    ['invalid-option', ['known is [1]'], () => [1]],
    ['invalid-data', ["known 'b' has shape [1,2]", 'needs [1, 3]'], () => ({ b: x.a })],
    ['invalid-data', ["known 'b' must be a tf.Tensor"], () => ({ b: [1, 2, 3] })],
    [
      'invalid-data',
      ["known 'b' has Infinity at position 0"],
      () => ({ b: own(tf.fill([1, 3], Number.POSITIVE_INFINITY)) }),
    ],
  ]
  it.each(wrong)('%s %j', (code, words, make) => refused(code, words, { known: make() }))

  it('what the gradient does not depend on smoothly has to be known', async () => {
    const { apply } = model
    model = { ...model, apply: (inputs, weights) => apply({ ...inputs, a: tf.round(inputs.a) }, weights) }
    await refused('invalid-model', ["'two ends' does not depend on its input 'a' smoothly", 'give it as known'], {})
  })
})

describe('gradients that are missing', () => {
  const without = (name: string) => Object.fromEntries(Object.entries(shared).filter(([n]) => n !== name))

  it('are refused unless said, and the message says how', async () => {
    const words = ["no gradient for weight 'u' [6, 1]", "missing: ['u']", "missing: 'allowed'"]
    await refused('invalid-gradients', words, {}, without('u'))
    const list = ['2 gradients for 3 trained weights', "the first without one is 'u'", "missing: ['u', …]"]
    await refused('invalid-gradients', list, {}, Object.values(without('u')))
  })

  it('are still refused when another is', () =>
    refused('invalid-gradients', ["no gradient for weight 'u'"], { missing: ['v'] }, { w: shared.w }))

  it('in a list need names', () =>
    refused('invalid-gradients', ['2 gradients for 3'], { missing: 'allowed' }, Object.values(without('u'))))

  it('and a stranger among the others is no excuse', () =>
    refused(
      'invalid-gradients',
      ["'x' belongs to no trained weight"],
      { missing: 'allowed' },
      { ...without('u'), x: shared.u },
    ))

  const wrong: [DlgErrorCode, string[], Anything][] = [
    ['invalid-option', ["missing names 'x', no trained weight; there are w, v, u"], ['x']],
    ['invalid-option', ["missing is 'u'", "'allowed' or a list of names"], 'u'],
    ['invalid-option', ['missing is [1]'], [1]],
    ['invalid-gradients', ["the gradient of 'u' is there, and missing names it"], ['u']],
  ]
  it.each(wrong)('%s %j', (code, words, missing) => refused(code, words, { missing }))

  it('all of them', () =>
    refused('invalid-gradients', ['the gradient of every weight is missing'], { missing: 'allowed' }, {}))
})

describe('the rest', () => {
  it.each([
    [{ data: { c: [1] } }, ["init.data have one for 'c'"]],
    [{ data: { b: [1] } }, ['init.data.b has 1 number; [1,3] needs 3']],
    [{ data: { b: null } }, ['init.data.b is null; it must be a tensor or a list of numbers']],
    [{ data: [1, 2], labels: { size: [1] } }, ["init.labels have one for 'size'"]],
  ])('init %j', (init, words) => refused('invalid-option', words, { init }))

  it.each([{}, { a: [2], b: [-1] }, [[2], [3]]])('inputShape %j', (inputShape) =>
    gradientRefused('invalid-model', ["model 'two ends' needs inputShape"], { model: { ...model, inputShape } }),
  )

  it.each([{}, { class: 5 }])('apply() that returns %j', (result) =>
    gradientRefused('invalid-model', ['must return a tensor, at once, or a map of tensors'], {
      model: { ...model, apply: () => result },
    }),
  )
})
