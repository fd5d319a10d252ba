import * as tf from '@tensorflow/tfjs-core'
import type { GraphModel } from '../../client/model/model'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { bindStatic } from '../../runtime/reference'
import type { Values } from '../../runtime/runtime'
import { buildNodes, type Functions, functionKey, type Names, neededNodes, requireOperator } from './build'
import type { Building } from './call'
import { type FoundWeight, type FoundWeights, findWeights } from './find-weights'
import type { GraphMessage, ModelMessage } from './messages'
import { withoutLabel } from './scikit'
import { checkedShape, type ExternalData, kindOf, type NumberKind, tensorValues } from './tensor-values'

/** What the caller says of a file. */
export interface OpenSettings {
  readonly name: string
  readonly trainable: readonly string[] | undefined
  readonly outputs: readonly string[] | undefined
  readonly inputShape: { readonly [input: string]: readonly number[] }
  readonly channelsLast: boolean
  readonly externalData: ExternalData
  /** Version of ONNX's own operators. */
  readonly opset: number
}

/** A model out of a file of operators. */
export interface OpenedModel extends GraphModel {
  readonly name: string
  readonly outputShape: { readonly [output: string]: readonly number[] }
  dispose(): void
}

/** One input of the graph. */
interface Input {
  readonly name: string
  readonly kind: NumberKind
  /** The batch size in the file; undefined where it is open. */
  readonly batch: number | undefined
  /** Shape of one sample in the file. */
  readonly shape: readonly number[]
  /** Whether the data have the channels last, and the file has them first. */
  readonly turned: boolean
}

/** A model out of what was read of a file. @throws DlgError `invalid-file`, `untraceable`, `invalid-option` */
export function openGraph(graph: GraphMessage, model: ModelMessage, settings: OpenSettings): OpenedModel {
  const functions: Functions = new Map(model.functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]))
  const outputs = outputsOf(graph, settings.outputs, model.producer)
  const nodes = neededNodes(graph, outputs)
  for (const node of nodes) requireOperator(node, functions)
  const found = findWeights({ graph, producer: model.producer }, nodes, settings.trainable, settings.externalData)
  const inputs = inputsOf(graph, found.names, settings)
  const source: Source = {
    ...{ opset: settings.opset, functions, outputs, nodes, inputs, name: settings.name },
    ...found,
    external: settings.externalData,
  }
  const { ready, outputShape } = tryOut(source)
  const tensors = Object.fromEntries(
    ready.weights.map(({ name, shape, values }) => [name, tf.tensor(values, [...shape], 'float32')]),
  )
  return {
    name: settings.name,
    inputShape: Object.fromEntries(inputs.map((input) => [input.name, dataShape(input)])),
    outputShape,
    weights: tensors,
    trainable: ready.weights.filter((w) => w.trainable).map((w) => w.name),
    build: (on, nodesOfInputs, nodesOfWeights, training) =>
      buildModel(ready, on, nodesOfInputs, nodesOfWeights, training),
    dispose: () => tf.dispose(Object.values(tensors)),
  }
}

function outputsOf(
  { output }: GraphMessage,
  wanted: readonly string[] | undefined,
  producer: string | undefined,
): readonly string[] {
  const names = output.flatMap(({ name }) => name || [])
  if (names.length === 0) throw new DlgError('invalid-file', 'the graph has no outputs; it must have one at least')
  const stranger = wanted?.find((name) => !names.includes(name))
  if (stranger !== undefined)
    throw new DlgError(
      'invalid-option',
      `outputs has '${stranger}', which the model does not have; there are ${names.slice(0, 8)}`,
    )
  return wanted ?? (producer === 'skl2onnx' ? withoutLabel(names) : names)
}

/** The shape of one sample as the data have it. */
const dataShape = ({ shape, turned }: Input): readonly number[] => (turned ? [...shape.slice(1), shape[0]] : shape)

/** A picture with its channels first: there are 1, 3 or 4, and more rows and columns. */
const isPicture = (shape: readonly number[]): boolean =>
  shape.length === 3 && [1, 3, 4].includes(shape[0]) && shape[1] > shape[0] && shape[2] > shape[0]

/** Inputs that are no initializers, which old files list among them. */
function inputsOf(
  graph: GraphMessage,
  initializers: ReadonlySet<string>,
  { inputShape: shapes, channelsLast }: Pick<OpenSettings, 'inputShape' | 'channelsLast'>,
): Input[] {
  const inputs = graph.input.filter(({ name }) => !initializers.has(name ?? ''))
  if (inputs.length === 0) throw new DlgError('invalid-file', 'the graph has no inputs; it must have one at least')
  const names = inputs.map(({ name = '' }) => name)
  const stranger = Object.keys(shapes).find((name) => !names.includes(name))
  if (stranger !== undefined)
    throw new DlgError(
      'invalid-option',
      `inputShape has '${stranger}', which is no input; there are ${names.slice(0, 8)}`,
    )
  return inputs.map(({ name = '', type }) => {
    const what = `input '${name}'`
    const kind = kindOf(type?.tensor?.elementType, what)
    const dims = type?.tensor?.shape?.dim
    const given = Object.hasOwn(shapes, name) ? shapes[name] : undefined
    if (!dims && !given)
      throw new DlgError(
        'untraceable',
        `${what} has no shape in the file; give that of one sample: inputShape: { '${name}': […] }`,
      )
    if (dims?.length === 0) throw new DlgError('untraceable', `${what} is one number; its first axis must be the batch`)
    const [batch, ...sample] = (dims ?? []).map(({ size }) => (size !== undefined && size > 0 ? size : undefined))
    const fits =
      !given || !dims || (given.length === sample.length && sample.every((n, i) => n === undefined || n === given[i]))
    if (!fits)
      throw new DlgError(
        'invalid-option',
        `inputShape.${name} is [${given}]; in the file a sample is [${sample.map((n) => n ?? '?')}]`,
      )
    const shape = given ?? sample
    if (shape.some((n) => n === undefined))
      throw new DlgError(
        'untraceable',
        `${what} has open sizes [${shape.map((n) => n ?? '?')}]; give those of one sample: inputShape: { '${name}': […] }`,
      )
    const turned = channelsLast && kind === 'float' && isPicture(shape as number[])
    return { name, kind, batch, shape: checkedShape(shape as number[], what), turned }
  })
}

