import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { DlgError } from '../../errors/dlg-error'

/** How a field of a message is read. A message within a message is read in place: its bytes are not copied. */
type Field =
  | readonly [name: string, kind: 'integer' | 'float' | 'double' | 'text' | 'bytes', many?: 'many']
  | readonly [name: string, message: () => Message, many?: 'many']
type Message = Readonly<Record<number, Field>>

/** A name with a value: where external data lies. */
interface Entry {
  readonly key?: string
  readonly value?: string
}

/** A tensor as the file has it: its numbers are in exactly one of the fields of data. */
export interface TensorMessage {
  readonly name?: string
  readonly dims: readonly number[]
  readonly dataType?: number
  readonly rawData?: Uint8Array
  readonly floatData: readonly number[]
  readonly int32Data: readonly number[]
  readonly int64Data: readonly number[]
  readonly doubleData: readonly number[]
  readonly uint64Data: readonly number[]
  readonly externalData: readonly Entry[]
  /** 1 where the numbers lie in another file. */
  readonly dataLocation?: number
}

/** A named constant of an operator. */
export interface AttributeMessage {
  readonly name?: string
  readonly f?: number
  readonly i?: number
  readonly s?: Uint8Array
  readonly t?: TensorMessage
  readonly g?: GraphMessage
  readonly floats: readonly number[]
  readonly ints: readonly number[]
  readonly strings: readonly Uint8Array[]
  /** ONNX's number for the kind of the value: 1 a float, 2 a whole number. */
  readonly type?: number
  /** The attribute of the enclosing function that stands here. */
  readonly refersTo?: string
}

/** One use of an operator. */
export interface NodeMessage {
  readonly input: readonly string[]
  readonly output: readonly string[]
  readonly name?: string
  readonly opType?: string
  readonly domain?: string
  /** Which of several functions of one name is called. */
  readonly overload?: string
  readonly attribute: readonly AttributeMessage[]
  /** What an exporter tells of the node, in UTF-8. */
  readonly metadata: readonly { readonly key?: string; readonly value?: Uint8Array }[]
}

/** An input or output with its type; a size without number is open. */
export interface ValueMessage {
  readonly name?: string
  readonly type?: {
    readonly tensor?: {
      readonly elementType?: number
      readonly shape?: { readonly dim: readonly { readonly size?: number; readonly symbol?: string }[] }
    }
  }
}

/** A graph of operators, in an order in which they can run. */
export interface GraphMessage {
  readonly node: readonly NodeMessage[]
  readonly name?: string
  readonly initializer: readonly TensorMessage[]
  readonly sparseInitializer: readonly Uint8Array[]
  readonly input: readonly ValueMessage[]
  readonly output: readonly ValueMessage[]
}

/** The version of a set of operators. */
interface OpsetMessage {
  readonly domain?: string
  readonly version?: number
}

/** Operators that stand for one, as exporters of PyTorch write them. */
export interface FunctionMessage {
  readonly name?: string
  readonly domain?: string
  readonly overload?: string
  readonly input: readonly string[]
  readonly output: readonly string[]
  readonly node: readonly NodeMessage[]
  readonly attributeDefault: readonly AttributeMessage[]
  readonly opset: readonly OpsetMessage[]
}

/** An ONNX file. */
export interface ModelMessage {
  readonly irVersion?: number
  readonly producer?: string
  readonly graph?: GraphMessage
  readonly opset: readonly OpsetMessage[]
  readonly functions: readonly FunctionMessage[]
}

const ENTRY: Message = { 1: ['key', 'text'], 2: ['value', 'text'] }
const METADATA: Message = { 1: ['key', 'text'], 2: ['value', 'bytes'] }
const TENSOR: Message = {
  1: ['dims', 'integer', 'many'],
  2: ['dataType', 'integer'],
  4: ['floatData', 'float', 'many'],
  5: ['int32Data', 'integer', 'many'],
  7: ['int64Data', 'integer', 'many'],
  8: ['name', 'text'],
  9: ['rawData', 'bytes'],
  10: ['doubleData', 'double', 'many'],
  11: ['uint64Data', 'integer', 'many'],
  13: ['externalData', () => ENTRY, 'many'],
  14: ['dataLocation', 'integer'],
}
const ATTRIBUTE: Message = {
  1: ['name', 'text'],
  2: ['f', 'float'],
  3: ['i', 'integer'],
  4: ['s', 'bytes'],
  5: ['t', () => TENSOR],
  6: ['g', () => GRAPH],
  7: ['floats', 'float', 'many'],
  8: ['ints', 'integer', 'many'],
  9: ['strings', 'bytes', 'many'],
  20: ['type', 'integer'],
  21: ['refersTo', 'text'],
}
const NODE: Message = {
  1: ['input', 'text', 'many'],
  2: ['output', 'text', 'many'],
  3: ['name', 'text'],
  4: ['opType', 'text'],
  5: ['attribute', () => ATTRIBUTE, 'many'],
  7: ['domain', 'text'],
  8: ['overload', 'text'],
  9: ['metadata', () => METADATA, 'many'],
}
const DIMENSION: Message = { 1: ['size', 'integer'], 2: ['symbol', 'text'] }
const SHAPE: Message = { 1: ['dim', () => DIMENSION, 'many'] }
const TENSOR_TYPE: Message = { 1: ['elementType', 'integer'], 2: ['shape', () => SHAPE] }
const TYPE: Message = { 1: ['tensor', () => TENSOR_TYPE] }
const VALUE: Message = { 1: ['name', 'text'], 2: ['type', () => TYPE] }
const GRAPH: Message = {
  1: ['node', () => NODE, 'many'],
  2: ['name', 'text'],
  5: ['initializer', () => TENSOR, 'many'],
  11: ['input', () => VALUE, 'many'],
  12: ['output', () => VALUE, 'many'],
  15: ['sparseInitializer', 'bytes', 'many'],
}
const OPSET: Message = { 1: ['domain', 'text'], 2: ['version', 'integer'] }
const FUNCTION: Message = {
  1: ['name', 'text'],
  4: ['input', 'text', 'many'],
  5: ['output', 'text', 'many'],
  7: ['node', () => NODE, 'many'],
  9: ['opset', () => OPSET, 'many'],
  10: ['domain', 'text'],
  11: ['attributeDefault', () => ATTRIBUTE, 'many'],
  13: ['overload', 'text'],
}
const MODEL: Message = {
  1: ['irVersion', 'integer'],
  2: ['producer', 'text'],
  7: ['graph', () => GRAPH],
  8: ['opset', () => OPSET, 'many'],
  25: ['functions', () => FUNCTION, 'many'],
}

