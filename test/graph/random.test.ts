import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate, type Values } from '../../src/runtime/runtime'
import { uniform } from '../oracle'

// constructors simplify as they go, and rules that are right alone may be wrong together: so random expressions are built
// twice, from nodes and, eagerly, from tfjs tensors

interface Both {
  readonly node: g.Node
  readonly tensor: tf.Tensor
}

/** A step of an expression: what to do with the newest value or an older one, by numbers in [0, 1). */
type Choice = readonly [kind: number, left: number, right: number, detail: number]

const X = [2, 3, 4]
const WEIGHTS = { w: [4, 4], b: [4], c: [3, 1] } as const

const at = <T>(list: readonly T[], where: number): T => list[Math.floor(where * list.length)]
const subset = (rank: number, detail: number): number[] =>
  g.range(rank).filter((i) => (Math.floor(detail * 64) >> i) & 1)

/** A permutation by its number. */
function permutation(rank: number, detail: number): number[] {
  const left = g.range(rank)
  let rest = Math.floor(detail * 24)
  return g.range(rank).map((i) => {
    const [axis] = left.splice(rest % (rank - i), 1)
    rest = Math.floor(rest / (rank - i))
    return axis
  })
}

type Operation = (a: Both, b: Both, detail: number) => Both | undefined

const softmax: Operation = ({ node, tensor }, _b, _detail) => ({ node: g.softmax(node), tensor: tf.softmax(tensor) })

const operations: readonly Operation[] = [
  ({ node, tensor }, _, detail) => {
    const order = permutation(node.shape.length, detail)
    return { node: g.transpose(node, order), tensor: tf.transpose(tensor, order) }
  },
  ({ node, tensor }, _, detail) => {
    const axes = subset(node.shape.length, detail)
    return axes.length === 0 ? undefined : { node: g.sum(node, axes), tensor: tf.sum(tensor, axes, true) }
  },
  ({ node, tensor }, _, detail) => {
    const shape = at([[...node.shape].reverse(), [g.sizeOf(node.shape)], [1, ...node.shape]], detail)
    return { node: g.reshape(node, shape), tensor: tf.reshape(tensor, shape) }
  },
  ({ node, tensor }, _, detail) => {
    const shape = [at([1, 2, 3], detail), ...node.shape]
    return { node: g.broadcast(node, shape), tensor: tf.broadcastTo(tensor, shape) }
  },
  ({ node, tensor }, _, detail) => {
    const factor = at([0.5, -1, 2], detail)
    return { node: g.scale(node, factor), tensor: tf.mul(tensor, factor) }
  },
  ({ node, tensor }, _, detail) => {
    const rank = node.shape.length
    if (rank === 0) return undefined
    const axis = Math.floor(detail * 97) % rank
    const step = at([1, 2, 3], detail)
    const start = Math.min(Math.floor(detail * 41) % 3, node.shape[axis] - 1)
    const first = node.shape.map((_, i) => (i === axis ? start : 0))
    const every = node.shape.map((_, i) => (i === axis ? step : 1))
    const size = node.shape.map((n, i) => (i === axis ? Math.ceil((n - start) / step) : n))
    return {
      node: g.slice(node, first, size, every),
      tensor: tf.stridedSlice(tensor, first, [...node.shape], every),
    }
  },
  ({ node, tensor }, _, detail) => {
    const rank = node.shape.length
    if (rank === 0) return undefined
    const axis = Math.floor(detail * 97) % rank
    const low = node.shape.map((_, i) => (i === axis ? Math.floor(detail * 41) % 3 : 0))
    const high = node.shape.map((_, i) => (i === axis ? Math.floor(detail * 53) % 3 : 0))
    const value = at([0, 0, 0.5], detail)
    const paddings = low.map((n, i) => [n, high[i]] as [number, number])
    return { node: g.surround(node, low, high, value), tensor: tf.pad(tensor, paddings, value) }
  },
  ({ node, tensor }, _, detail) => {
    const rank = node.shape.length
    if (rank === 0) return undefined
    const axis = Math.floor(detail * 97) % rank
    const parts = (n: number) => [0, 1].map((k) => (k === 0 ? Math.ceil(n / 2) : Math.floor(n / 2)))
    const [head, tail] = parts(node.shape[axis])
    if (tail === 0) return undefined
    // halves in the other order
    return {
      node: g.concat([g.sliceAxis(node, axis, head, tail), g.sliceAxis(node, axis, 0, head)], axis),
      tensor: tf.concat([...tf.split(tensor, [head, tail], axis)].reverse(), axis),
    }
  },
  ({ node, tensor }) => ({ node: g.sigmoid(node), tensor: tf.sigmoid(tensor) }),
  softmax,
  (a, b) => ({ node: g.mul(a.node, b.node), tensor: tf.mul(a.tensor, b.tensor) }),
  (a, b) => ({ node: g.add(a.node, b.node), tensor: tf.add(a.tensor, b.tensor) }),
  (a, b) => ({ node: g.sub(a.node, b.node), tensor: tf.sub(a.tensor, b.tensor) }),
  (a, b) => {
    if (a.node.shape.length !== 2 || b.node.shape.length !== 2 || a.node.shape[1] !== b.node.shape[0]) return undefined
    return { node: g.matMul(a.node, b.node), tensor: tf.matMul(a.tensor as tf.Tensor2D, b.tensor as tf.Tensor2D) }
  },
]

