import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Distance, type FunctionalModel, gradientsOf, whitened } from '../../src'
import {
  type AttackProgress,
  attack,
  attacks,
  type TableAttackOptions,
  type Target,
  type TargetOptions,
  targetOf,
} from '../../src/attacks'
import { decodeTable } from '../../src/tabular'
import { nextTokenGradients, randomGpt, transformerOf } from '../../src/text'
import { uniform } from '../oracle'
import { contractTests, type Situation } from './contract'
import { convNet, denseNet, numbers, plain, sample, withUniformWeights } from './matching/tiny'
import { mlp, records, SCHEMA, sharedBy } from './tabular/tables'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

/** What a client with this model and these samples would share. */
async function shared(
  model: LayersModel,
  batch: number,
  labels: number[],
  options: TargetOptions = {},
): Promise<Target> {
  const x = sample([batch, ...(model.inputs[0].shape.slice(1) as number[])])
  const gradients = plain(await gradientsOf(model, x, labels, { runtime: 'reference' }))
  x.dispose()
  return targetOf(model, gradients, { batchSize: batch, runtime: 'reference', ...options })
}

const [dense, conv, unbiased] = [denseNet(), convNet(), denseNet({ bias: false })]

const secret = (values: ArrayLike<number> | undefined, shape: number[], tolerance: number) => {
  const own = numbers(
    shape.reduce((a, b) => a * b),
    99,
  )
  expect(values?.length).toBe(own.length)
  for (const [i, value] of own.entries()) expect(Math.abs(values![i] - value)).toBeLessThan(tolerance)
}

describe('label-inference', () => {
  contractTests(attacks['label-inference'], [
    {
      words: 'two classes of a batch',
      target: () => shared(conv, 2, [3, 1]),
      options: {},
      right: ['partial'],
      check: ({ found }) => expect(found.labels).toEqual([1, 3]),
    },
    {
      words: 'a batch without a bias in the last layer',
      target: () => shared(unbiased, 1, [2], { criterion: 'meanSquaredError' }),
      options: {},
      right: ['refused'],
    },
  ])
})

describe('dense-inversion', () => {
  contractTests(attacks['dense-inversion'], [
    {
      words: 'one sample',
      target: () => shared(dense, 1, [2]),
      options: {},
      right: ['proven'],
      check: ({ found, evidence }) => {
        secret(found.data?.dataSync(), [1, 8], 1e-5)
        expect(found.labels).toEqual([2])
        expect(evidence.residual).toBeLessThan(1e-5)
      },
    },
    { words: 'a batch', target: () => shared(dense, 2, [2, 0]), options: {}, right: ['refused'] },
    { words: 'a convolution', target: () => shared(conv, 1, [2]), options: {}, right: ['refused'] },
    // the gradient of a batch taken for that of one sample: neurons disagree
    {
      words: 'a batch told as one',
      target: () => shared(dense, 2, [2, 0], { batchSize: 1 }),
      options: {},
      right: ['failed'],
    },
  ])
})

describe('isolated-inputs', () => {
  const net = sequential()
  net.add(layers.dense({ inputShape: [6], units: 40, activation: 'relu' }))
  net.add(layers.dense({ units: 5 }))
  withUniformWeights(net)
  contractTests(attacks['isolated-inputs'], [
    {
      words: 'two samples behind a ReLU',
      target: () => shared(net, 2, [2, 0]),
      options: {},
      right: ['partial', 'failed'],
    },
    { words: 'one sample', target: () => shared(net, 1, [2]), options: {}, right: ['refused'] },
  ])
})

describe('spear', () => {
  const net = sequential()
  net.add(layers.dense({ inputShape: [8], units: 60, activation: 'relu' }))
  net.add(layers.dense({ units: 5 }))
  withUniformWeights(net)
  contractTests(attacks.spear, [
    {
      words: 'three samples behind a ReLU',
      target: () => shared(net, 3, [2, 0, 4]),
      options: {},
      right: ['proven'],
      check: ({ found }) => {
        expect(found.data?.shape).toEqual([3, 8])
        expect([...found.labels!].sort()).toEqual([0, 2, 4])
      },
    },
    { words: 'a sigmoid', target: () => shared(dense, 2, [2, 0]), options: {}, right: ['refused'] },
  ])
})

