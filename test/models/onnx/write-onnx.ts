import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** One attribute: whole numbers, `{ float }`, text, tensors and graphs by what they are. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
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

const graph = ({ nodes, initializers = {}, inputs, outputs, types = {} }: GraphSpec): Uint8Array =>
  message((w) => {
    for (const { op, inputs: from, outputs: to, attributes = {}, name = '', domain = '' } of nodes)
      bytes(
        w,
        1,
        message((n) => {
          for (const input of from) text(n, 1, input)
          for (const output of to) text(n, 2, output)
          text(n, 3, name)
          text(n, 4, op)
          for (const [key, value] of Object.entries(attributes)) bytes(n, 5, attribute(key, value))
          text(n, 7, domain)
        }),
      )
    text(w, 2, 'graph')
    for (const [name, spec] of Object.entries(initializers)) bytes(w, 5, tensor(spec, name))
    for (const [name, shape] of Object.entries(inputs)) bytes(w, 11, valueInfo(name, types[name] ?? 1, shape))
    for (const name of outputs) bytes(w, 12, valueInfo(name, types[name] ?? 1))
  })

/** An ONNX file of one graph. */
export const writeOnnx = (spec: GraphSpec, opset = 17, irVersion = 8): Uint8Array =>
  message((w) => {
    integer(w, 1, irVersion)
    text(w, 2, 'test')
    bytes(w, 7, graph(spec))
    bytes(
      w,
      8,
      message((o) => integer(o, 2, opset)),
    )
  })
