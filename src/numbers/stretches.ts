import type { Steps } from './steps'
import type { Values } from './values'

/** Numbers that are gone through between two yields: a millisecond or so. */
const STRETCH = 2 ** 18

/** The numbers of a tensor from `begin` to before `end`. */
interface Stretch {
  readonly tensor: number
  readonly begin: number
  readonly end: number
}

/** All numbers of several tensors, one stretch after the other. Models have millions of weights, and other work waits. */
function* stretches(tensors: readonly { readonly length: number }[]): Generator<Stretch> {
  for (const [tensor, { length }] of tensors.entries())
    for (let begin = 0; begin < length; begin += STRETCH)
      yield { tensor, begin, end: Math.min(begin + STRETCH, length) }
}

/** ⟨a, b⟩ over all tensors, in steps. */
export function* innerProduct(a: readonly Values[], b: readonly Values[]): Steps<number> {
  let sum = 0
  for (const { tensor, begin, end } of stretches(a)) {
    const [one, other] = [a[tensor], b[tensor]]
    for (let i = begin; i < end; i++) sum += one[i] * other[i]
    yield
  }
  return sum
}

/** Squared norms tensor by tensor, each in a unit in which they neither overflow nor vanish. */
export interface Squares {
  /** ‖f a − b‖² of each tensor */
  readonly off: readonly number[]
  /** ‖b‖² of each tensor */
  readonly size: readonly number[]
  /** The unit of f a − b in those of b. */
  readonly unit: number
}

/** How far f a is from b, tensor by tensor, in steps. */
export function* squaresApart(a: readonly Values[], b: readonly Values[], f = 1): Steps<Squares> {
  let [most, mostOfB] = [0, 0]
  for (const { tensor, begin, end } of stretches(b)) {
    const [one, other] = [a[tensor], b[tensor]]
    for (let i = begin; i < end; i++) {
      most = Math.max(most, Math.abs(one[i]))
      mostOfB = Math.max(mostOfB, Math.abs(other[i]))
    }
    yield
  }
  const unitOfB = mostOfB || 1
  const unit = Math.max(Math.abs(f) * most, mostOfB) || 1
  const [off, size] = [b.map(() => 0), b.map(() => 0)]
  for (const { tensor, begin, end } of stretches(b)) {
    const [one, other] = [a[tensor], b[tensor]]
    let [difference, square] = [0, 0]
    for (let i = begin; i < end; i++) {
      const [d, v] = [(f * one[i] - other[i]) / unit, other[i] / unitOfB]
      difference += d * d
      square += v * v
    }
    off[tensor] += difference
    size[tensor] += square
    yield
  }
  return { off, size, unit: unit / unitOfB }
}

/** ‖f a − b‖ / ‖b‖ of the tensors that are chosen; without a limit where b is zero and a is not. */
export function relativeOf({ off, size, unit }: Squares, chosen: readonly number[] = [...size.keys()]): number {
  const over = (all: readonly number[]): number => chosen.reduce((sum, i) => sum + all[i], 0)
  const [away, whole] = [over(off), over(size)]
  return whole > 0 ? unit * Math.sqrt(away / whole) : away > 0 ? Number.POSITIVE_INFINITY : 0
}

/** ‖f a − b‖ / ‖b‖ over all tensors, in steps. */
export function* relativeDistance(a: readonly Values[], b: readonly Values[], f = 1): Steps<number> {
  return relativeOf(yield* squaresApart(a, b, f))
}

/** α = ⟨a, b⟩ / ⟨a, a⟩, the factor that brings a closest to b, in steps; 1 where a is zero. */
export function* fittedFactor(a: readonly Values[], b: readonly Values[]): Steps<number> {
  const square = yield* innerProduct(a, a)
  return square > 0 ? (yield* innerProduct(a, b)) / square : 1
}

/** (a + b) / 2, tensor by tensor, in steps. */
export function* meanOfTwo(a: readonly Values[], b: readonly Values[]): Steps<Float64Array[]> {
  const out = a.map(({ length }) => new Float64Array(length))
  for (const { tensor, begin, end } of stretches(a)) {
    const [one, other, mean] = [a[tensor], b[tensor], out[tensor]]
    for (let i = begin; i < end; i++) mean[i] = (one[i] + other[i]) / 2
    yield
  }
  return out
}
