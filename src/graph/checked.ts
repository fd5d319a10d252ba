/**
 * The graph as users get it. It is the index, but that functions of shapes check what they are given; inside the package they run
 * for every node and trust it.
 */
import { invalid, requireAxes, requireCounts, requirePermutation, requireShape } from './checks'
import type { Shape } from './node'
import * as shapes from './shape'

export * from './elementwise'
export * from './gradient'
export * from './indexing'
export * from './leaves'
export * from './linear'
export * from './node'
export * from './reduction'
/** The elementwise operations on plain numbers, in float64. */
export * as numbers from './scalar'
export * from './slicing'
export * from './standardize'
export * from './structure'
export * from './substitute'

/** Number of elements. @throws DlgError `invalid-graph` for what is no shape, as all of these */
export function sizeOf(shape: Shape): number {
  requireShape('sizeOf', shape)
  return shapes.sizeOf(shape)
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  requireShape('sameShape', a)
  requireShape('sameShape', b)
  return shapes.sameShape(a, b)
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  requireShape('stridesOf', shape)
  return shapes.stridesOf(shape)
}

/** The shape with leading axes of size 1 up to `rank`, at most 64. */
export function padRank(shape: Shape, rank: number): Shape {
  requireShape('padRank', shape)
  requireRank('padRank', rank)
  return shapes.padRank(shape, rank)
}

/** NumPy's broadcasting rule: right-aligned, sizes equal or 1. */
export function broadcastShapes(...all: Shape[]): Shape {
  for (const shape of all) requireShape('broadcastShapes', shape)
  return all.length === 0 ? [] : shapes.broadcastShapes(...all)
}

/** Whether permuting the axes leaves the elements in the same order, because only axes of size 1 move. */
export function keepsOrder(shape: Shape, permutation: readonly number[]): boolean {
  requireShape('keepsOrder', shape)
  requirePermutation('keepsOrder', permutation)
  if (permutation.length !== shape.length)
    throw invalid('keepsOrder', `permutation [${permutation}] must have as many axes as [${shape}]`)
  return shapes.keepsOrder(shape, permutation)
}

/** The permutation that undoes another. */
export function inversePermutation(permutation: readonly number[]): number[] {
  requirePermutation('inversePermutation', permutation)
  return shapes.inversePermutation(permutation)
}

/** 0, 1, …, n − 1, as the axes of a tensor are; n at most 64. */
export function range(n: number): number[] {
  requireRank('range', n)
  return shapes.range(n)
}

/** Axes as indices in [0, rank), sorted and without repeats; negative ones count from the end. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] {
  requireRank('normalizeAxes', rank)
  requireAxes('normalizeAxes', axes, rank)
  return shapes.normalizeAxes(axes, rank)
}

function requireRank(operation: string, rank: number): void {
  requireCounts(operation, 'rank', [rank], 1)
  if (rank > shapes.MAX_RANK) throw invalid(operation, `${rank} axes; a tensor must have at most ${shapes.MAX_RANK}`)
}