/** A file made ready: what does not change from one trace to the next. */
interface Source extends FoundWeights {
  readonly name: string
  readonly opset: number
  readonly functions: Functions
  readonly outputs: readonly string[]
  readonly nodes: ReturnType<typeof neededNodes>
  readonly inputs: readonly Input[]
  readonly external: ExternalData
}

/**
 * Builds the model once, so that what is not supported is said when a file is opened. A weight of which an operator needs the numbers, such
 * as the limits of a clip, reaches no output as a node: it is a constant.
 */
function tryOut(source: Source): { readonly ready: Source; readonly outputShape: OpenedModel['outputShape'] } {
  const graph = g.createGraph()
  const batch = source.inputs.find((i) => i.batch !== undefined)?.batch ?? 2
  const inputs = source.inputs.map((input) => g.input(graph, input.name, [batch, ...dataShape(input)]))
  const weights = source.weights.map(({ name, shape }) => g.parameter(graph, `weight ${name}`, shape))
  let captured = 0
  const constantOf = (_numbers: ArrayLike<number>, shape: g.Shape) =>
    g.parameter(graph, `captured ${captured++}`, shape)
  const built = buildModel(source, { graph, constantOf }, inputs, weights, false)
  const reached = new Set(g.reachable(built.map(({ node }) => node)))
  const isReached = (_: FoundWeight, i: number) => reached.has(weights[i])
  const fixed = source.weights.filter((w, i) => !isReached(w, i))
  const constants = fixed.map((weight) => [weight.initializer, weight.stored] as const)
  return {
    ready: {
      ...source,
      weights: source.weights.filter(isReached),
      constants: new Map([...source.constants, ...constants]),
    },
    outputShape: Object.fromEntries(built.map(({ name, node }) => [name, node.shape.slice(1)])),
  }
}

/** Most numbers that are computed to learn a shape. */
const MOST_KNOWN = 2 ** 20

/** Numbers up to this count become constants of the graph. */
const LARGEST_CONSTANT = 64

function buildModel(
  source: Source,
  on: Parameters<GraphModel['build']>[0],
  inputs: readonly g.Node[],
  weights: readonly g.Node[],
  training: boolean,
): ReturnType<GraphModel['build']> {
  const { graph } = on
  const values = new Map<string, Values>()
  const remember = (node: g.Node, numbers: Values): g.Node => {
    if (node.op === 'parameter') values.set(node.attributes.name, numbers)
    return node
  }
  const building: Building = {
    ...{ graph, training, opset: source.opset },
    normalizes: (normalization) => on.normalizes?.(normalization),
    constant(numbers, shape) {
      if (numbers.length === 0) return g.fill(graph, 0, shape)
      const floats = Float64Array.from(numbers)
      if (floats.every((v) => v === floats[0])) return g.fill(graph, floats[0], shape)
      if (floats.length <= LARGEST_CONSTANT && floats.every(Number.isFinite))
        return g.constant(graph, [...floats], shape)
      return remember(on.constantOf(floats, shape), floats)
    },
    valuesOf(node) {
      if (node.varying) return undefined
      const nodes = g.reachable([node])
      const size = nodes.reduce((sum, { shape }) => sum + g.sizeOf(shape), 0)
      const unknown = nodes.some((n) => n.op === 'parameter' && !values.has(n.attributes.name))
      return unknown || size > MOST_KNOWN ? undefined : Float64Array.from(bindStatic(nodes, values).get(node)!)
    },
    stored: (tensor, what) => tensorValues(tensor, what, source.external),
  }
  const names: Names = new Map()
  source.inputs.forEach(({ name, kind, batch, turned }, i) => {
    const [size] = inputs[i].shape
    if (batch !== undefined && batch !== size)
      throw new DlgError(
        'invalid-option',
        `input '${name}' of model '${source.name}' has the batch size ${batch} written into the file, and a batch of ${size} is asked for; export it with that axis dynamic (dynamic_axes={'${name}': {0: 'batch'}}), or ask for ${batch}`,
      )
    names.set(name, { node: turned ? g.transpose(inputs[i], [0, 3, 1, 2]) : inputs[i], kind })
  })
  for (const [name, { kind, shape, values: numbers }] of source.constants)
    names.set(name, { node: building.constant(numbers, shape), kind })
  source.weights.forEach(({ initializer, layout, values: numbers }, i) => {
    const own = remember(weights[i], numbers)
    const node = layout ? g.reshape(g.transpose(own, layout.order), layout.file) : own
    names.set(initializer, { node, kind: 'float' })
  })
  buildNodes(source.nodes, names, building, source.functions)
  return source.outputs.map((name) => {
    const value = names.get(name)
    if (!value) throw new DlgError('invalid-file', `no node gives output '${name}'`)
    return { name, node: value.node }
  })
}
