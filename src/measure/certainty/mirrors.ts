import { type Shape, sizeOf } from '../../graph'

/** A part of a flat point that is data, [samples, ...shape of one]. */
export interface MirroredPart {
  readonly start: number
  readonly shape: Shape
  /** The numbers at both ends of its range. */
  readonly range: readonly [low: number, high: number]
}

/** Data that some model takes for those in a point. */
export interface DataImage {
  readonly how: 'mirror image' | 'rearrangement'
  readonly point: Float64Array
}

/** Sizes of the parts that change places: of single numbers, and of windows that a convolution or a patch embedding reads one by one. */
const BLOCKS = [1, 2, 3, 4, 5, 6, 7, 8, 14, 16, 32]
/** Up to this length of an axis, each pair of neighbours changes places by itself too. */
const SHORT = 12

/**
 * Mirror images of the data in a point: −x and low + high − x for all parts at once, and each axis of a sample in reverse order, one by
 * one. And rearrangements: neighbouring blocks of an axis change places, all pairs of them at once. Each is where some model has the same gradient
 * again, such as one that adds up what it makes of each window.
 */
export function* dataImages(point: Float64Array, parts: readonly MirroredPart[]): Generator<DataImage> {
  const withData = (of: (v: number, range: MirroredPart['range']) => number): Float64Array => {
    const out = point.slice()
    for (const { start, shape, range } of parts)
      for (let i = start; i < start + sizeOf(shape); i++) out[i] = of(point[i], range)
    return out
  }
  function* along(how: DataImage['how'], orders: (length: number) => readonly Order[]): Generator<DataImage> {
    for (const { start, shape } of parts)
      for (const [axis, length] of shape.entries())
        if (axis > 0 && length > 1)
          for (const order of orders(length)) yield { how, point: reordered(point, start, shape, axis, order) }
  }
  yield { how: 'mirror image', point: withData((v) => -v) }
  yield { how: 'mirror image', point: withData((v, [low, high]) => low + high - v) }
  yield* along('mirror image', (length) => [(at) => length - 1 - at])
  yield* along('rearrangement', exchanges)
}

/** Which position along an axis the number at each position comes from. */
type Order = (at: number) => number

/** Neighbouring blocks of an axis in each other's place. */
function exchanges(length: number): Order[] {
  const pairwise = (block: number, from: number, pairs: number): Order => {
    const end = from + 2 * block * Math.min(pairs, Math.floor((length - from) / (2 * block)))
    return (at) => {
      if (at < from || at >= end) return at
      return Math.floor((at - from) / block) % 2 === 0 ? at + block : at - block
    }
  }
  const all = BLOCKS.filter((block) => 2 * block <= length).map((block) => pairwise(block, 0, length))
  // of two positions the whole reversal is the exchange
  if (length < 3) return []
  const neighbours = length <= SHORT ? Array.from({ length: length - 1 }, (_, i) => pairwise(1, i, 1)) : []
  return [...all, pairwise(1, 1, length), ...neighbours]
}

/** A part of a point with one of its axes in another order. */
function reordered(point: Float64Array, start: number, shape: Shape, axis: number, order: Order): Float64Array {
  const inner = sizeOf(shape.slice(axis + 1))
  const length = shape[axis]
  const out = point.slice()
  for (let i = 0; i < sizeOf(shape); i++) {
    const at = Math.floor(i / inner) % length
    out[start + i] = point[start + i + (order(at) - at) * inner]
  }
  return out
}