describe('patch-inversion', () => {
  const weights = {
    w: tf.tensor(numbers(12 * 12, 1, -0.5, 0.5), [12, 12]),
    table: tf.tensor(numbers(4 * 12, 2, -0.5, 0.5), [4, 12]),
    v: tf.tensor(numbers(48 * 5, 3, -0.5, 0.5), [48, 5]),
  }
  const patched: FunctionalModel = {
    inputShape: [4, 12],
    weights,
    apply: (x, { w, table, v }) => {
      const z = tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, 12]), w), [-1, 4, 12]), table)
      return tf.matMul(tf.reshape(tf.sigmoid(z), [-1, 48]), v)
    },
  }
  const target = async (batch: number, labels: number[]) => {
    const x = sample([batch, 4, 12])
    const gradients = plain(await gradientsOf(patched, x, labels, { runtime: 'reference' }))
    x.dispose()
    return targetOf(patched, gradients, { batchSize: batch, runtime: 'reference' })
  }
  contractTests(attacks['patch-inversion'], [
    {
      words: 'four patches with positions',
      target: () => target(1, [3]),
      options: {},
      right: ['proven'],
      check: ({ found }) => {
        secret(found.data?.dataSync(), [4, 12], 1e-4)
        expect(found.labels).toEqual([3])
      },
    },
    { words: 'two samples', target: () => target(2, [3, 1]), options: {}, right: ['refused'] },
    { words: 'no positions', target: () => shared(conv, 1, [2]), options: {}, right: ['refused'] },
  ])
})

describe('r-gap', () => {
  contractTests(attacks['r-gap'], [
    {
      words: 'a convolution, a sigmoid and a dense layer',
      target: () => shared(conv, 1, [2]),
      options: {},
      right: ['proven', 'undetermined'],
      check: ({ found }) => {
        secret(found.data?.dataSync(), [6, 6, 1], 1e-3)
        expect(found.labels).toEqual([2])
      },
    },
    { words: 'two samples', target: () => shared(conv, 2, [3, 1]), options: {}, right: ['refused'] },
  ])
})

describe('token-set', () => {
  const model = randomGpt({ vocabularySize: 60, hidden: 12, heads: 2, positions: 8, layers: 2 })
  const embedded = sequential()
  embedded.add(layers.embedding({ inputDim: 30, outputDim: 4, inputLength: 5 }))
  embedded.add(layers.flatten())
  embedded.add(layers.dense({ units: 3 }))
  withUniformWeights(embedded)
  contractTests(attacks['token-set'], [
    {
      words: 'a trained embedding',
      async target() {
        const ids = tf.tensor2d([[4, 9, 4, 17, 2]], [1, 5])
        const gradients = plain(await gradientsOf(embedded, ids, [1], { runtime: 'reference' }))
        ids.dispose()
        return targetOf(embedded, gradients)
      },
      options: {},
      right: ['partial'],
      check: ({ found }) => expect(found.tokens).toEqual([2, 4, 9, 17]),
    },
    { words: 'no table', target: () => shared(dense, 1, [2]), options: {}, right: ['refused'] },
  ])
  model.dispose()
})

