import { normOf } from '../../numbers/norms'
import { singularVectors } from '../../numbers/singular-vectors'
import type { Steps } from '../../numbers/steps'
import { mapped, type Values } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { imageOf, type PatchedImage } from './image'
import type { PatchEmbedding } from './patch-embedding'

/** Data behind a patch embedding. */
export interface PatchSolution {
  /** Numbers in the shape of the data, row-major. */
  readonly data: Float64Array
  /** In how many directions of the patches' space the gradient gives them beyond its noise; at most the number of patches. */
  readonly rank: number
  /** Numbers of the data that no patch reads. */
  readonly unread: number
  /** Typical difference τ of neighbouring numbers. */
  readonly roughness: number
  /** Changes of the data that the linear system says nothing of, of norm 1 in the patches: (patches − rank) · numbers of them. */
  open(): Steps<Float64Array[]>
}

/** Rounding of float32 numbers. */
export const FLOAT32 = 2 ** -23

/** Typical difference τ of neighbouring numbers, in units of the spread of all numbers. */
const ROUGHNESS = 0.2

/** A direction counts as known where the noise in it is below this part of τ. */
const KNOWN = 0.25

/** Steps of conjugate gradients, and the residual at which they end. */
const [STEPS, ENOUGH] = [300, 1e-6]

/** How many of the known directions, the last ones, say what size to expect in open ones. */
const LAST = 8

/**
 * Solves XᵀΔ = ∂L/∂W for the patches X, where Δ = ∂L/∂(XW) is known.
 *
 * By the singular values Δ = Σ σᵢ uᵢ vᵢᵀ the gradient gives uᵢᵀX = (∂L/∂W vᵢ)ᵀ/σᵢ up to its noise n/σᵢ. Directions that noise
 * or a rank below the number of patches leaves open are chosen so that neighbouring numbers of the data x differ least:
 *
 * minimise Σ σᵢ²/n² · ‖uᵢᵀX − (∂L/∂W vᵢ)ᵀ/σᵢ‖² + ‖D x‖²/τ² + ‖X‖²/ρ² over the open directions.
 *
 * Patches that look alike have nearly the same gradient, so that directions of small σᵢ are differences of such patches: ρ, the
 * size of uᵢᵀX, is taken from the last known ones.
 *
 * @param felt Δ, [patches, width]
 * @param gradient ∂L/∂W as the weight's tensor has it
 * @param shape of the data of one sample; neighbours are neighbours along every axis but the last
 * @param noise of what was shared, relative to the size of its numbers
 * @returns undefined where a gradient is zero
 */
export function* solvePatches(
  { patches, numbers, width, pixels, kernel }: PatchEmbedding,
  felt: Float64Array,
  gradient: Values,
  shape: readonly number[],
  noise = FLOAT32,
): Steps<PatchSolution | undefined> {
  const delta = matrix(patches, width, (t, o) => felt[t * width + o])
  const slope = matrix(numbers, width, (j, o) => gradient[kernel[j * width + o]])
  const [deltaNorm, slopeNorm] = [normOf(delta), normOf(slope)]
  if (!(deltaNorm > 0 && slopeNorm > 0)) return undefined
  const svd = yield* singularVectors(delta)
  const values = svd.values.filter((v) => v > FLOAT32 ** 2 * svd.values[0])
  const directions: Direction[] = []
  for (const [i, value] of values.entries()) {
    const row = Float64Array.from(slope, (one) => inner(one, svd.right[i]) / value)
    directions.push({ value, vector: svd.left[i], row })
    yield
  }

  // rounding of ∂L/∂W, and of Δ, which reaches it times the size of a number of X
  const { size, spread } = yield* sizesOf(
    directions.filter(({ value }) => value > 1e-3 * values[0]),
    patches,
    numbers,
  )
  const n = noise * Math.hypot(slopeNorm / Math.sqrt(numbers * width), (size * deltaNorm) / Math.sqrt(width))
  const rough = ROUGHNESS * spread
  const rank = directions.filter(({ value }) => n < KNOWN * rough * value).length
  const known = directions.slice(0, rank)
  const fixed = yield* sumOf(known, patches, numbers)
  const guessed = directions.slice(rank).map((d) => ({ ...d, weight: ((d.value * rough) / n) ** 2 }))
  const image = imageOf(pixels, shape)
  const expected = rms(known.slice(-LAST).map(({ row }) => row)) || spread
  const whole =
    rank < patches ? yield* smoothest(fixed, known, guessed, (rough / expected) ** 2, numbers, image) : fixed
  const open = function* (): Steps<Float64Array[]> {
    const changes: Float64Array[] = []
    for (const vector of yield* complement(directions, rank, patches))
      for (let j = 0; j < numbers; j++) {
        const change = new Float64Array(patches * numbers)
        for (let t = 0; t < patches; t++) change[t * numbers + j] = vector[t]
        changes.push(image.changeOf(change))
        yield
      }
    return changes
  }
  return { data: image.dataOf(whole), rank, unread: image.unread, roughness: rough, open }
}

