import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** One attribute: whole numbers, `{ float }`, text, tensors and graphs by what they are. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | { strings: readonly string[] }
  | { zero: 'float' | 'integer' }
  | { refersTo: string; type: number }
  | { tensor: TensorSpec }
  | { graph: GraphSpec }

export interface TensorSpec {
  readonly dims: readonly number[]
  readonly values: readonly number[] | Float32Array
  /** ONNX's number of the type: 1 float, 6 int32, 7 int64, 9 bool, 11 double. */
  readonly type?: number
  /** Where the numbers lie in another file. */
  readonly external?: Readonly<Record<string, string>>
}

export interface NodeSpec {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly name?: string
  readonly domain?: string
  readonly overload?: string
  /** What an exporter tells of the node. */
  readonly metadata?: Readonly<Record<string, string>>
}

export interface GraphSpec {
  readonly nodes: readonly NodeSpec[]
  readonly initializers?: Readonly<Record<string, TensorSpec>>
  /** Shapes by name; a text is an open size. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>
  readonly outputs: readonly string[]
  /** Types of inputs and outputs that are no floats. */
  readonly types?: Readonly<Record<string, number>>
}

const message = (write: (w: BinaryWriter) => void): Uint8Array => {
  const writer = new BinaryWriter()
  write(writer)
  return writer.finish()
}

const bytes = (w: BinaryWriter, field: number, value: Uint8Array) => w.tag(field, WireType.LengthDelimited).bytes(value)
const text = (w: BinaryWriter, field: number, value: string) => w.tag(field, WireType.LengthDelimited).string(value)
const integer = (w: BinaryWriter, field: number, value: number) => w.tag(field, WireType.Varint).int64(BigInt(value))

export const tensor = ({ dims, values, type = 1, external }: TensorSpec, name?: string): Uint8Array =>
  message((w) => {
    for (const n of dims) integer(w, 1, n)
    integer(w, 2, type)
    if (name !== undefined) text(w, 8, name)
    if (external) {
      for (const [key, value] of Object.entries(external))
        bytes(
          w,
          13,
          message((e) => {
            text(e, 1, key)
            text(e, 2, value)
          }),
        )
      integer(w, 14, 1)
      return
    }
    const list = [...values]
    const raw =
      type === 7
        ? BigInt64Array.from(list, BigInt)
        : type === 11
          ? Float64Array.from(list)
          : type === 6
            ? Int32Array.from(list)
            : type === 9
              ? Uint8Array.from(list)
              : Float32Array.from(list)
    bytes(w, 9, new Uint8Array(raw.buffer))
  })

const attribute = (name: string, value: Attribute): Uint8Array =>
  message((w) => {
    text(w, 1, name)
    const type = (n: number) => integer(w, 20, n)
    if (typeof value === 'number') {
      integer(w, 3, value)
      type(2)
    } else if (typeof value === 'string') {
      text(w, 4, value)
      type(3)
    } else if ('float' in value) {
      w.tag(2, WireType.Bit32).float(value.float)
      type(1)
    } else if ('floats' in value) {
      for (const v of value.floats) w.tag(7, WireType.Bit32).float(v)
      type(6)
    } else if ('strings' in value) {
      for (const v of value.strings) text(w, 9, v)
      type(8)
    } else if ('zero' in value) {
      type(value.zero === 'float' ? 1 : 2)
    } else if ('refersTo' in value) {
      text(w, 21, value.refersTo)
      type(value.type)
    } else if ('tensor' in value) {
      bytes(w, 5, tensor(value.tensor))
      type(4)
    } else if ('graph' in value) {
      bytes(w, 6, graph(value.graph))
      type(5)
    } else {
      for (const v of value) integer(w, 8, v)
      type(7)
    }
  })

const valueInfo = (name: string, type: number, shape?: readonly (number | string)[]): Uint8Array =>
  message((w) => {
    text(w, 1, name)
    const dims =
      shape &&
      message((s) => {
        for (const n of shape)
          bytes(
            s,
            1,
            message((d) => (typeof n === 'number' ? integer(d, 1, n) : text(d, 2, n))),
          )
      })
    const tensorType = message((t) => {
      integer(t, 1, type)
      if (dims) bytes(t, 2, dims)
    })
    bytes(
      w,
      2,
      message((t) => bytes(t, 1, tensorType)),
    )
  })

const nodeOf = ({
  op,
  inputs,
  outputs,
  attributes = {},
  name = '',
  domain = '',
  overload,
  metadata = {},
}: NodeSpec): Uint8Array =>
  message((w) => {
    for (const input of inputs) text(w, 1, input)
    for (const output of outputs) text(w, 2, output)
    text(w, 3, name)
    text(w, 4, op)
    for (const [key, value] of Object.entries(attributes)) bytes(w, 5, attribute(key, value))
    text(w, 7, domain)
    if (overload !== undefined) text(w, 8, overload)
    for (const [key, value] of Object.entries(metadata))
      bytes(
        w,
        9,
        message((e) => {
          text(e, 1, key)
          text(e, 2, value)
        }),
      )
  })

const graph = ({ nodes, initializers = {}, inputs, outputs, types = {} }: GraphSpec): Uint8Array =>
  message((w) => {
    for (const node of nodes) bytes(w, 1, nodeOf(node))
    text(w, 2, 'graph')
    for (const [name, spec] of Object.entries(initializers)) bytes(w, 5, tensor(spec, name))
    for (const [name, shape] of Object.entries(inputs)) bytes(w, 11, valueInfo(name, types[name] ?? 1, shape))
    for (const name of outputs) bytes(w, 12, valueInfo(name, types[name] ?? 1))
  })

/** Operators under one name, with the attributes that its nodes refer to. */
export interface FunctionSpec {
  readonly name: string
  readonly overload?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly nodes: readonly NodeSpec[]
}

const functionOf = ({ name, overload, inputs, outputs, nodes }: FunctionSpec): Uint8Array =>
  message((w) => {
    text(w, 1, name)
    for (const input of inputs) text(w, 4, input)
    for (const output of outputs) text(w, 5, output)
    for (const node of nodes) bytes(w, 7, nodeOf(node))
    bytes(
      w,
      9,
      message((o) => integer(o, 2, 17)),
    )
    text(w, 10, 'own')
    if (overload !== undefined) text(w, 13, overload)
  })

/** An ONNX file of one graph; its functions are of the domain `own`. */
export const writeOnnx = (
  spec: GraphSpec,
  opset = 17,
  irVersion = 8,
  functions: readonly FunctionSpec[] = [],
  producer = 'test',
): Uint8Array =>
  message((w) => {
    integer(w, 1, irVersion)
    text(w, 2, producer)
    bytes(w, 7, graph(spec))
    bytes(
      w,
      8,
      message((o) => integer(o, 2, opset)),
    )
    bytes(
      w,
      8,
      message((o) => {
        text(o, 1, 'ai.onnx.ml')
        integer(o, 2, 3)
      }),
    )
    if (functions.length === 0) return
    bytes(
      w,
      8,
      message((o) => {
        text(o, 1, 'own')
        integer(o, 2, 1)
      }),
    )
    for (const one of functions) bytes(w, 25, functionOf(one))
  })