describe('embedding-groups', () => {
  const model: FunctionalModel = {
    inputShape: [3],
    weights: {
      items: tf.tensor(numbers(30 * 6, 1, -0.5, 0.5), [30, 6]),
      w: tf.tensor(numbers(18, 2, -0.5, 0.5), [6, 3]),
    },
    apply: (ids, { items, w }) =>
      tf.matMul(tf.mean(tf.gather(items, tf.cast(ids, 'int32')), 1) as tf.Tensor2D, w as tf.Tensor2D),
  }
  const target = async (baskets: number[][], labels: number[]) => {
    const ids = tf.tensor2d(baskets)
    const gradients = plain(await gradientsOf(model, ids, labels, { runtime: 'reference' }))
    ids.dispose()
    return targetOf(model, gradients, { batchSize: labels.length })
  }
  contractTests(attacks['embedding-groups'], [
    {
      words: 'the baskets of two users',
      target: () =>
        target(
          [
            [4, 9, 9],
            [1, 2, 7],
          ],
          [1, 2],
        ),
      options: {},
      right: ['partial'],
      check: ({ found }) => expect(found.sequences!.map(String).sort()).toEqual(['1,2,7', '4,9,9']),
    },
    { words: 'a user with one item', target: () => target([[4, 4, 4]], [1]), options: {}, right: ['failed'] },
    { words: 'no table', target: () => shared(dense, 1, [2]), options: {}, right: ['refused'] },
  ])
})

describe('dager', () => {
  const sizes = { vocabularySize: 400, hidden: 64, heads: 2, positions: 12 }
  const model = randomGpt(sizes)
  const sentence = Array.from(uniform(9, 0, 400, 5), Math.floor)
  const target = async () =>
    targetOf(model.overTokens(8), plain(await nextTokenGradients(model, [sentence], { runtime: 'reference' })))
  contractTests(attacks.dager, [
    {
      words: 'a sentence of a decoder',
      target,
      options: { transformer: transformerOf(model) },
      right: ['proven'],
      check: ({ found }) => expect(found.sequences).toEqual([sentence]),
    },
    { words: 'without a transformer', target, options: {}, right: ['refused'] },
  ])
})

describe('tableak', () => {
  const model = mlp(11, 'relu', [60, 20], 3)
  const rows = records(3, 21)
  const target = async () =>
    targetOf(model, await sharedBy(model, SCHEMA, rows, [0, 1, 1]), { batchSize: 3, runtime: 'reference' })
  contractTests(attacks.tableak, [
    {
      words: 'three records',
      target,
      options: { schema: SCHEMA },
      right: ['proven'],
      check: ({ found }) => {
        expect(found.data?.shape).toEqual([3, 11])
        expect(decodeTable(SCHEMA, found.data!.dataSync()).map(({ age }) => age)).toEqual(
          expect.arrayContaining(rows.map(({ age }) => age)),
        )
        expect([...found.labels!].sort()).toEqual([0, 1, 1])
      },
    },
    {
      words: 'a short search',
      target,
      options: { schema: SCHEMA, exact: false, iterations: 5, restarts: 1 },
      right: ['failed'],
    },
    { words: 'no schema', target, options: {}, right: ['refused'] },
    {
      words: 'a schema of another width',
      target,
      options: { schema: { columns: SCHEMA.columns.slice(1) } },
      right: ['refused'],
    },
  ] satisfies Situation<TableAttackOptions>[])
})

