// Four accumulators in the sums: one would make every addition wait for the one before it.

/** aᵀb */
export const dot = (a: Float64Array, b: Float64Array): number => dotFrom(a, 0, b, 0, a.length)

/** Σ a[from + i]·b[start + i] over `count` elements. */
export function dotFrom(a: Float64Array, from: number, b: Float64Array, start: number, count: number): number {
  const whole = count - (count % 4)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i < whole; i += 4) {
    s0 += a[from + i] * b[start + i]
    s1 += a[from + i + 1] * b[start + i + 1]
    s2 += a[from + i + 2] * b[start + i + 2]
    s3 += a[from + i + 3] * b[start + i + 3]
  }
  for (; i < count; i++) s0 += a[from + i] * b[start + i]
  return s0 + s1 + (s2 + s3)
}

/** yᵀs and yᵀy of s = length·direction and y = after − before, in one pass. */
export function curvatureAlong(
  length: number,
  direction: Float64Array,
  after: Float64Array,
  before: Float64Array,
): { readonly ys: number; readonly yy: number } {
  const n = direction.length
  const whole = n - (n % 4)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let t0 = 0
  let t1 = 0
  let t2 = 0
  let t3 = 0
  let i = 0
  for (; i < whole; i += 4) {
    const y0 = after[i] - before[i]
    const y1 = after[i + 1] - before[i + 1]
    const y2 = after[i + 2] - before[i + 2]
    const y3 = after[i + 3] - before[i + 3]
    s0 += y0 * (length * direction[i])
    s1 += y1 * (length * direction[i + 1])
    s2 += y2 * (length * direction[i + 2])
    s3 += y3 * (length * direction[i + 3])
    t0 += y0 * y0
    t1 += y1 * y1
    t2 += y2 * y2
    t3 += y3 * y3
  }
  for (; i < n; i++) {
    const y = after[i] - before[i]
    s0 += y * (length * direction[i])
    t0 += y * y
  }
  return { ys: s0 + s1 + (s2 + s3), yy: t0 + t1 + (t2 + t3) }
}

/** d = vector − scale·gradient, with gradientᵀd and max|dᵢ|, in one pass. */
export function descentFrom(
  vector: ArrayLike<number>,
  scale: number,
  gradient: Float64Array,
): { readonly direction: Float64Array; readonly slope: number; readonly reach: number } {
  const n = gradient.length
  const direction = new Float64Array(n)
  const whole = n - (n % 4)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let reach = 0
  let i = 0
  for (; i < whole; i += 4) {
    const d0 = vector[i] - scale * gradient[i]
    const d1 = vector[i + 1] - scale * gradient[i + 1]
    const d2 = vector[i + 2] - scale * gradient[i + 2]
    const d3 = vector[i + 3] - scale * gradient[i + 3]
    direction[i] = d0
    direction[i + 1] = d1
    direction[i + 2] = d2
    direction[i + 3] = d3
    s0 += d0 * gradient[i]
    s1 += d1 * gradient[i + 1]
    s2 += d2 * gradient[i + 2]
    s3 += d3 * gradient[i + 3]
    const size = Math.max(Math.abs(d0), Math.abs(d1), Math.abs(d2), Math.abs(d3))
    if (size > reach) reach = size
  }
  for (; i < n; i++) {
    const d = vector[i] - scale * gradient[i]
    direction[i] = d
    s0 += d * gradient[i]
    if (Math.abs(d) > reach) reach = Math.abs(d)
  }
  return { direction, slope: s0 + s1 + (s2 + s3), reach }
}

/** Writes `target ← target + scale·vector` and returns `targetᵀother`, in one pass over memory instead of two. */
export function addInPlaceThenDot(
  target: Float64Array,
  scale: number,
  vector: Float64Array,
  other: Float64Array,
): number {
  const n = target.length
  const whole = n - (n % 4)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i < whole; i += 4) {
    const t0 = target[i] + scale * vector[i]
    const t1 = target[i + 1] + scale * vector[i + 1]
    const t2 = target[i + 2] + scale * vector[i + 2]
    const t3 = target[i + 3] + scale * vector[i + 3]
    target[i] = t0
    target[i + 1] = t1
    target[i + 2] = t2
    target[i + 3] = t3
    s0 += t0 * other[i]
    s1 += t1 * other[i + 1]
    s2 += t2 * other[i + 2]
    s3 += t3 * other[i + 3]
  }
  for (; i < n; i++) {
    target[i] += scale * vector[i]
    s0 += target[i] * other[i]
  }
  return s0 + s1 + (s2 + s3)
}

/** Writes `target ← target + scale·vector`. */
export function addInPlace(target: Float64Array, scale: number, vector: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] += scale * vector[i]
}

/** a + scale·b */
export function plus(a: Float64Array, scale: number, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length)
  for (let i = 0; i < sum.length; i++) sum[i] = a[i] + scale * b[i]
  return sum
}

/** scale·a */
export function times(scale: number, a: Float64Array): Float64Array {
  const product = new Float64Array(a.length)
  for (let i = 0; i < product.length; i++) product[i] = scale * a[i]
  return product
}

/** ‖a‖₁ = Σ|aᵢ| */
export function absoluteSum(a: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i])
  return sum
}

/** ‖a‖∞ = max|aᵢ|, for finite a. */
export function absoluteMaximum(a: Float64Array): number {
  let maximum = 0
  for (let i = 0; i < a.length; i++) {
    const size = Math.abs(a[i])
    if (size > maximum) maximum = size
  }
  return maximum
}

/** Whether ‖a‖∞ > bound; a look at the first element mostly tells. */
export function exceeds(a: Float64Array, bound: number): boolean {
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i]) > bound) return true
  return false
}

/** Whether every element is finite: 0·a is zero for a finite a, and NaN for an infinite one or NaN. */
export function allFinite(a: Float64Array): boolean {
  let zero = 0
  for (let i = 0; i < a.length; i++) zero += 0 * a[i]
  return zero === 0
}

/** Whether the two vectors are the same, element by element. */
export function equal(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
