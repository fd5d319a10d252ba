/** Numbers of a tensor in row-major order. */
export type Values = Float64Array | Float32Array

/** Σ v² over all tensors. */
export function squaredNorm(tensors: readonly Values[]): number {
  let sum = 0
  for (const values of tensors) sum += sumOfSquares(values)
  return sum
}

/** Σ v² of one tensor: a loop of its own is compiled sooner, and four sums do not wait for each other. */
function sumOfSquares(values: Values): number {
  const n = values.length
  const whole = n - (n % 4)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i < whole; i += 4) {
    const v0 = values[i]
    const v1 = values[i + 1]
    const v2 = values[i + 2]
    const v3 = values[i + 3]
    s0 += v0 * v0
    s1 += v1 * v1
    s2 += v2 * v2
    s3 += v3 * v3
  }
  for (; i < n; i++) s0 += values[i] * values[i]
  return s0 + s1 + (s2 + s3)
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
