import { match } from '../../../measure/match'
import { mse } from '../../../measure/psnr'
import { squaredDistance } from '../../../numbers/vectors'

/** What several searches from different starts have found of one batch. */
export interface GroupMember {
  /** [batch, …sample] in row-major order. */
  readonly data: Float64Array
  /** The targets of every sample, one after the other; samples with other targets are other samples. */
  readonly targets: readonly ArrayLike<number>[]
}

/** How samples and pixels of several members are brought together. */
export interface Alignment {
  /** [batch, …sample]; pictures are [batch, height, width, channels]. */
  readonly shape: readonly number[]
  /** What a squared difference of targets costs beside one of data; Infinity where every sample keeps its place. */
  readonly targetCost: number
  /** Most pixels that a picture is shifted by, along height and width. */
  readonly shift: number
}

/** Height and width that a picture is shifted by. */
type Shift = readonly [down: number, right: number]

const STILL: Shift = [0, 0]

/**
 * The mean of a group, for each member in the order of its own samples and where its own pictures lie.
 *
 * Samples are paired with those of the first member so that the sum of squared errors is least: a gradient does not tell the order of a
 * batch. Each picture is then shifted by whole pixels to where it is closest to its pair. A shifted picture has no pixels at one edge;
 * the mean there is that of the others.
 *
 * The idea is that of GradInversion (Yin et al. 2021), which registers by optical flow.
 */
export function groupMeans(members: readonly GroupMember[], alignment: Alignment): Float64Array[] {
  const [first] = members
  const batch = alignment.shape[0]
  const samplesOf = ({ data }: GroupMember): Float64Array[] => {
    const size = data.length / batch
    return Array.from({ length: batch }, (_, i) => data.subarray(i * size, (i + 1) * size))
  }
  const wanted = samplesOf(first)
  const placed = members.map((member) => {
    const own = samplesOf(member)
    const order = orderOf(own, wanted, member, first, alignment.targetCost)
    const shifts = order.map((slot, i) => closestShift(own[slot], wanted[i], alignment))
    return { own, order, shifts }
  })
  const means = wanted.map((_, i) =>
    meanOf(placed.map(({ own, order, shifts }) => shifted(own[order[i]], shifts[i], alignment.shape))),
  )
  return placed.map(({ own, order, shifts }) => {
    const out = new Float64Array(first.data.length)
    for (const [i, slot] of order.entries()) {
      const [down, right] = shifts[i]
      const back = shifted(means[i], [-down, -right], alignment.shape)
      out.set(
        back.map((v, k) => (Number.isNaN(v) ? own[slot][k] : v)),
        slot * back.length,
      )
    }
    return out
  })
}

/** For each wanted sample, the place of its pair among a member's own. */
function orderOf(
  own: readonly Float64Array[],
  wanted: readonly Float64Array[],
  { targets }: GroupMember,
  first: GroupMember,
  targetCost: number,
): number[] {
  if (targetCost === Number.POSITIVE_INFINITY) return wanted.map((_, i) => i)
  const cost = wanted.map((sample, i) =>
    own.map((other, k) => mse(other, sample) + targetCost * squaredDistance(targets[k], first.targets[i])),
  )
  return match(cost)
}

/** The mean at every place over those that have a number there. */
const meanOf = (all: readonly Float64Array[]): Float64Array =>
  all[0].map((_, k) => {
    const there = all.map((one) => one[k]).filter((v) => !Number.isNaN(v))
    return there.reduce((sum, v) => sum + v, 0) / there.length
  })

/** The shift that brings a picture closest to another; the smallest of equal ones. */
function closestShift(picture: Float64Array, wanted: Float64Array, { shape, shift }: Alignment): Shift {
  if (shift === 0) return STILL
  const steps = Array.from({ length: 2 * shift + 1 }, (_, i) => i - shift)
  const all = steps
    .flatMap((down) => steps.map((right): Shift => [down, right]))
    .sort((a, b) => Math.hypot(...a) - Math.hypot(...b))
  let best = { shift: STILL, error: Number.POSITIVE_INFINITY }
  for (const candidate of all) {
    const moved = shifted(picture, candidate, shape)
    let [sum, count] = [0, 0]
    for (const [k, v] of moved.entries()) {
      if (Number.isNaN(v)) continue
      sum += (v - wanted[k]) ** 2
      count++
    }
    if (count > 0 && sum / count < best.error) best = { shift: candidate, error: sum / count }
  }
  return best.shift
}

/** A picture shifted by whole pixels; NaN where it has none. */
function shifted(
  picture: Float64Array,
  [down, right]: Shift,
  [, height, width, channels]: readonly number[],
): Float64Array {
  if (down === 0 && right === 0) return picture
  const out = new Float64Array(picture.length).fill(Number.NaN)
  for (let y = Math.max(0, down); y < Math.min(height, height + down); y++)
    for (let x = Math.max(0, right); x < Math.min(width, width + right); x++) {
      const from = ((y - down) * width + (x - right)) * channels
      out.set(picture.subarray(from, from + channels), (y * width + x) * channels)
    }
  return out
}