/** Orthonormal directions beside the first ones: the others, and by Gram and Schmidt what they leave. */
function* complement(directions: readonly Direction[], first: number, patches: number): Steps<Float64Array[]> {
  const all = directions.map(({ vector }) => vector)
  for (let t = 0; all.length < patches && t < patches; t++) {
    const rest = new Float64Array(patches)
    rest[t] = 1
    // twice: once leaves rounding behind
    for (const vector of [...all, ...all]) {
      const part = inner(vector, rest)
      for (let i = 0; i < patches; i++) rest[i] -= part * vector[i]
    }
    const norm = Math.sqrt(inner(rest, rest))
    if (norm > 1e-6) all.push(rest.map((v) => v / norm))
    yield
  }
  return all.slice(first)
}

/** A singular direction of Δ, with what the gradient says of the patches in it. */
interface Direction {
  readonly value: number
  /** uᵢ, [patches] */
  readonly vector: Float64Array
  /** uᵢᵀX, [numbers] */
  readonly row: Float64Array
}

const matrix = (rows: number, columns: number, at: (row: number, column: number) => number): Float64Array[] =>
  Array.from({ length: rows }, (_, i) => mapped({ length: columns }, (_, j) => at(i, j)))

/** Σ uᵢ (uᵢᵀX), [patches, numbers] */
function* sumOf(
  directions: readonly Pick<Direction, 'vector' | 'row'>[],
  patches: number,
  numbers: number,
): Steps<Float64Array> {
  const sum = new Float64Array(patches * numbers)
  for (const { vector, row } of directions) {
    for (let t = 0; t < patches; t++) for (let j = 0; j < numbers; j++) sum[t * numbers + j] += vector[t] * row[j]
    yield
  }
  return sum
}

/** Root mean square and standard deviation of the patches' numbers, from the directions that are known best. */
function* sizesOf(best: readonly Direction[], patches: number, numbers: number) {
  const x = yield* sumOf(best, patches, numbers)
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length
  const square = x.reduce((sum, v) => sum + v * v, 0) / x.length
  return { size: Math.sqrt(square), spread: Math.sqrt(Math.max(square - mean ** 2, 1e-6 * square)) }
}

const rms = (rows: readonly Float64Array[]): number =>
  Math.sqrt(rows.reduce((sum, row) => sum + inner(row, row) / row.length, 0) / Math.max(1, rows.length))

/** uᵀX for each direction as its row. */
function* rowsOf(x: Float64Array, directions: readonly { readonly vector: Float64Array }[], numbers: number) {
  const rows: { readonly vector: Float64Array; readonly row: Float64Array }[] = []
  for (const { vector } of directions) {
    const row = new Float64Array(numbers)
    for (let t = 0; t < vector.length; t++) for (let j = 0; j < numbers; j++) row[j] += vector[t] * x[t * numbers + j]
    rows.push({ vector, row })
    yield
  }
  return rows
}

/**
 * The patches F + C whose neighbouring numbers differ least, by conjugate gradients over all C that leave the known directions
 * alone: minimise Σ wᵢ ‖uᵢᵀC − rᵢ‖² + ‖D(F + C)‖² + ridge ‖C‖².
 */
function* smoothest(
  fixed: Float64Array,
  known: readonly Direction[],
  guessed: readonly (Direction & { readonly weight: number })[],
  ridge: number,
  numbers: number,
  { roughen }: PatchedImage,
): Steps<Float64Array> {
  const patches = fixed.length / numbers
  const inside = function* (x: Float64Array): Steps<Float64Array> {
    const taken = yield* sumOf(yield* rowsOf(x, known, numbers), patches, numbers)
    return x.map((v, i) => v - taken[i])
  }
  const weighed = (rows: readonly Float64Array[]) =>
    sumOf(
      guessed.map(({ vector, weight }, i) => ({ vector, row: rows[i].map((v) => weight * v) })),
      patches,
      numbers,
    )
  const curvature = function* (c: Float64Array): Steps<Float64Array> {
    const rows = yield* rowsOf(c, guessed, numbers)
    const [data, prior] = [yield* weighed(rows.map(({ row }) => row)), roughen(c, false)]
    return yield* inside(c.map((v, i) => data[i] + prior[i] + ridge * v))
  }
  const [target, slope] = [yield* weighed(guessed.map(({ row }) => row)), roughen(fixed, true)]
  let rest = yield* inside(target.map((v, i) => v - slope[i]))
  let step = rest
  let square = inner(rest, rest)
  const enough = ENOUGH ** 2 * square
  const found = new Float64Array(fixed.length)
  for (let k = 0; k < STEPS && square > enough; k++) {
    const bent = yield* curvature(step)
    const length = square / inner(step, bent)
    for (let i = 0; i < found.length; i++) found[i] += length * step[i]
    rest = rest.map((v, i) => v - length * bent[i])
    const next = inner(rest, rest)
    const along = next / square
    step = rest.map((v, i) => v + along * step[i])
    square = next
  }
  return found.map((v, i) => v + fixed[i])
}
