import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { vit } from '../../examples/models/vit'
import { deepLeakage, gradientsOf, inferLabels, type Model } from '../../src'
import { type AttackName, attack, type Target, targetOf } from '../../src/attacks'
import { abortedAfter } from '../in-steps'
import { leavesNoTensors } from '../tensors'
import { numbers, sample, withUniformWeights } from './matching/tiny'

leavesNoTensors()

const runtime = 'reference'

function network(inputs: number, units: number, classes: number) {
  const model = sequential()
  model.add(layers.dense({ inputShape: [inputs], units, activation: 'relu' }))
  model.add(layers.dense({ units: classes }))
  return withUniformWeights(model)
}

/** What a client with these labels shares. */
async function shared(model: Model, shape: readonly number[], labels: readonly number[]) {
  const x = sample([labels.length, ...shape])
  try {
    return await gradientsOf(model, x, labels, { runtime })
  } finally {
    x.dispose()
  }
}

async function targetFor(model: Model, shape: readonly number[], labels: readonly number[]) {
  const gradients = await shared(model, shape, labels)
  try {
    return await targetOf(model, gradients, { batchSize: labels.length, runtime })
  } finally {
    tf.dispose(gradients)
  }
}

/** So that work which goes on to its end rests in few of its pauses. */
const SELDOM = 20

/** Many samples of few classes among many. */
const REPEATED = [3, 3, 3, 17, 17, 25]

interface Situation {
  readonly words: string
  readonly name: AttackName
  model(): Model
  target(model: Model): Promise<Target>
}

const SITUATIONS: readonly Situation[] = [
  {
    words: 'repeated labels',
    name: 'label-inference',
    model: () => network(6, 12, 28),
    target: (model) => targetFor(model, [6], REPEATED),
  },
  {
    words: 'one sample behind a dense layer',
    name: 'dense-inversion',
    model: () => network(70, 20, 4),
    target: (model) => targetFor(model, [70], [2]),
  },
  {
    words: 'neurons of a batch',
    name: 'isolated-inputs',
    model: () => network(30, 60, 5),
    target: (model) => targetFor(model, [30], [2, 0]),
  },
  {
    words: 'a batch behind a ReLU',
    name: 'spear',
    model: () => network(12, 80, 5),
    target: (model) => targetFor(model, [12], [2, 0, 4]),
  },
  {
    words: 'patches of an image',
    name: 'patch-inversion',
    model: () => vit({ size: 8, patch: 2, width: 12, heads: 2, blocks: 1, classes: 4 }),
    target: (model) => targetFor(model, [8, 8, 3], [2]),
  },
  { words: 'rows of several users', name: 'embedding-groups', model: recommender, target: basketsOf },
  { words: 'rows of a table', name: 'token-set', model: recommender, target: basketsOf },
]

function recommender() {
  return {
    inputShape: [3],
    weights: {
      items: tf.tensor(numbers(1500 * 8, 1, -1, 1), [1500, 8]),
      last: tf.tensor(numbers(8 * 3, 2, -1, 1), [8, 3]),
    },
    apply: (ids: tf.Tensor, w: tf.NamedTensorMap) =>
      tf.matMul(tf.mean(tf.gather(w.items, tf.cast(ids, 'int32')), 1) as tf.Tensor2D, w.last as tf.Tensor2D),
  }
}

async function basketsOf(model: Model) {
  const ids = tf.tensor([
    [1, 2, 30],
    [4, 5, 30],
    [7, 8, 31],
    [10, 11, 31],
  ])
  const gradients = await gradientsOf(model, ids, [0, 1, 2, 0], { runtime })
  try {
    return await targetOf(model, gradients, { batchSize: 4, runtime })
  } finally {
    tf.dispose([ids, gradients])
  }
}

/** Works with a model, and frees it. */
async function using<M extends Model, T>(model: M, work: (model: M) => Promise<T>): Promise<T> {
  try {
    return await work(model)
  } finally {
    if ('dispose' in model) model.dispose()
    else tf.dispose(model.weights as tf.NamedTensorMap)
  }
}

describe.each(SITUATIONS)('$name works in steps: $words', ({ name, model, target }) => {
  it('other tasks run meanwhile, and it says what it does', async () => {
    await using(model(), async (own) => {
      const given = await target(own)
      const words: string[] = []
      const { found, taken } = await abortedAfter(
        Number.POSITIVE_INFINITY,
        (signal) => attack(name, given, {}, { signal, onProgress: (told) => words.push(told.words) }),
        SELDOM,
      )
      expect(['cut', 'refused']).not.toContain(found.status)
      expect(taken).toBeGreaterThan(1)
      expect(words.length).toBeGreaterThan(0)
      found.dispose()
    })
  })

  it.each([1, 3])('an abort in turn %i of another task ends it', async (turns) => {
    await using(model(), async (own) => {
      const given = await target(own)
      const { found, late } = await abortedAfter(turns, (signal) => attack(name, given, {}, { signal }))
      expect(found.status).toBe('cut')
      // it went no further than a step; to look whether an attack applies is not aborted
      expect(late).toBeLessThan(30)
      found.dispose()
    })
  })

  it('its budget ends it', async () => {
    await using(model(), async (own) => {
      const given = await target(own)
      const { found } = await abortedAfter(Number.POSITIVE_INFINITY, () =>
        attack(name, given, {}, { budget: { milliseconds: 400 } }),
      )
      expect(found.status).toBe('cut')
      found.dispose()
    })
  })
})

describe('work that other attacks begin with', () => {
  it('labels that are inferred before a search: an abort is heard', async () => {
    await using(network(6, 12, 28), async (model) => {
      const gradients = await shared(model, [6], REPEATED)
      const options = { labels: 'infer', batchSize: REPEATED.length, runtime } as const
      await abortedAfter(3, (signal) =>
        expect(deepLeakage(model, gradients, { ...options, signal })).rejects.toMatchObject({ code: 'aborted' }),
      )
      tf.dispose(gradients)
    })
  })

  it('inferLabels lets other tasks run', async () => {
    await using(network(6, 12, 28), async (model) => {
      const gradients = await shared(model, [6], REPEATED)
      const { found, taken } = await abortedAfter(
        Number.POSITIVE_INFINITY,
        () => inferLabels(model, gradients, { batchSize: REPEATED.length, runtime }),
        SELDOM,
      )
      expect(found.labels).toEqual(REPEATED)
      expect(taken).toBeGreaterThan(5)
      tf.dispose(gradients)
    })
  })
})
