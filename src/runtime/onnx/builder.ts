import { type Node, type Shape, sameShape, sizeOf } from '../../graph'
import { type AttributeValue, BOOL, FLOAT, type INT64, type OnnxNode, type OnnxTensor } from './model'

/** Collects the ONNX nodes of one program. Names of values are made here and mean nothing. */
export interface Builder {
  /** Whether the model runs on a processor, where every kernel has all its outputs, and as many as there are. */
  readonly onProcessor: boolean
  readonly nodes: OnnxNode[]
  readonly initializers: OnnxTensor[]
  /** Adds an ONNX node and gives the name of its output. */
  emit(op: string, inputs: readonly string[], attributes?: Record<string, AttributeValue>): string
  /** Adds an ONNX node with several outputs and gives their names. */
  emitAll(op: string, inputs: readonly string[], outputs: number, attributes?: Record<string, AttributeValue>): string[]
  /** A list of integers as an input. */
  integers(values: readonly number[]): string
  /** A float tensor known now. */
  floats(values: readonly number[], shape: Shape): string
  /** The float value of a graph node. */
  value(node: Node): string
  /** The float value under a shape, which may be the node's own. */
  valueAs(node: Node, shape: Shape): string
  /** The value of a mask as a boolean. */
  mask(node: Node): string
  /** Says that a node's value is this float, or this boolean. */
  define(node: Node, name: string, type?: 'float' | 'boolean'): void
  transpose(name: string, permutation: readonly number[]): string
  reshape(name: string, shape: Shape): string
  /** One column [..., 1] of a node [..., k]: the matrix is turned once for all its columns. */
  column(node: Node, index: number): string
  cast(name: string, to: typeof FLOAT | typeof INT64 | typeof BOOL): string
  /** The names that `make` gave the first time this key was asked for. */
  once(key: string, make: () => readonly string[]): readonly string[]
}

export function createBuilder(onProcessor: boolean): Builder {
  const nodes: OnnxNode[] = []
  const initializers: OnnxTensor[] = []
  const constants = new Map<string, string>()
  const floats = new Map<Node, string>()
  const booleans = new Map<Node, string>()
  const turned = new Map<Node, string>()
  const made = new Map<string, readonly string[]>()
  let names = 0

  const constant = (key: string, shape: Shape, data: Float32Array | BigInt64Array): string => {
    let name = constants.get(key)
    if (!name) {
      name = `c${constants.size}`
      constants.set(key, name)
      initializers.push({ name, shape, data })
    }
    return name
  }

  const builder: Builder = {
    onProcessor,
    nodes,
    initializers,
    emit: (op, inputs, attributes) => builder.emitAll(op, inputs, 1, attributes)[0],
    emitAll(op, inputs, count, attributes = {}) {
      const outputs = Array.from({ length: count }, () => `v${names++}`)
      nodes.push({ op, inputs, outputs, attributes })
      return outputs
    },
    integers: (values) =>
      constant(
        `i${values}`,
        [values.length],
        BigInt64Array.from(values, (v) => BigInt(v)),
      ),
    floats: (values, shape) => constant(`f${values}:${shape}`, shape, Float32Array.from(values)),
    value(node) {
      const known = floats.get(node)
      if (known) return known
      const name = builder.cast(booleans.get(node)!, FLOAT)
      floats.set(node, name)
      return name
    },
    valueAs: (node, shape) => {
      const name = builder.value(node)
      return sameShape(node.shape, shape) ? name : builder.reshape(name, shape)
    },
    mask(node) {
      const known = booleans.get(node)
      if (known) return known
      const name = builder.cast(floats.get(node)!, BOOL)
      booleans.set(node, name)
      return name
    },
    define(node, name, type = 'float') {
      ;(type === 'float' ? floats : booleans).set(node, name)
    },
    transpose: (name, permutation) =>
      permutation.every((axis, i) => axis === i) ? name : builder.emit('Transpose', [name], { perm: permutation }),
    reshape: (name, shape) => builder.emit('Reshape', [name, builder.integers(shape)]),
    column(node, index) {
      const columns = node.shape[node.shape.length - 1]
      const rows = sizeOf(node.shape) / columns
      let rowwise = turned.get(node)
      if (!rowwise) {
        const matrix = builder.reshape(builder.value(node), [rows, columns])
        // flat, since onnxruntime would move the transpose behind the slices of a matrix
        rowwise = builder.reshape(builder.transpose(matrix, [1, 0]), [columns * rows])
        turned.set(node, rowwise)
      }
      const ends = [index, index + 1].map((at) => builder.integers([at * rows]))
      const row = builder.emit('Slice', [rowwise, ...ends, builder.integers([0])])
      return builder.reshape(row, node.shape.with(-1, 1))
    },
    once(key, make) {
      const known = made.get(key) ?? make()
      made.set(key, known)
      return known
    },
    cast: (name, to) => builder.emit('Cast', [name], { to }),
  }
  return builder
}
