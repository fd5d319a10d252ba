/** Numbers of a tensor in row-major order. */
export type Values = Float64Array | Float32Array

/** Σ v² over all tensors. */
export function squaredNorm(tensors: readonly Values[]): number {
  let sum = 0
  for (const values of tensors) sum += sumOfSquares(values)
  return sum
}

/** Σ v² of one tensor: a loop of its own is compiled sooner. */
function sumOfSquares(values: Values): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    const v = values[i]
    sum += v * v
  }
  return sum
}

/** All parts one after the other. */
export function flat(parts: readonly Values[]): Float64Array {
  const out = new Float64Array(parts.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** f of every number, in float64. The built-in `Float64Array.from(values, f)` takes twenty times as long for a typed array. */
export function mapped(values: ArrayLike<number>, f: (value: number, index: number) => number): Float64Array {
  const out = new Float64Array(values.length)
  for (let i = 0; i < out.length; i++) out[i] = f(values[i], i)
  return out
}
