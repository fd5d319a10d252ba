import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { type Criterion, DlgError, type FunctionalModel, gradientsOf, tokenCrossEntropy } from '../../../src'
import * as g from '../../../src/graph'
import { numbers } from '../../attacks/matching/tiny'
import { relativeError } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const t = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(numbers(tf.util.sizeFromShape(shape), seed, -1, 1), shape)

/** A linear layer over the last axis, and the gradient of its weight. */
async function gradientOf(
  input: number[],
  criterion: Criterion,
  y: tf.Tensor | number[],
  apply?: FunctionalModel['apply'],
): Promise<Float32Array> {
  const [x, w] = [t(input, 1), t([3, 4], 2)]
  const linear: FunctionalModel['apply'] = (data, weights) =>
    tf.reshape(tf.matMul(tf.reshape(data, [-1, 3]), weights.w as tf.Tensor2D), [...input.slice(0, -1), 4])
  try {
    const model: FunctionalModel = { inputShape: input.slice(1), weights: { w }, apply: apply ?? linear }
    const found = await gradientsOf(model, x, y, { criterion, runtime: 'reference' })
    const values = found.w.dataSync<'float32'>()
    tf.dispose(found)
    return values
  } finally {
    tf.dispose([x, w, ...(y instanceof tf.Tensor ? [y] : [])])
  }
}

const refused = async (run: Promise<unknown>): Promise<DlgError> => {
  const error = await run.catch((thrown) => thrown)
  expect(error).toBeInstanceOf(DlgError)
  return error as DlgError
}

describe('targets that leave no loss', () => {
  const none: [string, Criterion, () => tf.Tensor][] = [
    ['what is not ignored is masked', tokenCrossEntropy({ mask: [[1, 0]] }), () => tf.tensor2d([[-100, 2]])],
    ['rows of zeros', tokenCrossEntropy(), () => tf.zeros([1, 2, 4])],
    ['all are ignored', tokenCrossEntropy(), () => tf.tensor2d([[-100, -100]])],
    [
      'of a criterion that counts positive targets',
      {
        name: 'own',
        loss: (y, target) => g.reshape(g.sum(g.mul(y, target), [1, 2]), [1]),
        weights: (_, target) => g.reshape(g.sum(target, [1, 2]), [1]),
      },
      () => tf.neg(tf.ones([1, 2, 4])),
    ],
  ]
  it.each(none)('%s', async (_, criterion, targets) => {
    expect(await refused(gradientOf([1, 2, 3], criterion, tf.tidy(targets)))).toMatchObject({
      code: 'invalid-data',
      message: expect.stringContaining('there is no loss'),
    })
  })

  it('are told from those that leave some: a mask picks the token that counts', async () => {
    const masked = await gradientOf([1, 2, 3], tokenCrossEntropy({ mask: [[1, 0]] }), tf.tensor2d([[1, 2]]))
    const ignored = await gradientOf([1, 2, 3], tokenCrossEntropy(), tf.tensor2d([[1, -100]]))
    expect(relativeError(masked, ignored)).toBeLessThan(1e-6)
  })

  it('are not sought where weights depend on the output', async () => {
    const own: Criterion = {
      name: 'own',
      loss: (y) => g.reshape(g.sum(y, [1]), [2]),
      weights: (y) => g.reshape(g.sum(g.square(y), [1]), [2]),
    }
    expect((await gradientOf([2, 3], own, [0, 1])).every(Number.isFinite)).toBe(true)
  })
})

it('class indices are the same as a list and as a tensor, ignored ones too', async () => {
  const list = await gradientOf([2, 3], tokenCrossEntropy(), [-100, 2])
  const tensor = await gradientOf([2, 3], tokenCrossEntropy(), tf.tensor1d([-100, 2]))
  expect(list).toEqual(tensor)
  expect(list.some((v) => v !== 0)).toBe(true)
  expect(await refused(gradientOf([2, 3], tokenCrossEntropy(), [-1, 2]))).toMatchObject({ code: 'invalid-data' })
})

describe('a criterion that fails', () => {
  const zeros = (y: g.Node) => g.reshape(g.sum(y, [1]), [2])
  const cause = new RangeError('out of range')
  const fail = (): never => {
    throw cause
  }
  const failing: [string, Criterion][] = [
    ["loss() of criterion 'own' threw: out of range", { name: 'own', loss: fail }],
    ["weights() of criterion 'own' threw: out of range", { name: 'own', loss: zeros, weights: fail }],
  ]
  it.each(failing)('%s', async (words, criterion) => {
    const error = await refused(gradientOf([2, 3], criterion, [0, 1]))
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringContaining(words) })
    expect(error.cause).toBe(cause)
  })

  const wrong: [string, Partial<Criterion>][] = [
    ["criterion 'own' gave undefined; loss() must give [batch]: [2]", { loss: () => undefined as never }],
    ["criterion 'own' gave 3; loss() must give", { loss: () => 3 as never }],
    ["criterion 'own' gave a node of shape [2,4]", { loss: (y) => y }],
    [
      "criterion 'own' gave a node of shape [2] of another graph",
      { loss: () => g.input(g.createGraph(), 'other', [2]) },
    ],
    ["weights() of criterion 'own' gave 3; it must give [batch]: [2]", { weights: () => 3 as never }],
    ["weights() of criterion 'own' gave a node of shape [2,4]", { weights: (y) => y }],
  ]
  it.each(wrong)('%s', async (words, own) => {
    const error = await refused(gradientOf([2, 3], { name: 'own', loss: zeros, ...own }, [0, 1]))
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringContaining(words) })
  })

  it('with an error of ours keeps it', async () => {
    const error = new DlgError('invalid-data', 'its own')
    const own: Criterion = {
      name: 'own',
      loss() {
        throw error
      },
    }
    expect(await refused(gradientOf([2, 3], own, [0, 1]))).toBe(error)
  })
})

describe('weights that do not reach the loss', () => {
  it('are refused where it is all of them: apply() closes over tensors of its own', async () => {
    const own = t([3, 4], 5)
    const closed: FunctionalModel['apply'] = (x) => tf.matMul(x as tf.Tensor2D, own as tf.Tensor2D)
    const error = await refused(gradientOf([2, 3], tokenCrossEntropy(), [0, 1], closed))
    expect(error).toMatchObject({ code: 'invalid-model', message: expect.stringContaining('no trained weight') })
    expect(error.message).toContain('must use the weights it is given')
    own.dispose()
  })

  it('have a gradient of zero where others do', async () => {
    const [x, w, idle] = [t([1, 3], 1), t([3, 4], 2), t([2], 3)]
    const model: FunctionalModel = {
      inputShape: [3],
      weights: { w, idle },
      apply: (data, weights) => tf.matMul(data as tf.Tensor2D, weights.w as tf.Tensor2D),
    }
    const found = await gradientsOf(model, x, [1], { runtime: 'reference' })
    expect([...found.idle.dataSync()]).toEqual([0, 0])
    tf.dispose([x, w, idle, found])
  })
})
