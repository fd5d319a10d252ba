import type { Shape } from '../../graph'
import { random } from '../../numbers/random'
import { squaredNorm, type Values } from '../../numbers/values'
import { lbfgs } from '../../optim'
import type { Curvature } from './curvature'

/** What it takes to try whether one sample would pass for several. */
export interface MixtureTrial {
  /** How many of the first groups of unknowns are data; the others are targets. */
  readonly inputs: number
  readonly floor: number
  /** What each unknown moves R by, so that the search moves all of them alike. */
  readonly sensitivity: Float64Array
  /** What was shared at the point, tensor by tensor, and the shapes and weights of these tensors in R. */
  readonly here: readonly Values[]
  readonly shapes: readonly Shape[]
  readonly weights: readonly number[]
  /** What was shared at another point, times the same factor. */
  gradientAt(point: Float64Array): Promise<readonly Values[]>
  /** R(x) = ‖w (g(x) − mixture)‖² and ∇R; undefined where no search is wanted. */
  readonly against?: (
    mixture: readonly Values[],
  ) => Promise<(point: Float64Array) => Promise<{ value: number; gradient: Float64Array }>>
}

/** The two samples of a trial mixture are so far from the point, in units; a mixture shows that far above the floor, squared. */
const [SPREAD, CLEAR] = [0.25, 16]
/** Two samples in proportion to the point are so many times longer and shorter. */
const LONGER = 0.5

/** Evaluations of the search for one sample that passes for the mixture: it ends after the first, unless it leads somewhere. */
const [TRIED, MOST] = [16, 60]
/** So many times as many where there are few unknowns. */
const [TIMES, FEW] = [3, 128]
/** Least part of the largest sensitivity that counts where unknowns are scaled. */
const WEAKEST = 1e-12
/** Part of the mixture's R that is left where the search leads somewhere, and where it has got there. */
const [LEADS, THERE] = [0.1, 1e-6]

/** Largest R of a mixture that is searched for, and how many floors of R it must have then. */
const [NEARBY, AWAY] = [1e-4, 1e4]

/** Squared part of a matrix outside its largest singular vectors, up to which its rank is 1 in float32; steps that find them. */
const [RANK_ONE, POWER] = [1e-11, 30]
/** Relative change of the singular value, squared, at which these steps have come to rest. */
const SETTLED = 1e-15

/**
 * Whether the mean of several samples may have passed for the one at a point: whether one sample near x has the mean of the gradients
 * at x + δ and x − δ, as far as what was shared can tell, for a random δ and for one along x. That is x itself where a model says nearly the same of all samples. Where a
 * model is linear with one number for its output, it is another one, and there is one for any samples.
 *
 * Most mixtures show by their rank: the gradient of a dense layer is δ hᵀ for one sample, and a sum of such products for several. The
 * others are searched for.
 *
 * @param curvature measures the unknowns in their units
 * @returns undefined where the work was cut short
 */
