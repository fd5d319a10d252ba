import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { TensorMessage } from './messages'

/** What a number stands for: the graph has one kind of number, and integers divide as integers. */
export type NumberKind = 'float' | 'integer' | 'boolean'

/** Numbers of a tensor in the file. */
export interface StoredValues {
  readonly kind: NumberKind
  readonly shape: readonly number[]
  /** Views of the file where they lie aligned. */
  readonly values: Float32Array | Float64Array
}

/** Bytes of the files beside the model, by the names that the model calls them by. */
export type ExternalData = ReadonlyMap<string, Uint8Array> | { readonly [file: string]: Uint8Array }

interface ElementType {
  readonly name: string
  readonly kind: NumberKind
  readonly bytes: number
  read(view: DataView, at: number): number
}

const element = (name: string, kind: NumberKind, bytes: number, read: ElementType['read']): ElementType => ({
  ...{ name, kind, bytes, read },
})

/** Types of elements by ONNX's number for them. */
const TYPES: Readonly<Record<number, ElementType>> = {
  1: element('float', 'float', 4, (view, at) => view.getFloat32(at, true)),
  2: element('uint8', 'integer', 1, (view, at) => view.getUint8(at)),
  3: element('int8', 'integer', 1, (view, at) => view.getInt8(at)),
  4: element('uint16', 'integer', 2, (view, at) => view.getUint16(at, true)),
  5: element('int16', 'integer', 2, (view, at) => view.getInt16(at, true)),
  6: element('int32', 'integer', 4, (view, at) => view.getInt32(at, true)),
  7: element('int64', 'integer', 8, (view, at) => Number(view.getBigInt64(at, true))),
  9: element('bool', 'boolean', 1, (view, at) => (view.getUint8(at) ? 1 : 0)),
  10: element('float16', 'float', 2, (view, at) => half(view.getUint16(at, true))),
  11: element('double', 'float', 8, (view, at) => view.getFloat64(at, true)),
  12: element('uint32', 'integer', 4, (view, at) => view.getUint32(at, true)),
  13: element('uint64', 'integer', 8, (view, at) => Number(view.getBigUint64(at, true))),
  16: element('bfloat16', 'float', 2, (view, at) => upperHalf(view.getUint16(at, true))),
}

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

const upperHalf = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]

const invalid = (message: string): DlgError => new DlgError('invalid-file', message)

/** What numbers of a type stand for. @throws DlgError `invalid-file` for strings, complex numbers and numbers of 4 or 8 bits */
export function kindOf(type: number | undefined, what: string): NumberKind {
  return typeOf(type, what).kind
}

function typeOf(type: number | undefined, what: string): ElementType {
  const found = type === undefined || !Object.hasOwn(TYPES, type) ? undefined : TYPES[type]
  if (found) return found
  throw invalid(
    `${what} has elements of type ${type ?? 'none'}; they must be floats, integers or booleans (export a float model, without quantisation)`,
  )
}

/** Most elements of a tensor that the file has no bytes of, as an operator that fills one makes it. */
export const MOST_ELEMENTS = 2 ** 28

/** A shape of the file. @throws DlgError `invalid-file` */
export function checkedShape(dims: readonly number[], what: string): number[] {
  const sound = dims.length <= 16 && dims.every((n) => Number.isSafeInteger(n) && n >= 0)
  if (!sound || dims.reduce((a, b) => a * b, 1) > MOST_ELEMENTS)
    throw invalid(
      `${what} has shape [${dims.slice(0, 16)}]; it must be at most 16 whole numbers, of 2²⁸ elements in all`,
    )
  return [...dims]
}

/**
 * The numbers of a tensor.
 *
 * @throws DlgError `invalid-file` when there are more or fewer than its shape says, or its file is not given
 */
export function tensorValues(tensor: TensorMessage, what: string, external: ExternalData): StoredValues {
  const type = typeOf(tensor.dataType, what)
  const shape = checkedShape(tensor.dims, what)
  const count = shape.reduce((a, b) => a * b, 1)
  const bytes = tensor.dataLocation === 1 ? externalBytes(tensor, what, external, count * type.bytes) : tensor.rawData
  return {
    kind: type.kind,
    shape,
    values: bytes ? fromBytes(bytes, type, count, what) : fromLists(tensor, type, count, what),
  }
}

function fromBytes(bytes: Uint8Array, type: ElementType, count: number, what: string): StoredValues['values'] {
  if (bytes.length !== count * type.bytes)
    throw invalid(
      `${what} has ${bytes.length} bytes; ${countOf(count, 'number')} of type ${type.name} must have ${count * type.bytes}`,
    )
  if (type.name === 'float' && LITTLE_ENDIAN) {
    if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, count)
    return new Float32Array(bytes.slice().buffer, 0, count)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = type.kind === 'float' && type.name !== 'double' ? new Float32Array(count) : new Float64Array(count)
  for (let i = 0; i < count; i++) values[i] = type.read(view, i * type.bytes)
  return values
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Numbers in a list of the message: small types lie in that of int32, 16-bit floats there as their bits. */
function fromLists(tensor: TensorMessage, { name, kind }: ElementType, count: number, what: string) {
  const list =
    {
      float: tensor.floatData,
      double: tensor.doubleData,
      int64: tensor.int64Data,
      uint32: tensor.uint64Data,
      uint64: tensor.uint64Data,
    }[name] ?? tensor.int32Data
  if (list.length !== count) throw invalid(`${what} has ${countOf(list.length, 'number')}; its shape needs ${count}`)
  const decode = name === 'float16' ? half : name === 'bfloat16' ? upperHalf : (v: number) => v
  return kind === 'float' && name !== 'double' ? Float32Array.from(list, decode) : Float64Array.from(list, decode)
}

function externalBytes(tensor: TensorMessage, what: string, external: ExternalData, length: number): Uint8Array {
  const entry = (key: string) => tensor.externalData.find((e) => e.key === key)?.value
  const file = entry('location') ?? ''
  const bytes =
    external instanceof Map
      ? external.get(file)
      : Object.hasOwn(external, file) && (external as Record<string, Uint8Array>)[file]
  if (!(bytes instanceof Uint8Array))
    throw invalid(
      `${what} lies in the file '${file}' beside the model; give its bytes: externalData: { '${file}': bytes }`,
    )
  const [offset, size] = [Number(entry('offset') ?? 0), Number(entry('length') ?? length)]
  const sound = Number.isSafeInteger(offset) && offset >= 0 && size === length && offset + length <= bytes.length
  if (!sound)
    throw invalid(
      `${what} is said to be ${size} bytes from ${offset} of '${file}', which has ${bytes.length}; it must be ${length} within it`,
    )
  return bytes.subarray(offset, offset + length)
}
