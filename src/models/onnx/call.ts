import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import type { AttributeMessage, GraphMessage, NodeMessage } from './messages'
import type { NumberKind, StoredValues } from './tensor-values'

/** A tensor while the graph is built. */
export interface Value {
  readonly node: g.Node
  readonly kind: NumberKind
  /** The tensors of a sequence, where the value is one. `node` is the first of them then. */
  readonly parts?: readonly g.Node[]
}

/** What all operators of one graph share. */
export interface Building {
  readonly graph: g.Graph
  /** Batch statistics in place of moving ones. */
  readonly training: boolean
  /** Version of ONNX's own operators. */
  readonly opset: number
  /** Numbers as a node. */
  constant(values: ArrayLike<number>, shape: g.Shape): g.Node
  /** The numbers of a node that depends on no input of the model; undefined for others. */
  valuesOf(node: g.Node): Float64Array | undefined
  /** Tells of a batch norm. */
  normalizes(normalization: { readonly input: g.Node; readonly mean: g.Node; readonly variance: g.Node }): void
  /** Reads a tensor of the file. */
  stored(tensor: NonNullable<AttributeMessage['t']>, what: string): StoredValues
}

/** One use of an operator: its inputs as nodes, and its attributes. */
export interface Call {
  readonly graph: g.Graph
  readonly operator: string
  readonly opset: number
  readonly training: boolean
  readonly building: Building
  /** How many outputs the graph reads. */
  readonly outputs: number
  /** How many of them have a name. */
  readonly namedOutputs: number
  readonly inputs: readonly (Value | undefined)[]
  /** An input that must be there. */
  x(i?: number): g.Node
  optional(i: number): g.Node | undefined
  /** The tensors of an input that is a sequence. */
  sequence(i: number): readonly g.Node[]
  kind(i: number): NumberKind
  /** Numbers of an input that must not depend on the data; undefined where there is no such input. */
  known(i: number): readonly number[] | undefined
  integer(name: string): number | undefined
  integer(name: string, otherwise: number): number
  number(name: string, otherwise: number): number
  text(name: string, otherwise: string): string
  integers(name: string): readonly number[] | undefined
  attribute(name: string): AttributeMessage | undefined
  subgraph(name: string): GraphMessage
  constant(values: ArrayLike<number>, shape: g.Shape): g.Node
  /** An error about what is not supported. */
  refuse(what: string): DlgError
  /** An error about what no right file has. */
  wrong(what: string): DlgError
}

/** Builds the outputs of an operator. Outputs without a kind have that of the first input. */
export type Operator = (call: Call) => g.Node | Value | readonly (g.Node | Value | undefined)[]

export type Operators = Readonly<Record<string, Operator>>

/** The name of a node as an error has it. */
export const nodeName = ({ name, opType, output }: NodeMessage): string =>
  `node '${name || output[0] || ''}' (${opType ?? 'without an operator'})`

/** Reads an operator's inputs and attributes. */
export function callOf(message: NodeMessage, inputs: readonly (Value | undefined)[], building: Building): Call {
  const what = nodeName(message)
  const attributes = new Map(message.attribute.map((a) => [a.name ?? '', a]))
  const refuse = (why: string) => new DlgError('untraceable', `${what}: ${why}`)
  const wrong = (why: string) => new DlgError('invalid-file', `${what}: ${why}`)
  const call: Call = {
    ...{ graph: building.graph, training: building.training, opset: building.opset, building, inputs, refuse, wrong },
    operator: message.opType ?? '',
    outputs: message.output.length,
    namedOutputs: message.output.filter((name) => name !== '').length,
    x: (i = 0) => call.optional(i) ?? fail(wrong(`has no input ${i}, which the operator needs`)),
    optional(i) {
      if (inputs[i]?.parts) throw refuse(`input ${i} is a sequence, of which only single tensors are read`)
      return inputs[i]?.node
    },
    sequence: (i) => inputs[i]?.parts ?? fail(wrong(`input ${i} is no sequence`)),
    kind: (i) => inputs[i]?.kind ?? 'float',
    known(i) {
      const node = call.optional(i)
      if (!node) return undefined
      const values = building.valuesOf(node)
      if (!values) throw refuse(`input ${i} depends on the data; it must be a constant, or follow from shapes`)
      return [...values]
    },
    integer: (name: string, otherwise?: number) => {
      const value = attributes.get(name)?.i ?? otherwise
      if (value !== undefined && !Number.isSafeInteger(value)) throw wrong(`attribute ${name} is ${value}`)
      return value as number
    },
    number: (name, otherwise) => attributes.get(name)?.f ?? otherwise,
    text: (name, otherwise) => {
      const bytes = attributes.get(name)?.s
      return bytes ? new TextDecoder().decode(bytes.subarray(0, 256)) : otherwise
    },
    integers: (name) => {
      const found = attributes.get(name)
      return found && (found.ints.length > 0 || found.i === undefined) ? found.ints : undefined
    },
    attribute: (name) => attributes.get(name),
    subgraph: (name) => attributes.get(name)?.g ?? fail(wrong(`has no graph '${name}'`)),
    constant: (values, shape) => building.constant(values, shape),
  }
  return call
}

const fail = (error: DlgError): never => {
  throw error
}

/** An axis as an index in [0, rank); negative ones count from the end. @throws DlgError `invalid-file` */
export function axisOf(call: Call, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis
  if (Number.isInteger(at) && at >= 0 && at < rank) return at
  throw call.wrong(`axis is ${axis}; it must be in [${-rank}, ${rank})`)
}

/** One number in every element. */
export const of = (x: g.Node, value: number): g.Node => g.scalar(x.graph, value)
