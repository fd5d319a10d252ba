import type { Proof } from '../../measure/proof'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../numbers/values'
import { halfStep, isCoarse, lostIn, type SharedTensor } from './floor'

/** What a proof is held against. */
export interface Sharing {
  readonly tensors: readonly SharedTensor[]
  /** ‖rounding of an update‖² / ‖gradient‖², where that is known; else 0. */
  readonly rounding: number
  /** Projections of the first two blocks, as they were shared, with the noise that their spans show: ‖noise‖ / ‖projection‖. */
  readonly projections: readonly { readonly values: Values; readonly noise: number }[]
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
  /** Whether the recomputed gradient and the shared one are no more alike than unrelated numbers: then it speaks for nothing. */
  readonly unrelated: boolean
}

/** Cosine of n unrelated numbers with others, in units of its standard deviation 1/√n, from which on it is no accident. */
const NO_ACCIDENT = 5

/** A residual of this many times the floor is still at the floor. */
const AT_FLOOR = 2

/** Part of the numbers that must be the shared ones after rounding to the type. */
const ROUNDED_ALIKE = 0.998

/** Float32 computes a number of a tensor to this part of the tensor's root mean square. */
const COMPUTED = 1e-5

/** From this much noise on nothing is called proven. */
const HOPELESS = 0.3

/** How far above the bound for independent noise the largest singular value may be. */
const STRUCTURE = 1.25

/** Tensors of more numbers are left out of the test for structure: word tables of large models, which take seconds. */
const MOST_NUMBERS = 4e6

/**
 * Whether a recomputed gradient is the shared one up to the precision in which it was shared.
 *
 * - Up to `tolerance` it is, whatever else is known.
 * - A shared number of zero stands for any number up to the smallest that its tensor keeps: that is what pruning leaves.
 * - Of a coarse type, the recomputed numbers must round to the shared ones, one by one.
 * - Noise is measured by the spans. The residual of the projections must be of its size, and what is left must be without
 *   structure: a wrong token leaves a matrix of few directions, whose largest singular value stands out of a random matrix.
 *
 * @param factor what was shared is this many times the gradient
 */
