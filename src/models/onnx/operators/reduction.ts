import * as g from '../../../graph'
import { kernels } from '../../../trace'
import { axisOf, type Call, type Operator, type Operators, type Value } from '../call'
import { axesOf } from './structure'

/** A reduction over axes, which stay unless `keepdims` is 0. Axes are an attribute before the version `since`, and an input from then on. */
const reduction =
  (reduce: (x: g.Node, axes: number[]) => g.Node, since = 18): Operator =>
  (call) => {
    const x = call.x()
    const given = axesOf(call, x.shape.length, since)
    const none = !given || given.length === 0
    // over no axis what is not a sum stays: the square, the absolute value, the logarithm
    const axes = !none ? given : call.integer('noop_with_empty_axes', 0) ? [] : g.range(x.shape.length)
    const y = reduce(x, axes)
    return call.integer('keepdims', 1)
      ? y
      : g.reshape(
          y,
          x.shape.filter((_, i) => !axes.includes(i)),
        )
  }

const product = (x: g.Node, axes: number[]): g.Node =>
  kernels.Prod({ x }, { axis: axes, keepDims: true }, x.graph) as g.Node

/** log Σ eˣ, with the largest x taken out so that nothing overflows. */
function logSumExp(x: g.Node, axes: number[]): g.Node {
  const most = g.max(x, axes)
  return g.add(g.log(g.sum(g.exp(g.sub(x, most)), axes)), most)
}

/** √Σ x². That of zeros is 0 and has the slope 0, as in PyTorch. */
function length(x: g.Node, axes: number[]): g.Node {
  const sum = g.sum(g.square(x), axes)
  const none = g.equal(sum, g.scalar(x.graph, 0))
  return g.sub(g.sqrt(g.add(sum, none)), none)
}

const indexOf =
  (sign: 1 | -1): Operator =>
  (call: Call): Value => {
    const x = call.x()
    const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
    if (call.integer('select_last_index', 0)) throw call.refuse('selects the last of equal elements')
    const node = g.argmax(sign === 1 ? x : g.neg(x), axis)
    return { node: call.integer('keepdims', 1) ? node : g.reshape(node, x.shape.toSpliced(axis, 1)), kind: 'integer' }
  }

export const reductionOperators: Operators = {
  ReduceSum: reduction(g.sum, 13),
  ReduceMean: reduction(g.mean),
  ReduceMax: reduction(g.max),
  ReduceMin: reduction(g.min),
  ReduceProd: reduction(product),
  ReduceL1: reduction((x, axes) => g.sum(g.abs(x), axes)),
  ReduceL2: reduction(length),
  ReduceSumSquare: reduction((x, axes) => g.sum(g.square(x), axes)),
  ReduceLogSum: reduction((x, axes) => g.log(g.sum(x, axes))),
  ReduceLogSumExp: reduction(logSumExp),
  ArgMax: indexOf(1),
  ArgMin: indexOf(-1),
}
