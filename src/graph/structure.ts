import {
  invalid,
  requireAxis,
  requireCounts,
  requireNodeList,
  requireNodes,
  requirePermutation,
  requireShape,
} from './checks'
import { fill, uniformValue } from './leaves'
import { matMul } from './linear'
import type { Node, Shape } from './node'
import { broadcastShapes, inversePermutation, keepsOrder, MAX_RANK, padRank, range, sameShape, sizeOf } from './shape'

/** Gives the elements another shape, in row-major order. */
export function reshape(x: Node, shape: Shape): Node {
  requireNodes('reshape', x)
  requireShape('reshape', shape)
  if (sizeOf(shape) !== sizeOf(x.shape))
    throw invalid('reshape', `[${x.shape}] does not fit [${shape}]; both must have as many elements`)
  if (sameShape(x.shape, shape)) return x
  const value = uniformValue(x)
  if (value !== undefined) return fill(x.graph, value, shape)
  if (x.op === 'reshape') return reshape(x.inputs[0], shape)
  return x.graph.intern('reshape', [x], {}, [...shape])
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Node, permutation: readonly number[]): Node {
  requireNodes('transpose', x)
  requirePermutation('transpose', permutation)
  if (permutation.length !== x.shape.length)
    throw invalid('transpose', `permutation [${permutation}] must have as many axes as [${x.shape}]`)
  const shape = permutation.map((axis) => x.shape[axis])
  if (keepsOrder(x.shape, permutation)) return reshape(x, shape)
  const value = uniformValue(x)
  if (value !== undefined) return fill(x.graph, value, shape)
  if (x.op === 'transpose') {
    const inner = x.attributes.permutation
    return transpose(
      x.inputs[0],
      permutation.map((axis) => inner[axis]),
    )
  }
  // (A·B)ᵀ = Bᵀ·Aᵀ: products read transposed factors at no cost
  if (x.op === 'matMul' && exchangesLast(permutation)) return matMul(swapLast(x.inputs[1]), swapLast(x.inputs[0]))
  if (x.op === 'broadcast') {
    const source = transpose(reshape(x.inputs[0], padRank(x.inputs[0].shape, x.shape.length)), permutation)
    // a transpose within would float out of the broadcast again
    if (source.op !== 'transpose') return broadcast(source, shape)
  }
  return x.graph.intern('transpose', [x], { permutation: [...permutation] }, shape)
}

/** Whether a permutation exchanges the last two axes and nothing else. */
const exchangesLast = (permutation: readonly number[]): boolean => {
  const last = permutation.length - 1
  return permutation.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i))
}

/** Swaps the last two axes. */
export function swapLast(x: Node): Node {
  requireNodes('swapLast', x)
  if (x.shape.length < 2) throw invalid('swapLast', `[${x.shape}] must have two axes at least`)
  const rank = x.shape.length
  return transpose(x, [...range(rank - 2), rank - 1, rank - 2])
}

/** x repeated to a larger shape under NumPy's rule. */
export function broadcast(x: Node, shape: Shape): Node {
  requireNodes('broadcast', x)
  requireShape('broadcast', shape)
  if (sameShape(x.shape, shape)) return x
  if (!sameShape(broadcastShapes(x.shape, shape), shape))
    throw invalid('broadcast', `[${x.shape}] to [${shape}]; each axis must be 1 or as large, counted from the last`)
  if (x.op === 'broadcast') return broadcast(x.inputs[0], shape)
  if (sizeOf(x.shape) === sizeOf(shape) && uniformValue(x) === undefined) return reshape(x, shape)
  if (x.op === 'transpose') {
    const permutation = x.attributes.permutation
    const aligned = alignPermutation(permutation, shape.length)
    const inverse = inversePermutation(aligned)
    return transpose(
      broadcast(
        x.inputs[0],
        inverse.map((axis) => shape[axis]),
      ),
      aligned,
    )
  }
  return x.graph.intern('broadcast', [x], {}, [...shape])
}

/** A permutation of the last axes as one of `rank` axes. */
export function alignPermutation(permutation: readonly number[], rank: number): number[] {
  requirePermutation('alignPermutation', permutation)
  requireCounts('alignPermutation', 'rank', [rank], 1, permutation.length)
  if (rank > MAX_RANK) throw invalid('alignPermutation', `rank is ${rank}; it must be at most ${MAX_RANK}`)
  const lead = rank - permutation.length
  return [...range(lead), ...permutation.map((axis) => axis + lead)]
}

/** Elements in the opposite order along some axes. */
export function reverse(x: Node, axes: readonly number[]): Node {
  requireNodes('reverse', x)
  if (!Array.isArray(axes)) throw invalid('reverse', 'axes must be a list of whole numbers')
  for (const axis of axes) requireAxis('reverse', axis, x.shape.length)
  const moving = axes.filter((axis) => x.shape[axis] > 1)
  if (moving.length === 0 || uniformValue(x) !== undefined) return x
  if (x.op === 'reverse' && sameShape(x.attributes.axes, moving)) return x.inputs[0]
  if (x.op === 'transpose') {
    const { permutation } = x.attributes
    return transpose(
      reverse(
        x.inputs[0],
        moving.map((axis) => permutation[axis]),
      ),
      permutation,
    )
  }
  return x.graph.intern('reverse', [x], { axes: moving }, x.shape)
}

/** Nodes one after the other along an axis. */
export function concat(inputs: readonly Node[], axis: number): Node {
  requireNodeList('concat', inputs, 1)
  requireAxis('concat', axis, inputs[0].shape.length)
  if (inputs.length === 1) return inputs[0]
  const [first] = inputs
  const agree = inputs.every(
    (n) => n.shape.length === first.shape.length && n.shape.every((d, i) => i === axis || d === first.shape[i]),
  )
  if (!agree)
    throw invalid(
      'concat',
      `${inputs.map((n) => `[${n.shape}]`).join(', ')} along axis ${axis}; all other axes must agree`,
    )
  const turned = inputs.find((n) => n.op === 'transpose' && n.varying)
  if (turned?.op === 'transpose') {
    const { permutation } = turned.attributes
    const inverse = inversePermutation(permutation)
    const same = (n: Node) => n.op === 'transpose' && sameShape(n.attributes.permutation, permutation)
    // what does not vary is transposed once, when it is bound
    if (inputs.every((n) => same(n) || !n.varying)) {
      const straight = inputs.map((n) => (same(n) ? n.inputs[0] : transpose(n, inverse)))
      return transpose(concat(straight, permutation[axis]), permutation)
    }
  }
  const parts = inputs.flatMap((n) => (n.op === 'concat' && n.attributes.axis === axis ? n.inputs : [n]))
  const shape = first.shape.with(
    axis,
    inputs.reduce((sum, n) => sum + n.shape[axis], 0),
  )
  return first.graph.intern('concat', parts, { axis }, shape)
}

/** The node beneath reshapes and broadcasts, which has the same numbers. */
export function unshaped(node: Node): Node {
  requireNodes('unshaped', node)
  return node.op === 'reshape' || node.op === 'broadcast' ? unshaped(node.inputs[0]) : node
}
