import { random } from '../../numbers/random'
import { atOnce } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import type { Values } from '../../numbers/values'
import { inner, lengthOf, orthogonalPart } from '../../numbers/vectors'

/** What the gradient of a dense layer says of each sample behind a dropout, in no order. */
export interface SampleMask {
  /** Whether each feature was dropped for this sample. */
  readonly dropped: Uint8Array
  readonly count: number
  /** The sample's ∂L/∂z of the layer, up to a positive factor where features are not negative, and else up to any. */
  readonly felt: Float64Array
}

/** The sample's direction must have so many zeros beyond those it was made from. */
const SPARE = 3

/** Rows are drawn until each sample's direction was missed with a probability of e⁻¹² at most, but no more often than this. */
const [HITS, DRAWS] = [12, 20_000]

/** Two directions are the same up to this cosine. */
const SAME = 1 - 1e-4

/** A direction that belongs to no sample has at most this part of the zeros of one that does. */
const FEWER = 0.8

/** Units of a layer beyond which its singular values take too long. */
const MOST_UNITS = 256

/** A row says something where it is so many times as long as its noise. */
const LOUD = 100

/** A product counts as zero up to so many standard deviations of its noise, and up to this part of a row before a direction is refined. */
const [ZERO, ROUGH] = [8, 5e-3]

/** The singular values of samples stand so many times above what is noise. */
const GAP = 30

/** Part of the features that may be neither noise nor loud. */
const UNCLEAR = 0.02

/** Standard deviations that the number of dropped features may lie below what the rate draws. Features that are zero by themselves add to it. */
const SPREAD = 5

/**
 * Reads the dropout mask of each sample of a batch from ∂W = Σ_s a_s δ_sᵀ [features, units] of the dense layer behind it. The rows of
 * ∂W are combinations of the samples' δ_s, and a feature that was dropped for sample s has none of δ_s in it. So a direction that is
 * orthogonal to the δ of all other samples is orthogonal to the rows of all features that sample s dropped, which is how it is
 * found: some rows are drawn, and the direction that is orthogonal to them is kept where it is orthogonal to many more
 * (as SPEAR does with the zeros of a ReLU, Dimitrov et al. 2024).
 *
 * @returns undefined where the samples do not show: as many of them as units, too much noise, or too few dropped features
 */
export function readBatchMasks(
  gradient: Values,
  units: number,
  batch: number,
  rate: number,
): readonly SampleMask[] | undefined {
  const features = gradient.length / units
  if (units > MOST_UNITS || batch >= units || batch >= features) return undefined
  const seen = inSamples(gradient, units, batch)
  if (!seen) return undefined
  const { rows, noise, basis, stretch } = seen
  const lengths = rows.map(lengthOf)
  const worst = Math.max(...stretch)
  const loud = [...rows.keys()].filter((j) => lengths[j] > LOUD * worst * noise[j])
  // zeros by accident would be features that are taken for dropped
  const accidents = loud.reduce((sum, j) => sum + (ZERO * worst * noise[j]) / lengths[j], 0)
  const unclear = lengths.filter((v, j) => v > ZERO * worst * noise[j]).length - loud.length
  if (loud.length <= batch || accidents > 0.5 || unclear > UNCLEAR * features) return undefined
  const unit = loud.map((j) => rows[j].map((v) => v / lengths[j]))
  const exact = loud.map((j) => (ZERO * noise[j]) / lengths[j])
  const silent = features - loud.length
  const least = Math.max(batch - 1 + SPARE, features * rate - SPREAD * Math.sqrt(features * rate * (1 - rate)) - silent)
  const directions = sparseDirections(unit, exact, stretch, batch, least, rate)
  const inverse = directions && inverseOf(directions.map((direction) => direction.map((v, k) => v * stretch[k])))
  if (!directions || !inverse) return undefined
  return directions.map((direction, s) => {
    const bound = ZERO * boundOf(direction, stretch)
    let [positive, negative] = [0, 0]
    const dropped = Uint8Array.from(rows, (row, j) => {
      const product = inner(row, direction)
      // a row of noise alone was dropped for all samples
      if (Math.abs(product) <= bound * noise[j]) return 1
      if (product > 0) positive++
      else negative++
      return 0
    })
    // what a feature is multiplied by has a sign, which most of them share where none is negative
    const sign = positive >= negative ? 1 : -1
    const felt = new Float64Array(units)
    for (const [k, vector] of basis.entries())
      for (let c = 0; c < units; c++) felt[c] += sign * inverse[k][s] * vector[c]
    return { dropped, count: dropped.reduce((sum, v) => sum + v, 0), felt }
  })
}

/** The noise of a product with a direction, in units of a row's own. */
const boundOf = (direction: Float64Array, stretch: Float64Array): number =>
  lengthOf(direction.map((v, k) => v * stretch[k]))

/**
 * The rows of a gradient in coordinates of its `batch` largest directions, each stretched to the same size: samples of one class differ
 * little. With the noise of each row before it was stretched.
 */
