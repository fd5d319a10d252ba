import type { NodeMessage } from './messages'

/** How a weight lies in a file: transposed by `order`, and then given the shape of the file. */
export interface Layout {
  /** Shape that the client has it in. */
  readonly shape: readonly number[]
  readonly order: readonly number[]
}

/** The numbers of a weight in the client's order. */
export function fromLayout(values: Float32Array, { shape, order }: Layout): Float32Array {
  if (order.every((axis, i) => axis === i)) return values
  const steps = new Array<number>(shape.length)
  let step = 1
  for (const axis of order.toReversed()) {
    steps[axis] = step
    step *= shape[axis]
  }
  const at = new Array<number>(shape.length).fill(0)
  const own = new Float32Array(values.length)
  let from = 0
  for (let i = 0; i < own.length; i++) {
    own[i] = values[from]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis]
      if (++at[axis] < shape[axis]) break
      from -= steps[axis] * shape[axis]
      at[axis] = 0
    }
  }
  return own
}

/** A weight as the client knows it. */
export interface OwnWeight {
  readonly name: string
  readonly layout: Layout
}

interface Use {
  readonly node: NodeMessage
  /** Which input of the node the weight is. */
  readonly at: number
}

/** What a weight is of its layer, from the names that TensorFlow gives to the operations of a layer; the first group is the layer. */
const KERNEL = /^(.+)\/(?:Cast|MatMul|einsum\/Einsum|Tensordot)\/ReadVariableOp$/
const FILTER =
  /^(.+)\/(?:convolution|conv_transpose|Conv[123]D|depthwise|separable_conv2d)\/(?:ReadVariableOp|ExpandDims_1)$/
const DEPTHWISE = /^(.+)\/separable_conv2d\/ReadVariableOp$/
const POINTWISE = /^(.+)\/separable_conv2d\/ReadVariableOp_1$/
const BIAS = /^(.+)\/(?:BiasAdd|Add|add)$/
const ADDED = /^(.+)\/(?:BiasAdd|Add|add|Squeeze)(?:\/ReadVariableOp)?$/
const VARIABLE = /^(.+)\/(?:BiasAdd|Add|add)\/ReadVariableOp$/
const ROWS = /^(.+)\/(?:GatherV2|embedding_lookup)(?:\/ReadVariableOp)?$/
const CELL =
  /^(.+\/(?:gru|lstm|simple_rnn)_cell(?:_\d+)*)\/(?:(Cast|Cast_1|split|BiasAdd)\/)?ReadVariableOp(?:\/resource)?$/
const OF_CELL: Readonly<Record<string, string>> = {
  Cast: 'kernel',
  Cast_1: 'recurrent_kernel',
  split: 'bias',
  BiasAdd: 'bias',
}

const CONVOLUTIONS: ReadonlySet<string | undefined> = new Set(['Conv', 'ConvTranspose'])
/** Operators of TensorFlow that a converter put a bias into. */
const FUSED: ReadonlySet<string | undefined> = new Set(['_FusedConv2D', 'FusedDepthwiseConv2dNative', '_FusedMatMul'])
const ADDITIONS: ReadonlySet<string | undefined> = new Set(['Add', 'AddV2', 'BiasAdd'])

/** `path/to/op:0` is `path/to/op`; what a SavedModel calls its function says nothing. */
const plain = (name = ''): string => name.replace(/:0$/, '').replace(/^(?:(?:Stateful)?PartitionedCall\/)+/, '')

const asItIs = (shape: readonly number[]): Layout => ({ shape, order: shape.map((_, i) => i) })

/** [h, w, I, O] in the file as [O, I, h, w], with an axis of 1 in front of one that is alone. */
function filterLayout(file: readonly number[], flat: boolean): Layout {
  const [outputs, inputs, ...all] = file
  const space = flat ? all.slice(1) : all
  return {
    shape: [...space, inputs, outputs],
    order: [space.length + 1, space.length, ...space.map((_, i) => i)],
  }
}

/** [h, w, C, M] in the file as [C · M, 1, h, w]. */
function depthwiseLayout([total, , ...space]: readonly number[], channels: number): Layout {
  return {
    shape: [...space, channels, total / channels],
    order: [space.length, space.length + 1, ...space.map((_, i) => i)],
  }
}

const groupOf = ({ attribute }: NodeMessage): number => attribute.find(({ name }) => name === 'group')?.i ?? 1

/**
 * The weights of Keras in a graph of TensorFlow or of tf2onnx, with Keras's names and shapes: `dense/kernel`, `conv2d/bias`. Operations are called by the
 * layer that they are in, such as `sequential_1/dense_1/MatMul`. What converters computed anew is none of Keras's weights, and has no
 * entry: kernels that a batch norm was multiplied into, the factors of batch norms, and the weights of an LSTM in ONNX's order.
 *
 * @param shapes of the constants of floats, by name
 */
