import { invalid } from './checks'
import type { Shape } from './node'

/** Most axes of a tensor: what tfjs and ONNX have is far below. */
export const MAX_RANK = 64

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (const n of shape) size *= n
  return size
}

/** Whether both shapes have the same axes. */
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i])

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= shape[i]
  }
  return strides
}

/** The shape with leading axes of size 1 up to `rank`. */
export const padRank = (shape: Shape, rank: number): Shape =>
  shape.length >= rank ? shape : [...new Array<number>(rank - shape.length).fill(1), ...shape]

/** NumPy's broadcasting rule: right-aligned, sizes equal or 1. */
export function broadcastShapes(...shapes: Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length))
  const out = new Array<number>(rank).fill(1)
  for (const shape of shapes) {
    const aligned = padRank(shape, rank)
    for (let i = 0; i < rank; i++) {
      if (aligned[i] === 1 || aligned[i] === out[i]) continue
      if (out[i] !== 1)
        throw invalid(
          'broadcast',
          `shapes ${shapes.map((s) => `[${s}]`).join(', ')} do not broadcast; sizes must be equal or 1, counted from the last axis`,
        )
      out[i] = aligned[i]
    }
  }
  return out
}

/** Whether permuting the axes leaves the elements in the same order, because only axes of size 1 move. */
export function keepsOrder(shape: Shape, permutation: readonly number[]): boolean {
  const moving = permutation.filter((axis) => shape[axis] !== 1)
  return moving.every((axis, i) => i === 0 || moving[i - 1] < axis)
}

/** The permutation that undoes this one. */
export function inversePermutation(permutation: readonly number[]): number[] {
  const inverse = new Array<number>(permutation.length)
  permutation.forEach((axis, i) => {
    inverse[axis] = i
  })
  return inverse
}

/** 0, 1, …, n − 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** Axes as indices in [0, rank), sorted and without repeats; negative ones count from the end. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] {
  return [...new Set(axes.map((a) => (a < 0 ? a + rank : a)))].sort((a, b) => a - b)
}