export async function passesForMixture(
  curvature: Curvature,
  point: Float64Array,
  { inputs, floor, sensitivity, here, shapes, weights, gradientAt, against }: MixtureTrial,
): Promise<boolean | undefined> {
  const { normal } = random(1, 0x6d6978)
  const units = new Float64Array(point.length)
  const [step, along] = [new Float64Array(point.length), new Float64Array(point.length)]
  for (const [group, { start, size, unit }] of curvature.groups.entries())
    for (let i = start; i < start + size; i++) {
      units[i] = unit
      if (group >= inputs) continue
      step[i] = SPREAD * unit * normal()
      along[i] = LONGER * point[i]
    }
  const mixed = async (by: Float64Array) => {
    const ahead = await gradientAt(point.map((v, i) => v + by[i]))
    if (curvature.cut) return undefined
    const behind = await gradientAt(point.map((v, i) => v - by[i]))
    const mixture = ahead.map((values, t) => middle(values, behind[t]))
    curvature.tell()
    const off = mixture.map((values, t) => weights[t] ** 2 * squaredDistance(values, here[t]))
    return { ahead, behind, mixture, off: total(off) }
  }
  // samples in proportion to each other turn on the same units behind a ReLU
  const inProportion = await mixed(along)
  if (inProportion && inProportion.off <= floor) return true
  const apart = inProportion && !curvature.cut ? await mixed(step) : undefined
  if (!apart) return undefined
  const { ahead, behind, mixture, off } = apart
  if (off <= CLEAR * floor) return true
  let stopped = false
  const showsByRank = shapes.some((shape, t) => {
    stopped ||= curvature.cut
    if (stopped || shape.length !== 2 || Math.min(...shape) < 2) return false
    const single = [here, ahead, behind].map((tensors) => tensors[t])
    const outside = (values: Values) => outsideRankOne(values, shape, curvature.tell)
    if (!single.every((values) => outside(values) <= RANK_ONE * squaredNorm([values]))) return false
    const rest = outside(mixture[t])
    return rest > CLEAR * RANK_ONE * squaredNorm([mixture[t]]) && weights[t] ** 2 * rest > floor
  })
  if (stopped) return undefined
  if (showsByRank || !against) return false

  // a mixture far from the gradient of its middle is far from the sample that passes for it, too: R goes with the fourth power of δ
  const shorter = Math.min(1, (NEARBY / off) ** 0.25)
  const clear = shorter ** 4 * off > AWAY * floor
  const nearer = shorter < 1 && clear ? (await mixed(step.map((v) => shorter * v)))?.mixture : mixture
  if (!nearer || curvature.cut) return undefined
  const residual = await against(nearer)
  const scales = scaledUnits(curvature, units, sensitivity)
  const times = point.length <= FEW ? TIMES : 1
  const optimizer = lbfgs({ lineSearch: 'strong-wolfe', gradientTolerance: 0, changeTolerance: 0 })
  let state = optimizer.init(new Float64Array(point.length))
  let [first, best] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let tried = 0; tried < times * MOST && !state.stopped; tried++) {
    if (curvature.cut) return undefined
    const { value, gradient } = await residual(point.map((v, i) => v + scales[i] * state.point[i]))
    if (tried === 0) first = value
    if (Number.isFinite(value)) best = Math.min(best, value)
    if (best <= Math.max(floor, THERE * first)) return true
    if (tried >= times * TRIED && best > LEADS * first) break
    const down = curvature.project(gradient.map((v, i) => (v * scales[i]) / first))
    state = optimizer.step(state, { value: value / first, gradient: down })
  }
  return false
}

/** Units in which the groups of unknowns move R alike. */
function scaledUnits({ groups }: Curvature, units: Float64Array, sensitivity: Float64Array): Float64Array {
  const means = groups.map(({ start, size }) => total([...sensitivity.subarray(start, start + size)]) / size)
  const most = Math.max(...means)
  const out = units.slice()
  for (const [g, { start, size }] of groups.entries())
    for (let i = start; i < start + size; i++)
      out[i] *= most > 0 ? Math.sqrt(most / Math.max(means[g], WEAKEST * most)) : 1
  return out
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** (a + b) / 2 */
function middle(a: Values, b: Values): Float64Array {
  const out = new Float64Array(a)
  for (let i = 0; i < out.length; i++) out[i] = (out[i] + b[i]) / 2
  return out
}

/** ‖a − b‖² */
function squaredDistance(a: Values, b: Values): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] - b[i]
    sum += difference * difference
  }
  return sum
}

/** ‖A‖² − σ₁², by power iteration; where that has not settled, rather too large. `tell` is called at every step. */
function outsideRankOne(values: Values, [rows, columns]: Shape, tell: () => void): number {
  const rowOf = (i: number) => new Float64Array(values.subarray(i * columns, (i + 1) * columns))
  const sizes = Array.from({ length: rows }, (_, i) => squaredNorm([rowOf(i)]))
  let right = rowOf(sizes.indexOf(Math.max(...sizes)))
  let size = 0
  for (let k = 0; k < POWER; k++) {
    tell()
    const length = Math.sqrt(squaredNorm([right]))
    if (!(length > 0)) return 0
    for (let j = 0; j < columns; j++) right[j] /= length
    const left = new Float64Array(rows)
    for (let i = 0; i < rows; i++) {
      let sum = 0
      for (let j = 0; j < columns; j++) sum += values[i * columns + j] * right[j]
      left[i] = sum
    }
    const before = size
    size = squaredNorm([left])
    if (Math.abs(size - before) <= SETTLED * size) break
    right = new Float64Array(columns)
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) right[j] += values[i * columns + j] * left[i]
  }
  return Math.max(0, total(sizes) - size)
}
