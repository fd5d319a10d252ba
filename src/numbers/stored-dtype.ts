/** The type of a tensor's elements as they lay in a file. */
export type StoredDtype =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool'

/** How whole numbers stand for floats: value = stored · scale + min. */
export interface Quantization {
  readonly scale: number
  readonly min: number
}

/** The precision in which a tensor was stored, as far as it is known. */
export interface StoredAs {
  /** Type of the stored elements. Missing where the file has none, such as decimal numbers in JSON. */
  readonly dtype?: StoredDtype
  /** Present where the elements are whole numbers that stand for floats. */
  readonly quantization?: Quantization
}

/** Bits of a float's significand, the leading one included: a value is stored to a relative 2^−bits. */
export const SIGNIFICAND_BITS = { bfloat16: 8, float16: 11, float32: 24, float64: 53 } as const

const isFloat = (dtype: StoredDtype): dtype is keyof typeof SIGNIFICAND_BITS => Object.hasOwn(SIGNIFICAND_BITS, dtype)

/** Whether a tensor holds whole numbers or booleans, so that it can be no gradient and no trained weight. */
export const isWhole = ({ dtype, quantization }: StoredAs): boolean =>
  dtype !== undefined && quantization === undefined && !isFloat(dtype)

/**
 * The precision of a tensor that was computed from two: that of the coarser one.
 *
 * Nothing is claimed unless both are floats of a known type.
 */
export function coarser(a: StoredAs, b: StoredAs): StoredAs {
  if (!a.dtype || !b.dtype || !isFloat(a.dtype) || !isFloat(b.dtype)) return {}
  return { dtype: SIGNIFICAND_BITS[a.dtype] <= SIGNIFICAND_BITS[b.dtype] ? a.dtype : b.dtype }
}

/** The two fields alone, each only where it is known. */
export const storedAs = ({ dtype, quantization }: StoredAs): StoredAs => ({
  ...(dtype && { dtype }),
  ...(quantization && { quantization }),
})
