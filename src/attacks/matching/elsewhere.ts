import { sizeOf } from '../../graph'
import { type DataImage, dataImages } from '../../measure/certainty/mirrors'
import { match } from '../../measure/match'
import { mse } from '../../measure/psnr'
import { random } from '../../numbers/random'
import type { Attack } from './attack'
import type { Settings } from './options'
import { newProgress, type Progress } from './search/progress'
import { type RestartOutcome, search } from './search/search'

/** Data far from those that were found, with the same gradient. */
export interface OtherMatch {
  readonly how: DataImage['how'] | 'another start'
  readonly point: Float64Array
  readonly relativeLoss: number
}

/** What was found far away from a match. */
export interface Elsewhere {
  readonly other: OtherMatch | undefined
  /**
   * Where a search from another start ended: at the same data, at other data, at no match; or none was made, because the data
   * reach the first trained weights by a way that does not turn back.
   */
  readonly anotherStart: 'same' | 'other' | 'no match' | 'none made'
  readonly evaluations: number
}

/** A relative loss below this is as good as any in float32, and one of at most so many times the match's is as good as that. */
const [FLOAT32, AS_GOOD] = [1e-10, 4]
/** Root mean square from which data are others, in widths of their range. */
const APART = 0.01
/** Between two separate matches, the relative loss is this many times what is as good. */
const BARRIER = 10
/** Starts that are tried, and evaluations of each: as many times those of the match, but at least so many. */
const [STARTS, TIMES, LEAST] = [2, 3, 200]

/**
 * Looks for other data with the shared gradient, far from a match. Nothing around the match tells of them.
 *
 * - Mirror images cost an evaluation each: −x, the data mirrored in the middle of their range, and each axis of a sample in reverse
 *   order; targets that are numbers also with the opposite sign. So do rearrangements, which have the same gradient where one weight reads several
 *   places of a sample and what it makes of them is added up.
 * - The gradient of a weight that reads one place shows what it is multiplied by there. So other data come about before the first trained weights as
 *   well: where a function there may turn back, as a square does, a search begins anew from elsewhere.
 *
 * @param spent evaluations since the search
 * @param told is called again and again; what it throws ends the work
 * @returns undefined where the work was cut short before all images, or before a single search from elsewhere
 */
export async function elsewhere(
  attack: Attack,
  found: Pick<RestartOutcome, 'point' | 'relativeLoss' | 'evaluations'>,
  settings: Settings,
  progress: Progress,
  spent: number,
  told: () => void,
): Promise<Elsewhere | undefined> {
  const enough = Math.max(settings.tolerance, AS_GOOD * found.relativeLoss, FLOAT32)
  const limits = {
    evaluations: settings.budget.evaluations - progress.evaluations - spent,
    milliseconds: () => settings.budget.milliseconds - progress.milliseconds(),
  }
  let evaluations = 0
  const cut = () => {
    told()
    return settings.signal?.aborted === true || evaluations >= limits.evaluations || limits.milliseconds() <= 0
  }
  const lossAt = async (point: Float64Array): Promise<number> => {
    evaluations++
    return (await attack.evaluate(point)).relativeLoss
  }
  const separate = async (point: Float64Array): Promise<boolean> =>
    distanceOf(attack, found.point, point, settings) > APART &&
    (await lossAt(found.point.map((v, i) => (v + point[i]) / 2))) > BARRIER * enough

  for (const { how, point } of imagesOf(attack, found.point, settings)) {
    if (cut()) return undefined
    const relativeLoss = await lossAt(point)
    if (relativeLoss <= enough && (await separate(point)))
      return { other: { how, point, relativeLoss }, anotherStart: 'none made', evaluations }
  }
  if (!attack.objective.turnsBack) return { other: undefined, anotherStart: 'none made', evaluations }
  let anotherStart: Elsewhere['anotherStart'] | undefined
  for (let trial = 0; trial < STARTS && !cut(); trial++) {
    const own = newProgress(1)
    const cancel = () => {
      own.cancelled = true
    }
    settings.signal?.addEventListener('abort', cancel)
    try {
      const most = Math.max(LEAST, TIMES * found.evaluations)
      const budget = {
        evaluations: Math.min(most, limits.evaluations - evaluations),
        milliseconds: limits.milliseconds(),
      }
      const start = await startElsewhere(attack, trial, settings)
      const end = await search(attack, { ...attack.settings, budget }, own, 0, start, told)
      evaluations += end.evaluations
      if (!(end.relativeLoss <= enough)) {
        if (!cut()) anotherStart ??= 'no match'
        continue
      }
      const point = paired(attack, found.point, end.point)
      if (await separate(point))
        return {
          other: { how: 'another start', point, relativeLoss: end.relativeLoss },
          anotherStart: 'other',
          evaluations,
        }
      anotherStart = 'same'
    } finally {
      settings.signal?.removeEventListener('abort', cancel)
    }
  }
  return anotherStart && { other: undefined, anotherStart, evaluations }
}

/** The next start as it would be drawn; then one with data anywhere in their range. */
async function startElsewhere(attack: Attack, trial: number, { seed, restarts, dataRange }: Settings) {
  const start = (await attack.start(restarts + trial)).slice()
  if (trial === 0) return start
  const { uniform } = random(seed, 0x656c73, trial)
  const [low, high] = dataRange
  const data = dataSize(attack)
  for (let i = 0; i < data; i++) start[i] = low + (high - low) * uniform()
  return start
}

/** Numbers of all searched inputs. */
const dataSize = ({ objective: { point } }: Attack): number =>
  point.inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** Mirror images and rearrangements of the data of a point, and with them the opposite targets where they are numbers. */
function* imagesOf(attack: Attack, point: Float64Array, { dataRange }: Settings): Generator<DataImage> {
  const { inputs, sizes, targetKinds } = attack.objective.point
  const data = dataSize(attack)
  const starts = inputs.map((_, k) => sizes.slice(0, k).reduce((sum, size) => sum + size, 0))
  const parts = inputs.map(({ shape }, k) => ({ start: starts[k], shape, range: dataRange }))
  yield* dataImages(point, parts)
  if (!targetKinds.includes('numbers')) return
  for (const image of dataImages(point, parts))
    yield { ...image, point: image.point.map((v, i) => (i < data ? v : -v)) }
}

/** Root mean square of the difference of the data, in widths of their range. */
function distanceOf(attack: Attack, a: Float64Array, b: Float64Array, { dataRange: [low, high] }: Settings): number {
  const data = dataSize(attack)
  return Math.sqrt(mse(a.subarray(0, data), b.subarray(0, data))) / (high - low)
}

/** A point with its samples in the order in which they are closest to those of another. */
function paired({ objective: { point: layout } }: Attack, to: Float64Array, point: Float64Array): Float64Array {
  const parts = [...layout.inputs, ...layout.targets]
  const batch = parts[0].shape[0]
  if (batch === 1 || parts.some(({ shape }) => shape[0] !== batch)) return point
  const rowOf = (of: Float64Array, sample: number) => {
    const size = sizeOf(parts[0].shape) / batch
    return of.subarray(sample * size, (sample + 1) * size)
  }
  const order = match(
    Array.from({ length: batch }, (_, i) =>
      Array.from({ length: batch }, (_, k) => mse(rowOf(to, i), rowOf(point, k))),
    ),
  )
  const out = point.slice()
  let start = 0
  for (const { shape } of parts) {
    const size = sizeOf(shape) / batch
    for (const [i, k] of order.entries())
      out.set(point.subarray(start + k * size, start + (k + 1) * size), start + i * size)
    start += sizeOf(shape)
  }
  return out
}
