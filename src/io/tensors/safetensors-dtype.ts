import { DlgError } from '../../errors/dlg-error'

/** The element types that are read. */
export type SafetensorsDtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8'

/** Values as JavaScript holds them: F16 and BF16 widen to Float32Array, I64 to Float64Array. */
export type SafetensorsData = Float32Array | Float64Array | Int32Array | Uint8Array

/** Bytes per element, and a decoder of little-endian bytes that start at offset 0 of their own buffer. */
interface Dtype {
  readonly size: number
  readonly decode: (buffer: ArrayBuffer, name: string) => SafetensorsData
}

// Typed arrays read in the host's byte order; every platform that Node 20 ships for but s390x is little-endian.
export const dtypes: Readonly<Record<SafetensorsDtype, Dtype>> = {
  F64: { size: 8, decode: (buffer) => new Float64Array(buffer) },
  F32: { size: 4, decode: (buffer) => new Float32Array(buffer) },
  F16: { size: 2, decode: decodeHalf },
  BF16: { size: 2, decode: decodeBfloat16 },
  I64: { size: 8, decode: decodeInt64 },
  I32: { size: 4, decode: (buffer) => new Int32Array(buffer) },
  U8: { size: 1, decode: (buffer) => new Uint8Array(buffer) },
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

function decodeInt64(buffer: ArrayBuffer, name: string): Float64Array {
  const stored = new BigInt64Array(buffer)
  const values = new Float64Array(stored.length)
  for (let i = 0; i < stored.length; i++) {
    values[i] = Number(stored[i])
    if (Number.isSafeInteger(values[i])) continue
    throw new DlgError(
      'invalid-file',
      `safetensors: tensor ${name} holds ${stored[i]} at ${i}, I64 values should be within ±(2^53 - 1)`,
    )
  }
  return values
}