describe('gradient-matching', () => {
  const options = { restarts: 2, iterations: 60 }
  const situations: Situation<typeof options>[] = [
    {
      words: 'one sample',
      target: () => shared(conv, 1, [2]),
      options,
      right: ['matched', 'proven'],
      check: ({ found, evidence, work }) => {
        secret(found.data?.dataSync(), [1, 6, 6, 1], 5e-2)
        expect(found.labels).toEqual([2])
        expect(evidence.residual).toBeLessThan(3e-4)
        expect(work.evaluations).toBeGreaterThan(20)
      },
    },
    {
      words: 'three iterations',
      target: () => shared(conv, 1, [2]),
      options: { restarts: 1, iterations: 3 },
      right: ['failed'],
    },
  ]
  contractTests(attacks['gradient-matching'], situations)

  it('ends when the caller aborts, with the best so far', async () => {
    const controller = new AbortController()
    const target = await shared(conv, 1, [2])
    const outcome = await attack(
      'gradient-matching',
      target,
      { iterations: 100_000 },
      {
        signal: controller.signal,
        onProgress: ({ evaluations = 0 }) => {
          if (evaluations > 0) controller.abort()
        },
      },
    )
    expect(outcome).toMatchObject({ status: 'cut' })
    expect(outcome.work.evaluations).toBeGreaterThan(0)
    expect(outcome.found.data?.shape).toEqual([1, 6, 6, 1])
    outcome.dispose()
  })

  it('tells what it prepares before it searches, and an error of the listener is thrown', async () => {
    const target = await shared(conv, 1, [2])
    const before = tf.memory().numTensors
    const mine = new RangeError('enough')
    const throwing = ({ words }: AttackProgress) => {
      if (words.endsWith('weights')) throw mine
    }
    await expect(attack('gradient-matching', target, {}, { onProgress: throwing })).rejects.toBe(mine)
    expect(tf.memory().numTensors).toBe(before)
  })

  const PREPARED = [
    'the model is traced',
    'the objective is differentiated',
    'the smoothed objective is differentiated',
    'the scales of the kinks are measured',
    'the program is compiled',
    'the program is given its weights',
    'the smoothed program is compiled',
    'the smoothed program is given its weights',
    'the start is evaluated',
  ]

  it.each(PREPARED.map((last, i) => [last, i] as const))(
    'an abort while it is prepared ends it at once: after "%s"',
    async (last, i) => {
      const target = await shared(conv, 1, [2])
      const before = tf.memory().numTensors
      const controller = new AbortController()
      const told: string[] = []
      const onProgress = ({ words }: AttackProgress): void => {
        if (words.startsWith('preparing: ')) told.push(words.slice('preparing: '.length))
        if (words.endsWith(`: ${last}`)) controller.abort()
      }
      const { signal } = controller
      const outcome = await attack('gradient-matching', target, { preset: 'homotopy' }, { signal, onProgress })
      expect(told).toEqual(PREPARED.slice(0, i + 1))
      // once the start is evaluated, it is the best so far
      const evaluations = last === 'the start is evaluated' ? 1 : 0
      expect(outcome).toMatchObject({ status: 'cut', work: { evaluations } })
      expect(outcome.found.data?.shape).toEqual(evaluations > 0 ? [1, ...target.model.inputs[0].shape] : undefined)
      expect(outcome.reason).toContain(evaluations > 0 ? 'aborted' : 'aborted before anything was evaluated')
      outcome.dispose()
      expect(tf.memory().numTensors).toBe(before)
    },
  )

  it('an error of an async listener is thrown, and nobody is left with a rejection', async () => {
    const mine = new RangeError('later')
    const target = await shared(conv, 1, [2])
    const before = tf.memory().numTensors
    const onProgress = (async () => {
      throw mine
    }) as unknown as (progress: AttackProgress) => void
    await expect(attack('gradient-matching', target, { iterations: 5 }, { onProgress })).rejects.toBe(mine)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('an abort ends a distance that is weighed for long', async () => {
    const target = await shared(conv, 1, [2])
    const controller = new AbortController()
    let steps = 0
    const slow: Distance = {
      ...{ name: 'slow', measure: whitened().measure },
      *weights(tensors) {
        for (; steps < 1000; steps++) {
          if (steps === 3) controller.abort()
          yield
        }
        return tensors.map(() => [])
      },
    }
    const { signal } = controller
    const outcome = await attack('gradient-matching', target, { distance: slow }, { signal })
    expect(outcome).toMatchObject({ status: 'cut', work: { evaluations: 0 } })
    expect(steps).toBe(3)
  })

  it('ends at its budget', async () => {
    const outcome = await attack('gradient-matching', await shared(conv, 1, [2]), {}, { budget: { evaluations: 12 } })
    expect(outcome).toMatchObject({ status: 'cut', work: { evaluations: 12 } })
    outcome.dispose()
  })
})

it('an attack that there is not is named', async () => {
  const target = await shared(dense, 1, [2])
  await expect(attack('dense' as 'dager', target)).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringContaining("'dense-inversion'"),
  })
})