/** Graphs within graphs, and the few messages between two of them: deeper files are hostile. */
const DEEPEST = 48

/**
 * Reads an ONNX file: what it has beside the fields above is skipped. Nothing in it is run, and bytes are views of the file.
 *
 * @throws DlgError `invalid-file` for what is no such file
 */
export function readOnnx(bytes: Uint8Array): ModelMessage {
  let model: ModelMessage
  try {
    model = read(new BinaryReader(bytes), bytes.length, MODEL, 0) as unknown as ModelMessage
  } catch (cause) {
    throw notOnnx(bytes, (cause as Error).message, cause)
  }
  if (!model.graph || model.opset.length === 0)
    throw notOnnx(bytes, 'there is no graph in it, or no version of operators')
  return model
}

/** What other files of models begin with. */
const OTHERS: readonly (readonly [signature: readonly number[], what: string])[] = [
  [[0x50, 0x4b], 'a zip, such as PyTorch’s torch.save and Keras’s .keras write; export it with torch.onnx.export'],
  [[0x80], 'a pickle, as old PyTorch writes it; export it with torch.onnx.export'],
  [[0x89, 0x48, 0x44, 0x46], 'HDF5, as Keras writes it; convert it with tf2onnx'],
  [[0x7b], 'JSON; a model.json of tfjs is read by tf.loadLayersModel'],
]

function notOnnx(bytes: Uint8Array, why: string, cause?: unknown): DlgError {
  const other = OTHERS.find(([signature]) => signature.every((byte, i) => bytes[i] === byte))
  const right = other ? `it looks like ${other[1]}` : 'it must be one ModelProto, as torch.onnx.export writes it'
  return new DlgError('invalid-file', `the file is no ONNX model (${why}); ${right}`, { cause })
}

function read(reader: BinaryReader, end: number, message: Message, depth: number): Record<string, unknown> {
  if (depth > DEEPEST) throw new RangeError('messages are nested too deep')
  const out: Record<string, unknown> = {}
  for (const [name, , many] of Object.values(message)) if (many) out[name] = []
  while (reader.pos < end) {
    const [number, wire] = reader.tag()
    const field = Object.hasOwn(message, number) ? message[number] : undefined
    if (!field) {
      reader.skip(wire, number)
      continue
    }
    const [name, kind, many] = field
    const values = valuesOf(reader, wire, kind, end, depth)
    if (many) for (const value of values) (out[name] as unknown[]).push(value)
    else out[name] = values[values.length - 1]
  }
  if (reader.pos !== end) throw new RangeError('a message ends within a field')
  return message === ATTRIBUTE ? withZero(out as unknown as AttributeMessage) : out
}

/** Writers of the third version of protobuf leave out a number that is 0; that the attribute has one its type tells. */
function withZero(attribute: AttributeMessage): Record<string, unknown> {
  const { type, refersTo, f, i } = attribute
  if (refersTo === undefined && type === 1 && f === undefined) return { ...attribute, f: 0 }
  return refersTo === undefined && type === 2 && i === undefined ? { ...attribute, i: 0 } : { ...attribute }
}

/** The values of one field; several where numbers are packed. */
function valuesOf(reader: BinaryReader, wire: WireType, kind: Field[1], end: number, depth: number): unknown[] {
  const within = () => {
    const last = reader.uint32() + reader.pos
    if (last > end) throw new RangeError('premature EOF')
    return last
  }
  if (typeof kind === 'function') {
    expectWire(wire, WireType.LengthDelimited)
    const last = within()
    return [read(reader, last, kind(), depth + 1)]
  }
  if (kind === 'bytes' || kind === 'text') {
    expectWire(wire, WireType.LengthDelimited)
    return [kind === 'bytes' ? reader.bytes() : reader.string()]
  }
  const one = {
    integer: () => Number(reader.int64()),
    float: () => reader.float(),
    double: () => reader.double(),
  }[kind]
  if (wire !== WireType.LengthDelimited) {
    expectWire(wire, { integer: WireType.Varint, float: WireType.Bit32, double: WireType.Bit64 }[kind])
    return [one()]
  }
  const last = within()
  const values: number[] = []
  while (reader.pos < last) values.push(one())
  return values
}

function expectWire(wire: WireType, right: WireType): void {
  if (wire !== right) throw new RangeError(`a field is stored as ${wire} and not as ${right}`)
}
