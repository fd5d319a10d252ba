import type { Proof } from '../../measure/proof'
import type { Steps } from '../../numbers/steps'
import { squaredNorm, type Values } from '../../numbers/values'
import { isCoarse, lostIn, type SharedTensor } from './floor'
import { expectedOf, type NoisyProjection, noiseLaw } from './noise-law'
import { type Common, commonOf, factorNoise, hasGradient, isNothing, isPlainNoise, type Left } from './plain-noise'
import { roundsAlike } from './rounds-alike'

/** What a proof is held against. */
export interface Sharing {
  readonly tensors: readonly SharedTensor[]
  /** ‖rounding of an update‖² / ‖gradient‖², where that is known; else 0. */
  readonly rounding: number
  /** Projections of the first two blocks, as they were shared. */
  readonly projections: readonly NoisyProjection[]
  /** Residual up to which a proof holds where nothing else is known. */
  readonly tolerance: number
}

/** The gradient of what was found: of everything, and of the projections of the first two blocks. */
export interface Recomputed {
  readonly gradients: ReadonlyMap<string, Values>
  readonly projections: readonly Values[]
}

/** A proof, with the floor that it was held against. */
export interface FlooredProof extends Proof {
  /** The residual up to which what was shared cannot tell two gradients apart. */
  readonly floor: number
  /** Where the floor comes from. */
  readonly from: 'float32' | 'stored type' | 'rounding of the update' | 'singular values'
  /** Names of tensors that differ by more than the floor leaves, or by what has structure. */
  readonly unexplained: readonly string[]
  /** Whether the recomputed gradient and the shared one are no more alike than unrelated numbers: then it speaks for nothing. */
  readonly unrelated: boolean
}

/** Cosine of n unrelated numbers with others, in units of its standard deviation 1/√n, from which on it is no accident. */
const NO_ACCIDENT = 5

/** A residual of this many times the floor is still at the floor. */
const AT_FLOOR = 2

/** From this much noise on nothing is called proven. */
const HOPELESS = 0.3

/**
 * Whether a recomputed gradient is the shared one up to the precision in which it was shared. Each tensor is held against the floor by
 * itself:
 *
 * - Up to `tolerance` it is the shared one, row by row, whatever else is known.
 * - A shared number of zero stands for any number up to the smallest that its tensor keeps: that is what pruning leaves.
 * - Of a coarse type, the recomputed numbers must round to the shared ones, one by one.
 * - Noise is measured by the spans, and an update was rounded as its weights are. What is left of a tensor must be of that size and
 *   evenly spread, with nothing of the gradient in it. The residual of the projections must be of the size of their own noise.
 *
 * @param factor what was shared is this many times the gradient
 */
export function* explains(
  { gradients, projections }: Recomputed,
  sharing: Sharing,
  factor: number,
): Steps<FlooredProof> {
  const { tensors, tolerance } = sharing
  const whole = tensors.reduce((sum, { values }) => sum + squaredNorm([values]), 0)
  const law = noiseLaw(sharing.projections)
  const coarse = tensors.some(({ stored }) => isCoarse(stored))
  let square = 0
  const unexplained = new Set<string>()
  const all: Common[] = []
  const doubtful: { readonly name: string; readonly common: readonly Common[] }[] = []
  for (const tensor of tensors) {
    const { name, shape } = tensor
    const left = yield* leftOf(tensor, gradients.get(name)!, factor)
    square += squaredNorm([left.difference])
    const common = yield* commonOf(left)
    all.push(common.whole)
    const expected = expectedOf(tensor, common.whole.own, whole, law, tolerance)
    if (yield* isNothing(left, expected)) continue
    if (coarse ? !(yield* roundsAlike(tensor, left, expected)) : !(yield* isPlainNoise(left, expected)))
      unexplained.add(name)
    // a vector is one row
    else if (!coarse)
      doubtful.push({ name, common: shape.length > 1 ? [common.whole, ...common.rows] : [common.whole] })
    yield
  }
  const uncertain = factorNoise(all)
  for (const { name, common } of doubtful)
    if (common.some((part) => hasGradient(part, uncertain))) unexplained.add(name)
  const residual = Math.sqrt(square / whole)
  const found = {
    ...{ residual, unexplained: [...unexplained] },
    unrelated: yield* areUnrelated(gradients, tensors),
  }
  const alike = unexplained.size === 0
  if (residual <= tolerance) return { ...found, proven: alike, floor: tolerance, from: 'float32' }
  if (coarse) {
    const floor = Math.max(tolerance, Math.sqrt(lostIn(tensors) / whole))
    return { ...found, floor, proven: alike && residual <= AT_FLOOR * floor, from: 'stored type' }
  }
  const update = Math.sqrt(sharing.rounding)
  const floor = Math.max(tolerance, update, law.level)
  const known = update === 0 || residual <= AT_FLOOR * floor
  return {
    ...found,
    floor,
    proven: floor <= HOPELESS && projectionsFit(projections, sharing, factor) && alike && known,
    from: floor === tolerance ? 'float32' : update >= law.level ? 'rounding of the update' : 'singular values',
  }
}

