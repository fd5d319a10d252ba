/** Numbers of a tensor in row-major order. */
export type Values = Float64Array | Float32Array

/** Σ v² over all tensors. */
export function squaredNorm(tensors: readonly Values[]): number {
  let sum = 0
  for (const values of tensors) for (let i = 0; i < values.length; i++) sum += values[i] ** 2
  return sum
}
