import type * as tf from '@tensorflow/tfjs-core'
import type { Node } from '../graph'
import * as g from '../graph'

const BOOLEAN =
  /^(Less|LessEqual|Greater|GreaterEqual|Equal|NotEqual|LogicalAnd|LogicalOr|LogicalXor|LogicalNot|IsNan|IsInf|IsFinite|All|Any)$/

/** The dtype of a kernel's result, which decides what a later cast means. */
export function outputDtype(kernel: string, inputs: tf.NamedTensorInfoMap, attributes?: tf.NamedAttrMap): tf.DataType {
  if (BOOLEAN.test(kernel)) return 'bool'
  if (kernel === 'ArgMax' || kernel === 'ArgMin') return 'int32'
  if (typeof attributes?.dtype === 'string') return attributes.dtype as tf.DataType
  if (kernel === 'Mean' || kernel === 'RealDiv' || kernel === 'LinSpace') return 'float32'
  const first = kernel === 'Select' ? inputs.t : kernel === 'ScatterNd' ? inputs.updates : Object.values(inputs)[0]
  const dtype = first?.dtype ?? 'float32'
  return dtype === 'bool' && (kernel === 'Sum' || kernel === 'Prod') ? 'int32' : dtype
}

/** Truncation towards zero for integers, 0 or 1 for booleans. */
export function cast(x: Node, from: tf.DataType, to: tf.DataType): Node {
  const number = (value: number) => g.scalar(x.graph, value)
  if (to === 'bool' && from !== 'bool') return g.sub(number(1), g.equal(x, number(0)))
  if (to === 'int32' && from === 'float32') return g.mul(g.unary('sign', x), g.unary('floor', g.abs(x)))
  return x
}
