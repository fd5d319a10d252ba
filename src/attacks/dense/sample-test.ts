import { spectrum } from '../../numbers/singular-values'
import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner, lengthOf } from '../../numbers/vectors'
import type { DenseGradient } from '../dense/dense-gradient'

/**
 * What the other neurons say of an input: it is a `sample`; it is a `mixture`; or it may be a sample, or a mixture in which one
 * sample outweighs the others by far.
 */
export type Membership = 'sample' | 'possible' | 'mixture'

/** Most samples of a batch that the test takes. */
const LIMIT = 128

/** Neurons that must be off beyond those that show the other samples, so that they show them all by no accident. */
const SPARE = 4

/** Part of a sample's length that must lie outside what the other samples span. Rounding leaves 1e-6. */
const OUTSIDE = 1e-3

/** Part of ‖w‖ ‖x‖ within which the sign of z = ⟨w, x⟩ + b is rounding. */
const ROUNDING = 1e-5

/** Samples in proportion to an input, this many times as long, turn a neuron on or off that the input does not. */
const PROPORTIONS = [0.5, 2]

/** Sine of the angle within which two directions are one, and a product is zero. */
const ALIKE = 1e-4

/**
 * Whether inputs are samples of the batch behind a dense layer with ReLU, or mixtures of samples.
 *
 * The row of neuron j in (∂W, ∂b) is Σ_s ∂z_js x̃_s over the samples that turned it on, with x̃ = (x, 1). Let Z be the
 * neurons that x turns off, z_j(x) ≤ 0. If x is sample s, no row in Z has x̃_s in it: these rows span b − 1 of the b dimensions of
 * all rows, and x̃ is outside. If they span all b, or x̃ is among the b − 1, then x is a mixture. What is left is a sample, or a
 * mixture so near to one that it turns off the same neurons.
 *
 * Samples in proportion to each other turn on the same neurons where there are no biases, and where the loss feels them alike they count
 * as one. So an input is a sample only where some neuron tells it from half and from twice itself.
 *
 * In either case the direction q_s that is orthogonal to the rows in Z is that of sample s: ⟨x̃_t, q_s⟩ = 0 for all other
 * samples t. Once the inputs give directions of all b samples, an input orthogonal to all but its own is sample s itself.
 */
export function* memberships(
  gradient: DenseGradient,
  layer: DenseGradient,
  inputs: readonly Float64Array[],
): Steps<Membership[]> {
  const rows = rowsOf(gradient)
  const neurons = rows.length
  const width = rows[0].length
  const { rank, directions, truncated } = yield* spectrum(joined(rows), neurons, width, LIMIT)
  // nothing is left to tell samples from what they span
  if (truncated || rank === 0 || rank >= Math.min(neurons, width)) return inputs.map(() => 'possible')
  const basis = directions.slice(0, rank)
  const seen = (row: Float64Array): Float64Array => Float64Array.from(basis, (direction) => inner(direction, row))
  const coordinates: Float64Array[] = []
  for (const row of rows) {
    coordinates.push(seen(row))
    yield
  }
  const points: Float64Array[] = []
  const own: (Float64Array | 'mixture' | 'possible')[] = []
  for (const input of inputs) {
    const sample = new Float64Array(width).fill(1)
    sample.set(input)
    const point = seen(sample)
    points.push(point)
    own.push(yield* directionOf(sample, layer, coordinates, point))
  }
  const known: Float64Array[] = []
  for (const direction of own) {
    if (direction instanceof Float64Array && !known.some((other) => sine(other, direction) < ALIKE))
      known.push(direction)
    yield
  }
  const found: Membership[] = []
  for (const [i, direction] of own.entries()) {
    const others = direction instanceof Float64Array ? known.filter((other) => sine(other, direction) >= ALIKE) : []
    const mixes = others.some((other) => Math.abs(inner(points[i], other)) > ALIKE * lengthOf(points[i]))
    if (!(direction instanceof Float64Array)) found.push(direction)
    else if (mixes) found.push('mixture')
    else found.push(known.length === rank ? 'sample' : 'possible')
    yield
  }
  return found
}

/** The direction that is orthogonal to the rows of all neurons that the sample turns off; or what is known without one. */
function* directionOf(
  sample: Float64Array,
  { weight, bias }: DenseGradient,
  coordinates: readonly Float64Array[],
  point: Float64Array,
): Steps<Float64Array | 'mixture' | 'possible'> {
  const rank = point.length
  const length = lengthOf(sample)
  let fixesLength = false
  const off: Float64Array[] = []
  for (const [j, row] of coordinates.entries()) {
    let [z, size] = [0, bias[j] ** 2]
    for (let i = 0; i < sample.length - 1; i++) {
      const w = weight[i * bias.length + j]
      z += w * sample[i]
      size += w * w
    }
    if (PROPORTIONS.some((times) => times * z + bias[j] > 0 !== z + bias[j] > 0)) fixesLength = true
    if (z + bias[j] < -ROUNDING * Math.sqrt(size) * length) off.push(row)
    yield
  }
  // without biases, samples in proportion turn on the same neurons, and may be one in all rows
  if (!fixesLength) return 'possible'
  if (off.length < rank - 1 + SPARE) return 'possible'
  const others = yield* spectrum(joined(off), off.length, rank, rank)
  if (others.rank === rank) return 'mixture'
  // too few neurons show the other samples
  if (others.rank < rank - 1) return 'possible'
  const rest = point.slice()
  for (const direction of others.directions.slice(0, rank - 1)) {
    const product = inner(rest, direction)
    for (let i = 0; i < rank; i++) rest[i] -= product * direction[i]
  }
  const outside = lengthOf(rest)
  return outside > OUTSIDE * lengthOf(point) ? rest.map((v) => v / outside) : 'mixture'
}

/** The gradient of each neuron, (∂W_j, ∂b_j), as a vector of length 1. */
function rowsOf({ weight, bias }: DenseGradient): Float64Array[] {
  const width = weight.length / bias.length
  return Array.from({ length: bias.length }, (_, j) => {
    const row = mapped({ length: width + 1 }, (_, i) => (i < width ? weight[i * bias.length + j] : bias[j]))
    const size = lengthOf(row)
    return size > 0 ? row.map((v) => v / size) : row
  })
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(rows.length * rows[0].length)
  for (const [j, row] of rows.entries()) out.set(row, j * row.length)
  return out
}

/** √(1 − cos²), from the difference so that small angles do not vanish. */
function sine(a: Float64Array, b: Float64Array): number {
  const product = inner(a, b)
  return lengthOf(a.map((v, i) => v - product * b[i]))
}