export function* explains(
  { gradients, projections }: Recomputed,
  sharing: Sharing,
  factor: number,
): Steps<FlooredProof> {
  const { tensors, tolerance } = sharing
  const whole = tensors.reduce((sum, { values }) => sum + squares(values), 0)
  let left = 0
  let rounded = true
  let plain = true
  const coarse = tensors.some(({ stored }) => isCoarse(stored))
  for (const tensor of tensors) {
    const difference = yield* differenceOf(tensor, gradients.get(tensor.name)!, factor)
    left += squares(difference)
    yield
    if (coarse) rounded &&= yield* roundsAlike(tensor, difference)
    else plain &&= yield* isPlain(difference, tensor.shape)
  }
  const residual = Math.sqrt(left / whole)
  const unrelated = yield* areUnrelated(gradients, tensors)
  if (residual <= tolerance) return { residual, proven: true, floor: tolerance, from: 'float32', unrelated }
  if (coarse) {
    const floor = Math.max(tolerance, Math.sqrt(lostIn(tensors) / whole))
    return { residual, floor, proven: rounded && residual <= AT_FLOOR * floor, from: 'stored type', unrelated }
  }
  const update = Math.sqrt(sharing.rounding)
  const { level, fits } = projectionsFit(projections, sharing, factor)
  const floor = Math.max(tolerance, update, level)
  const known = update === 0 || residual <= AT_FLOOR * floor
  return {
    residual,
    floor,
    proven: floor <= HOPELESS && fits && plain && known,
    from: floor === tolerance ? 'float32' : update >= level ? 'rounding of the update' : 'singular values',
    unrelated,
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
function* differenceOf({ values }: SharedTensor, own: Values, factor: number): Steps<Float64Array> {
  let kept = Infinity
  for (let i = 0; i < values.length; i++) {
    if (isDue(i)) yield
    if (values[i] !== 0) kept = Math.min(kept, Math.abs(values[i]))
  }
  if (kept === Infinity) kept = 0
  const difference = new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) {
    if (isDue(i)) yield
    const recomputed = factor * own[i]
    difference[i] = values[i] === 0 && Math.abs(recomputed) <= kept ? 0 : recomputed - values[i]
  }
  return difference
}

/** Whether nearly all recomputed numbers become the shared ones when they are stored. */
function* roundsAlike({ values, stored }: SharedTensor, difference: Float64Array): Steps<boolean> {
  const slack = COMPUTED * Math.sqrt(squares(values) / Math.max(1, values.length))
  let alike = 0
  for (let i = 0; i < values.length; i++) {
    if (isDue(i)) yield
    if (Math.abs(difference[i]) <= 1.01 * halfStep(values[i], stored) + slack) alike++
  }
  return alike >= ROUNDED_ALIKE * values.length
}

/** Whether the projections' residual is of the size of their noise, each by itself; and that noise over all of them. */
function projectionsFit(found: readonly Values[], { projections, tolerance }: Sharing, factor: number) {
  let [noises, whole] = [0, 0]
  let fits = true
  for (const [k, { values, noise }] of projections.entries()) {
    const square = squares(values)
    let left = 0
    for (let i = 0; i < values.length; i++) if (values[i] !== 0) left += (factor * found[k][i] - values[i]) ** 2
    fits &&= Math.sqrt(left) <= Math.max(tolerance, AT_FLOOR * noise) * Math.sqrt(square)
    noises += noise ** 2 * square
    whole += square
  }
  return { fits, level: Math.sqrt(noises / Math.max(whole, Number.MIN_VALUE)) }
}

/**
 * Whether a matrix looks like independent noise: its largest singular value is at most about its longest row and its longest
 * column together (Latała 2005; Bandeira and van Handel 2016).
 */
function* isPlain(values: Float64Array, shape: readonly number[]): Steps<boolean> {
  const columns = shape[shape.length - 1] ?? 1
  const rows = values.length / columns
  if (shape.length < 2 || rows < 8 || columns < 8 || values.length > MOST_NUMBERS) return true
  const inRow = new Float64Array(rows)
  const inColumn = new Float64Array(columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const square = values[i * columns + j] ** 2
      inRow[i] += square
      inColumn[j] += square
    }
  const bound = Math.sqrt(Math.max(...inRow)) + Math.sqrt(Math.max(...inColumn))
  return (yield* largestSingularValue(values, rows, columns)) <= STRUCTURE * bound
}

/** By power iteration from the longest row: a lower bound that is near after a few rounds. */
function* largestSingularValue(values: Float64Array, rows: number, columns: number): Steps<number> {
  let right = Float64Array.from({ length: columns }, (_, j) => 1 + ((j * 7919) % 13) / 13)
  let found = 0
  for (let round = 0; round < 12; round++) {
    yield
    const left = new Float64Array(rows)
    const next = new Float64Array(columns)
    for (let i = 0; i < rows; i++) {
      let sum = 0
      for (let j = 0; j < columns; j++) sum += values[i * columns + j] * right[j]
      left[i] = sum
      for (let j = 0; j < columns; j++) next[j] += sum * values[i * columns + j]
    }
    const [before, after, middle] = [squares(right), squares(next), squares(left)]
    if (middle === 0 || after === 0) return found
    found = Math.max(found, Math.sqrt(middle / before))
    const scale = 1 / Math.sqrt(after)
    right = next.map((v) => v * scale)
  }
  return found
}

/** Numbers that are looked at between two rests: some milliseconds of work. */
const PORTION = 2 ** 19

const isDue = (i: number): boolean => (i & (PORTION - 1)) === PORTION - 1

function squares(values: Values): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2
  return sum
}