function inSamples(gradient: Values, units: number, batch: number) {
  const features = gradient.length / units
  const gram = Array.from({ length: units }, () => new Float64Array(units))
  for (let j = 0; j < features; j++)
    for (let a = 0; a < units; a++) {
      const v = gradient[j * units + a]
      if (v === 0) continue
      for (let b = 0; b < units; b++) gram[a][b] += v * gradient[j * units + b]
    }
  const { values, vectors } = atOnce(symmetricEigen(gram))
  if (!(values[0] > 0) || !(values[batch - 1] > GAP ** 2 * Math.max(values[batch], 2 ** -46 * values[0])))
    return undefined
  const basis = vectors.slice(0, batch)
  const degrees = units - batch
  const rows: Float64Array[] = []
  const rest: number[] = []
  let total = 0
  for (let j = 0; j < features; j++) {
    const row = Float64Array.from(gradient.subarray(j * units, (j + 1) * units))
    const seen = Float64Array.from(basis, (vector) => inner(row, vector))
    const left = row.map((v, c) => v - basis.reduce((sum, vector, k) => sum + seen[k] * vector[c], 0))
    rows.push(seen)
    rest.push(inner(left, left))
    total += rest[j]
  }
  const common = total / (features * degrees)
  // of a row of its own size float32 leaves 6e-8
  const noise = rest.map((v, j) => Math.sqrt((v + common) / (degrees + 1)) + 2 ** -23 * lengthOf(rows[j]))
  const stretch = values.slice(0, batch).map((v) => Math.sqrt(values[0] / v))
  return { rows: rows.map((row) => row.map((v, k) => v * stretch[k])), noise, basis, stretch }
}

/** One direction for each sample, those with the most zeros; undefined where these do not stand out. */
function sparseDirections(
  rows: readonly Float64Array[],
  exact: readonly number[],
  stretch: Float64Array,
  batch: number,
  least: number,
  rate: number,
): Float64Array[] | undefined {
  // that all rows of a draw were dropped for one sample; rows that all samples dropped are not drawn
  const draws = Math.ceil(HITS / (0.9 * rate) ** (batch - 1))
  if (draws > DRAWS) return undefined
  const draw = random(1, 0x6d61736b)
  const found: { direction: Float64Array; zeros: number }[] = []
  const known = (direction: Float64Array): number =>
    found.findIndex((other) => Math.abs(inner(other.direction, direction)) > SAME)
  // a look at some rows spares most draws the look at all
  const some = Math.min(rows.length, 64)
  const sample = Array.from({ length: some }, (_, i) => Math.floor((i * rows.length) / some))
  for (let tried = 0; tried < draws; tried++) {
    const drawn = Array.from({ length: batch - 1 }, () => rows[Math.floor(draw.uniform() * rows.length)])
    const first = orthogonalTo(drawn, batch)
    if (!first || known(first) >= 0) continue
    const seen = sample.reduce((n, j) => n + (Math.abs(inner(rows[j], first)) < ROUGH ? 1 : 0), 0)
    if (seen * rows.length < (least * some) / 4) continue
    let direction: Float64Array = first
    for (const slack of [ROUGH, ROUGH / 20]) {
      const bound = 4 * boundOf(direction, stretch)
      const near = rows.filter((row, j) => Math.abs(inner(row, direction)) < Math.max(slack, bound * exact[j]))
      if (near.length < least) break
      direction = leastDirection(near, batch)
    }
    const bound = boundOf(direction, stretch)
    const zeros = rows.reduce((n, row, j) => n + (Math.abs(inner(row, direction)) <= bound * exact[j] ? 1 : 0), 0)
    const before = known(direction)
    if (before < 0) found.push({ direction, zeros })
    else if (zeros > found[before].zeros) found[before] = { direction, zeros }
  }
  const ranked = found.sort((a, b) => b.zeros - a.zeros)
  const chosen = ranked.slice(0, batch)
  const stands = chosen.length === batch && chosen[batch - 1].zeros >= least
  if (!stands || (ranked[batch]?.zeros ?? 0) > FEWER * chosen[batch - 1].zeros) return undefined
  return chosen.map(({ direction }) => direction)
}

/** A unit vector orthogonal to some others; undefined where they leave more than one direction, about. */
function orthogonalTo(vectors: readonly Float64Array[], size: number): Float64Array | undefined {
  const normals: Float64Array[] = []
  for (const vector of vectors) {
    const rest = orthogonalPart(vector, normals)
    const left = lengthOf(rest)
    if (left < 1e-2) return undefined
    normals.push(rest.map((v) => v / left))
  }
  let best = new Float64Array(size)
  for (let k = 0; k < size; k++) {
    const axis = new Float64Array(size)
    axis[k] = 1
    const rest = orthogonalPart(axis, normals)
    if (lengthOf(rest) > lengthOf(best)) best = Float64Array.from(rest)
  }
  const left = lengthOf(best)
  return orthogonalPart(
    best.map((v) => v / left),
    normals,
  )
}

/** The unit vector that is closest to orthogonal to all rows. */
function leastDirection(rows: readonly Float64Array[], size: number): Float64Array {
  const gram = Array.from({ length: size }, (_, a) =>
    Float64Array.from({ length: size }, (_, b) => rows.reduce((sum, row) => sum + row[a] * row[b], 0)),
  )
  return atOnce(symmetricEigen(gram)).vectors[size - 1]
}

/** The inverse of the matrix with these rows, by Gauss and Jordan with pivots; undefined where it has none. */
function inverseOf(matrix: readonly Float64Array[]): Float64Array[] | undefined {
  const n = matrix.length
  const work = matrix.map((row, i) =>
    Float64Array.from({ length: 2 * n }, (_, k) => (k < n ? row[k] : k - n === i ? 1 : 0)),
  )
  for (let column = 0; column < n; column++) {
    let pivot = column
    for (let i = column + 1; i < n; i++) if (Math.abs(work[i][column]) > Math.abs(work[pivot][column])) pivot = i
    if (Math.abs(work[pivot][column]) < 1e-9) return undefined
    ;[work[column], work[pivot]] = [work[pivot], work[column]]
    const by = work[column][column]
    for (let k = 0; k < 2 * n; k++) work[column][k] /= by
    for (let i = 0; i < n; i++) {
      const factor = work[i][column]
      if (i === column || factor === 0) continue
      for (let k = 0; k < 2 * n; k++) work[i][k] -= factor * work[column][k]
    }
  }
  return work.map((row) => row.slice(n))
}
