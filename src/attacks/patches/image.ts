import { sizeOf } from '../../graph'
import type { Entries } from './entries'

/** Patches as parts of one sample. */
export interface PatchedImage {
  /** Numbers of the data that no patch reads. */
  readonly unread: number
  /** The data of patches: where patches overlap, their mean; what none reads is the mean of the rest. */
  dataOf(patches: Float64Array): Float64Array
  /** The change of the data that a change of the patches makes; zero where no patch reads. */
  changeOf(change: Float64Array): Float64Array
  /**
   * The derivative of ½‖D x‖² with respect to the patches, x the data of the patches and D the differences of neighbours.
   *
   * @param offsets whether x has the offsets between data and patches; else they count as zero
   */
  roughen(patches: Float64Array, offsets: boolean): Float64Array
}

/**
 * @param pixels which number of the data each number of the patches is
 * @param shape of the data of one sample; neighbours are neighbours along every axis but the last
 */
export function imageOf({ entry, scale, offset }: Entries, shape: readonly number[]): PatchedImage {
  const size = sizeOf(shape)
  const count = new Float64Array(size)
  for (const at of entry) if (at >= 0) count[at]++
  const read = (patches: Float64Array, offsets: boolean): Float64Array => {
    const x = new Float64Array(size)
    for (let i = 0; i < entry.length; i++)
      if (entry[i] >= 0) x[entry[i]] += (patches[i] - (offsets ? offset[i] : 0)) / scale[i] / count[entry[i]]
    return x
  }
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
  const unread = count.filter((n) => n === 0).length
  return {
    unread,
    dataOf(patches) {
      const x = read(patches, true)
      const mean = x.reduce((sum, v) => sum + v, 0) / Math.max(1, size - unread)
      return unread > 0 ? x.map((v, i) => (count[i] > 0 ? v : mean)) : x
    },
    changeOf: (change) => read(change, false),
    roughen(patches, offsets) {
      const x = read(patches, offsets)
      const slope = new Float64Array(size)
      for (let axis = 0; axis < shape.length - 1; axis++)
        for (let i = 0; i + strides[axis] < size; i++) {
          const next = i + strides[axis]
          const last = Math.floor(i / strides[axis]) % shape[axis] === shape[axis] - 1
          if (last || count[i] === 0 || count[next] === 0) continue
          const difference = x[next] - x[i]
          slope[next] += difference
          slope[i] -= difference
        }
      return Float64Array.from(entry, (at, i) => (at < 0 ? 0 : slope[at] / scale[i] / count[at]))
    },
  }
}
