import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { type Criterion, graph as g, gradientsOf } from '../../src/index'
import { functionalNet, functionalWeights, sample } from '../attacks/matching/tiny'
import { thrown } from '../io/thrown'

const graph = g.createGraph()
const node = g.input(graph, 'x', [2, 3])
const stranger = g.input(g.createGraph(), 'x', [2, 3])

describe('what does not fit is refused with what would', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'shapes',
      () => g.add(node, g.input(graph, 'y', [4])),
      /\[2,3\], \[4\] do not broadcast; sizes must be equal or 1/,
    ],
    ['two graphs', () => g.mul(node, stranger), /mul: inputs belong to different graphs; all of them must be of one/],
    ['two graphs of constants', () => g.add(g.scalar(graph, 1), g.scalar(g.createGraph(), 1)), /different graphs/],
    ['a number for a node', () => g.add(node, 2 as never), /add: 2 is no node; operands must be nodes/],
    ['a copy of a node', () => g.neg({ ...node } as never), /neg: an object is no node/],
    ['an axis too far', () => g.sum(node, [2]), /sum: axes are \[2\]; .* in \[-2, 2\)/],
    ['half an axis', () => g.concat([node, node], 0.5), /axis is 0.5; it must be a whole number in \[0, 2\)/],
    ['a product', () => g.matMul(node, node), /\[2,3\] · \[2,3\]; shapes must be \[\.\.\., m, k\] · \[\.\.\., k, n\]/],
    ['a permutation', () => g.transpose(node, [0, 0]), /must have each axis 0, 1, … once/],
    ['a slice outside', () => g.slice(node, [0, 2], [1, 2]), /must lie within \[2,3\]/],
    ['a constant', () => g.constant(graph, [1, 2, 3], [2]), /a list of 2 numbers/],
    ['a seed', () => g.grad(node, [node], g.scalar(graph, 1)), /it must have that of y, \[2,3\]/],
    ['a seed too few', () => g.pullBack([node, node], [node], [node]), /a seed for each y, of its shape/],
    ['no seed', () => g.grad(node, [node]), /it must be a scalar, or have a seed/],
    ['an operation', () => g.unary('cube' as never, node), /there is no such operation; it must be one of neg, /],
  ])('%s', (_, build, message) => {
    const size = graph.size
    const error = thrown(build)
    expect(error.code).toBe('invalid-graph')
    expect(error.message).toMatch(message)
    // constants and inputs of the test itself are nodes; the refused one is none
    expect(graph.size).toBeLessThanOrEqual(size + 1)
  })
})

describe('what a caller wrote is named where it builds what does not fit', () => {
  const weights = functionalWeights()
  const x = sample([1, 8])

  it('a criterion', async () => {
    const criterion: Criterion = { name: 'mine', loss: (output, target) => g.matMul(output, target) }
    await expect(gradientsOf(functionalNet(weights), x, [1], { criterion })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/loss\(\) of criterion 'mine' threw: matMul: /),
    })
  })

  it('a model', async () => {
    const apply = (data: tf.Tensor, w: tf.NamedTensorMap) => tf.matMul(data as tf.Tensor2D, w.w2 as tf.Tensor2D)
    await expect(gradientsOf({ ...functionalNet(weights), apply }, x, [1])).rejects.toMatchObject({
      code: 'untraceable',
    })
  })
})
