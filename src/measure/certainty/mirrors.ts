import { type Shape, sizeOf } from '../../graph'

/** A part of a flat point that is data, [samples, ...shape of one]. */
export interface MirroredPart {
  readonly start: number
  readonly shape: Shape
  /** The numbers at both ends of its range. */
  readonly range: readonly [low: number, high: number]
}

/**
 * Mirror images of the data in a point: −x and low + high − x for all parts at once, and each axis of a sample in reverse order, one by
 * one. Each is where some model has the same gradient again.
 */
export function mirrorImages(point: Float64Array, parts: readonly MirroredPart[]): Float64Array[] {
  const withData = (of: (v: number, range: MirroredPart['range']) => number) => {
    const out = point.slice()
    for (const { start, shape, range } of parts)
      for (let i = start; i < start + sizeOf(shape); i++) out[i] = of(point[i], range)
    return out
  }
  const reversed = parts.flatMap(({ start, shape }) =>
    shape.flatMap((length, axis) => (axis > 0 && length > 1 ? [reversedAlong(point, start, shape, axis)] : [])),
  )
  return [withData((v) => -v), withData((v, [low, high]) => low + high - v), ...reversed]
}

/** A part of a point with one of its axes in reverse order. */
function reversedAlong(point: Float64Array, start: number, shape: Shape, axis: number): Float64Array {
  const inner = sizeOf(shape.slice(axis + 1))
  const length = shape[axis]
  const out = point.slice()
  for (let i = 0; i < sizeOf(shape); i++) {
    const at = Math.floor(i / inner) % length
    out[start + i] = point[start + i + (length - 1 - 2 * at) * inner]
  }
  return out
}