export function kerasWeights(
  nodes: readonly NodeMessage[],
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, OwnWeight> {
  const uses = new Map<string, Use[]>()
  const note = (node: NodeMessage): void => {
    node.input.forEach((name, at) => {
      if (shapes.has(name)) uses.set(name, [...(uses.get(name) ?? []), { node, at }])
    })
  }
  nodes.forEach(note)
  const found = [...uses].flatMap(([name, [use]]) => {
    const own = ownWeight(name, shapes.get(name)!, use, shapes)
    return own ? [[name, own] as const] : []
  })
  const names = withoutCounters(found.map(([, { name }]) => name))
  const count = (name: string) => names.filter((each) => each === name).length
  // a name that two weights would have is the name of none
  return new Map(
    found.flatMap(([name, { layout }], i) => (count(names[i]) === 1 ? [[name, { name: names[i], layout }]] : [])),
  )
}

function ownWeight(
  name: string,
  shape: readonly number[],
  { node, at }: Use,
  shapes: ReadonlyMap<string, readonly number[]>,
): OwnWeight | undefined {
  const from = plain(name)
  const within = plain(node.name)
  const cell = CELL.exec(from)
  if (cell) return { name: `${cell[1]}/${OF_CELL[cell[2]] ?? 'recurrent_kernel'}`, layout: asItIs(shape) }
  if (CONVOLUTIONS.has(node.opType) && at === 1) return filterOf(from, within, shape, node, shapes)
  const takesBias = CONVOLUTIONS.has(node.opType) || FUSED.has(node.opType)
  const isBias = (takesBias && at === 2) || ADDITIONS.has(node.opType)
  const rows = node.opType === 'Gather' || node.opType === 'GatherV2' || node.opType === 'ResourceGather'
  if (rows && at === 0) return named(ROWS.exec(from), 'embeddings', asItIs(shape))
  const wide = shape.filter((n) => n !== 1)
  const flat: Layout = { shape: [shape.reduce((a, b) => a * b, 1)], order: [0] }
  const norm = /^(.+)\/Reshape(_1)?$/.exec(from)
  const ofNorm = norm?.[2] ? ADDITIONS.has(node.opType) : node.opType === 'Mul'
  if (norm && wide.length <= 1 && ofNorm && within.startsWith(`${norm[1]}/`))
    return named(norm, norm[2] ? 'beta' : 'gamma', flat)
  // attention has a bias for each head
  if (isBias && wide.length > 1) return named(VARIABLE.exec(from), 'bias', asItIs(shape))
  if (isBias) return named(ADDED.exec(from) ?? BIAS.exec(within), 'bias', flat)
  const separable = DEPTHWISE.exec(from)
  if (separable) return named(separable, 'depthwise_kernel', asItIs(shape))
  const pointwise = POINTWISE.exec(from)
  if (pointwise) return named(pointwise, 'pointwise_kernel', asItIs(shape))
  // a convolution over one axis is one over two, of which the first is 1
  const line = from.endsWith('/ExpandDims_1') && shape[0] === 1
  return named(KERNEL.exec(from) ?? FILTER.exec(from), 'kernel', asItIs(line ? shape.slice(1) : shape))
}

function filterOf(
  from: string,
  within: string,
  shape: readonly number[],
  node: NodeMessage,
  shapes: ReadonlyMap<string, readonly number[]>,
): OwnWeight | undefined {
  const groups = node.opType === 'Conv' ? groupOf(node) : 1
  if (groups > 1 && shape[1] === 1 && shape[0] % groups === 0) {
    const layout = depthwiseLayout(shape, groups)
    const separable = /^(.+)\/separable_conv2d\/depthwise$/.exec(within)
    if (separable) return named(separable, 'depthwise_kernel', layout)
    const bias = node.input[2]
    const ofBias = bias && shapes.has(bias) ? /^(.+)\/Squeeze$/.exec(plain(bias)) : undefined
    return named(FILTER.exec(from) ?? /^(.+)\/depthwise$/.exec(within) ?? ofBias ?? undefined, 'kernel', layout)
  }
  if (groups > 1) return undefined
  const pointwise = POINTWISE.exec(from)
  if (pointwise) return named(pointwise, 'pointwise_kernel', filterLayout(shape, false))
  const flat = from.endsWith('/ExpandDims_1') && shape[2] === 1
  return named(FILTER.exec(from), 'kernel', filterLayout(shape, flat))
}

const named = (layer: RegExpExecArray | null | undefined, what: string, layout: Layout): OwnWeight | undefined =>
  layer ? { name: `${layer[1]}/${what}`, layout } : undefined

const COUNTER = /_\d+$/

/**
 * TensorFlow numbers the scopes of a graph, as `sequential_1/dense_1_2` for the layer `dense_1` of `sequential`. Where all have a number,
 * it is taken off.
 */
function withoutCounters(names: readonly string[]): readonly string[] {
  const paths = names.map((name) => name.split('/'))
  const counted = paths.every((path) => path.slice(0, -1).every((scope) => COUNTER.test(scope)))
  const short = paths.map((path) =>
    path.map((scope, i) => (i < path.length - 1 ? scope.replace(COUNTER, '') : scope)).join('/'),
  )
  return counted && new Set(short).size === short.length ? short : names
}

/** The name without the model's, which stands in front. */
const withoutModel = (name: string): string => name.slice(name.indexOf('/') + 1)

/**
 * The names that a client gives to weights, where these differ in the model's name in front.
 *
 * @returns what to call a weight, by the name that it has here
 */
export function wantedNames(names: readonly string[], wanted: ReadonlySet<string>): Map<string, string> {
  const known = new Set(names)
  const short = new Map<string, string[]>()
  for (const name of names) short.set(withoutModel(name), [...(short.get(withoutModel(name)) ?? []), name])
  return new Map(
    [...wanted].flatMap((name) => {
      if (known.has(name)) return []
      const stem = name.replace(/:0$/, '')
      const candidates = [short.get(stem), short.get(withoutModel(stem)), known.has(stem) ? [stem] : undefined]
      const found = candidates.find((each) => each?.length === 1)?.[0]
      return found === undefined ? [] : [[found, name] as const]
    }),
  )
}
