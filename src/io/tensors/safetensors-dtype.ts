import { DlgError } from '../../errors/dlg-error'
import type { StoredDtype } from '../../numbers/stored-dtype'

/** The element types that are read. */
export type SafetensorsDtype =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL'

/** Values as JavaScript holds them: F16 and BF16 widen to Float32Array, I64 and U64 to Float64Array, BOOL is 0 and 1. */
export type SafetensorsData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array

/** Bytes per element, and a decoder of little-endian bytes that start at offset 0 of their own buffer. */
interface Dtype {
  readonly size: number
  readonly stored: StoredDtype
  readonly decode: (buffer: ArrayBuffer, name: string) => SafetensorsData
}

// Typed arrays read in the host's byte order; every platform that Node 20 ships for but s390x is little-endian.
export const dtypes: Readonly<Record<SafetensorsDtype, Dtype>> = {
  F64: { size: 8, stored: 'float64', decode: (buffer) => new Float64Array(buffer) },
  F32: { size: 4, stored: 'float32', decode: (buffer) => new Float32Array(buffer) },
  F16: { size: 2, stored: 'float16', decode: decodeHalf },
  BF16: { size: 2, stored: 'bfloat16', decode: decodeBfloat16 },
  I64: { size: 8, stored: 'int64', decode: (buffer, name) => decodeLong(new BigInt64Array(buffer), 'I64', name) },
  I32: { size: 4, stored: 'int32', decode: (buffer) => new Int32Array(buffer) },
  I16: { size: 2, stored: 'int16', decode: (buffer) => new Int16Array(buffer) },
  I8: { size: 1, stored: 'int8', decode: (buffer) => new Int8Array(buffer) },
  U64: { size: 8, stored: 'uint64', decode: (buffer, name) => decodeLong(new BigUint64Array(buffer), 'U64', name) },
  U32: { size: 4, stored: 'uint32', decode: (buffer) => new Uint32Array(buffer) },
  U16: { size: 2, stored: 'uint16', decode: (buffer) => new Uint16Array(buffer) },
  U8: { size: 1, stored: 'uint8', decode: (buffer) => new Uint8Array(buffer) },
  BOOL: { size: 1, stored: 'bool', decode: decodeBool },
}

// Loops here and below: TypedArray.from collects an array of boxed numbers first, several times the file's size.
function decodeHalf(buffer: ArrayBuffer): Float32Array {
  const bits = new Uint16Array(buffer)
  const values = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) values[i] = halfToNumber(bits[i])
  return values
}

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** A bfloat16 is the upper half of the binary32 with the same value. */
function decodeBfloat16(buffer: ArrayBuffer): Float32Array {
  const upper = new Uint16Array(buffer)
  const bits = new Uint32Array(upper.length)
  for (let i = 0; i < upper.length; i++) bits[i] = upper[i] << 16
  return new Float32Array(bits.buffer)
}

function decodeBool(buffer: ArrayBuffer, name: string): Uint8Array {
  const values = new Uint8Array(buffer)
  const strange = values.findIndex((value) => value > 1)
  if (strange < 0) return values
  throw new DlgError(
    'invalid-file',
    `safetensors: tensor ${name} holds ${values[strange]} at ${strange}; a BOOL must be 0 or 1`,
  )
}

function decodeLong(stored: BigInt64Array | BigUint64Array, dtype: string, name: string): Float64Array {
  const values = new Float64Array(stored.length)
  for (let i = 0; i < stored.length; i++) {
    values[i] = Number(stored[i])
    if (Number.isSafeInteger(values[i])) continue
    throw new DlgError(
      'invalid-file',
      `safetensors: tensor ${name} holds ${stored[i]} at ${i}, ${dtype} values must be within ±(2^53 - 1)`,
    )
  }
  return values
}