/** α that fits best: ⟨g, g*⟩ / ⟨g, g⟩ */
export function* fittedFactor(gradients: ReadonlyMap<string, Values>, tensors: readonly SharedTensor[]): Steps<number> {
  let [product, square] = [0, 0]
  for (const { name, values } of tensors) {
    const own = gradients.get(name)!
    for (let i = 0; i < values.length; i++) {
      if (isDue(i)) yield
      // what was pruned tells nothing of the factor
      if (values[i] === 0) continue
      product += own[i] * values[i]
      square += own[i] ** 2
    }
  }
  return square > 0 ? product / square : 1
}

/** Whether |cos(g, g*)| is what unrelated numbers have. */
function* areUnrelated(gradients: ReadonlyMap<string, Values>, tensors: readonly SharedTensor[]): Steps<boolean> {
  let [product, own, shared, count] = [0, 0, 0, 0]
  for (const { name, values } of tensors) {
    const recomputed = gradients.get(name)!
    for (let i = 0; i < values.length; i++) {
      if (isDue(i)) yield
      product += recomputed[i] * values[i]
      own += recomputed[i] ** 2
      shared += values[i] ** 2
    }
    count += values.length
  }
  return product ** 2 * count <= NO_ACCIDENT ** 2 * own * shared
}

/** α g − g*, where a shared zero that pruning explains counts as equal. */
function* leftOf({ values, shape }: SharedTensor, recomputed: Values, factor: number): Steps<Left> {
  let kept = Infinity
  for (let from = 0; from < values.length; from += PORTION) {
    kept = Math.min(kept, leastOf(values, from, Math.min(values.length, from + PORTION)))
    yield
  }
  if (kept === Infinity) kept = 0
  const own = new Float64Array(values.length)
  const difference = new Float64Array(values.length)
  for (let from = 0; from < values.length; from += PORTION) {
    const to = Math.min(values.length, from + PORTION)
    for (let i = from; i < to; i++) own[i] = factor * recomputed[i]
    subtracted(difference, own, values, kept, from, to)
    yield
  }
  return { difference, own, shape }
}

/** The smallest size of a number that is not zero. */
function leastOf(values: Values, from: number, to: number): number {
  let least = Infinity
  for (let i = from; i < to; i++) {
    const size = Math.abs(values[i])
    if (size < least && size > 0) least = size
  }
  return least
}

function subtracted(
  out: Float64Array,
  own: Float64Array,
  values: Values,
  kept: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const shared = values[i]
    out[i] = shared === 0 && Math.abs(own[i]) <= kept ? 0 : own[i] - shared
  }
}

/** Whether the projections' residual is of the size of their noise, each by itself. */
function projectionsFit(found: readonly Values[], { projections, tolerance }: Sharing, factor: number): boolean {
  return projections.every(({ values, noise }, k) => {
    let left = 0
    for (let i = 0; i < values.length; i++) if (values[i] !== 0) left += (factor * found[k][i] - values[i]) ** 2
    return Math.sqrt(left) <= Math.max(tolerance, AT_FLOOR * noise) * Math.sqrt(squaredNorm([values]))
  })
}

/** Numbers that are looked at between two rests: some milliseconds of work. */
const PORTION = 2 ** 19

const isDue = (i: number): boolean => (i & (PORTION - 1)) === PORTION - 1