const fits = (a: g.Shape, b: g.Shape): boolean =>
  g.range(Math.min(a.length, b.length)).every((i) => {
    const [n, m] = [a[a.length - 1 - i], b[b.length - 1 - i]]
    return n === m || n === 1 || m === 1
  })

/** Takes the steps that fit; what grows beyond a few hundred numbers or four axes is left out. */
function build(leaves: readonly Both[], choices: readonly Choice[]): Both {
  const values = [...leaves]
  for (const [kind, left, right, detail] of choices) {
    const a = left < 0.6 ? values[values.length - 1] : at(values, (left - 0.6) / 0.4)
    const b = at(values, right)
    const operation = at(operations, kind)
    if (operation.length === 2 && !fits(a.node.shape, b.node.shape)) continue
    if (operation === softmax && a.node.shape.length === 0) continue
    const made = operation(a, b, detail)
    if (made && made.node.shape.length <= 4 && g.sizeOf(made.node.shape) <= 200) values.push(made)
  }
  return values[values.length - 1]
}

beforeAll(async () => {
  await tf.setBackend('cpu')
})

it('random expressions have the value that tfjs computes, and second derivatives that finite differences confirm', async () => {
  const number = fc.integer({ min: 0, max: 9999 }).map((n) => n / 10_000)
  const expressions = fc.array(fc.tuple(number, number, number, number), { minLength: 3, maxLength: 9 })
  await fc.assert(
    fc.asyncProperty(expressions, async (choices) => {
      const graph = g.createGraph()
      const x = g.input(graph, 'x', X)
      const start = uniform(24, -1, 1, 7)
      const weights = Object.entries(WEIGHTS).map(
        ([name, shape], i) => [g.parameter(graph, name, shape), uniform(g.sizeOf(shape), 0.5, 1.5, 11 + i)] as const,
      )
      const parameters = new Map<string, Values>(weights.map(([node, values]) => [node.attributes.name, values]))
      let both!: { node: g.Node; values: ArrayLike<number> }
      tf.tidy(() => {
        const leaves = [[x, start] as const, ...weights].map(([node, values]) => ({
          node: node as g.Node,
          tensor: tf.tensor(Float32Array.from(values), [...node.shape]),
        }))
        const { node, tensor } = build(leaves, choices)
        both = { node, values: tensor.dataSync().slice() }
      })
      const loss = g.inner(both.node, g.tanh(both.node))
      const gradients = g.grad(
        loss,
        weights.map(([node]) => node),
      )
      const J = gradients.map((n) => g.inner(n, n)).reduce(g.add)
      const [derivative] = g.grad(J, [x])
      const run = (point: Values, outputs: g.Node[]) =>
        evaluate(reference(), { inputs: [x], outputs }, parameters, [point])
      const [value, slope] = await run(start, [both.node, derivative])
      // differences of nearly equal float32 numbers have few digits left
      const room = 1e-3 * Math.max(1, ...Array.from(both.values, Math.abs))
      for (const [i, v] of value.entries()) expect(Math.abs(v - both.values[i])).toBeLessThan(room)
      const direction = uniform(24, -1, 1, 5)
      const along = async (h: number) =>
        (
          await run(
            start.map((v, i) => v + h * direction[i]),
            [J],
          )
        )[0][0]
      const h = 1e-4
      const difference =
        (8 * ((await along(h)) - (await along(-h))) - (await along(2 * h)) + (await along(-2 * h))) / (12 * h)
      const exact = (slope as Float64Array).reduce((sum, v, i) => sum + v * direction[i], 0)
      const size = Math.abs(await along(0)) + Math.abs(exact) + 1e-6
      expect(Math.abs(exact - difference) / size).toBeLessThan(1e-6)
    }),
    { numRuns: 1500 },
  )
})
