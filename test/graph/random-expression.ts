import * as tf from '@tensorflow/tfjs-core'
import * as g from '../../src/graph'

// constructors simplify as they go, and rules that are right alone may be wrong together: so random expressions are built
// twice, from nodes and, eagerly, from tfjs tensors

/** One value, built twice. */
export interface Both {
  readonly node: g.Node
  readonly tensor: tf.Tensor
}

/** A step of an expression: what to do with the newest value or an older one, by numbers in [0, 1). */
export type Choice = readonly [kind: number, left: number, right: number, detail: number]

export const X = [2, 3, 4]
export const WEIGHTS = { w: [4, 4], b: [4], c: [3, 1] } as const

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
  (a, b) => ({
    node: g.div(a.node, g.sqrt(g.offset(g.square(b.node), 1))),
    tensor: tf.div(a.tensor, tf.sqrt(tf.add(tf.square(b.tensor), 1))),
  }),
  // rows standardized by hand
  ({ node, tensor }, _b, _detail) => {
    const last = node.shape.length - 1
    if (last < 0) return undefined
    const deviation = g.sub(node, g.mean(node, [last]))
    const { mean, variance } = tf.moments(tensor, [last], true)
    return {
      node: g.div(deviation, g.sqrt(g.offset(g.mean(g.square(deviation), [last]), 0.1))),
      tensor: tf.div(tf.sub(tensor, mean), tf.sqrt(tf.add(variance, 0.1))),
    }
  },
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
export function build(leaves: readonly Both[], choices: readonly Choice[]): Both {
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
