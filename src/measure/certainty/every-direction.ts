import { mapped } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { type Curvature, largest } from './curvature'
import type { FreeDirections } from './directions'
import type { Sensitivity } from './sensitivity'
import { combine, combined, eigen, gramOf } from './weak-block'

/** What was shared at a point, every tensor in proportion to its floor and times the factor: α w g(x). */
export type Reach = (point: Float64Array) => Promise<Float64Array>

/** Most unknowns of which every direction is looked at, and most numbers that are kept for it. */
export const MOST_DENSE = 128
export const MOST_NUMBERS = 2e7
/** Steps, in units of the fastest unknown. What moves little needs a long one, for float32. */
const STEP = 0.02
const LONG = 0.25
/** Squared lengths below this part of the largest may be rounding or curvature, and are measured again along themselves. */
const DOUBTFUL = 1e-7

/** Everything that {@link sensitivityOf} and `freeDirections` find, where every direction is looked at. */
export interface EveryDirection {
  readonly sensitivity: Sensitivity
  /** Undefined where the work ended before combinations were looked at. */
  readonly free: FreeDirections | undefined
}

/**
 * Looks at every direction of few unknowns. A column of J costs two gradients of the client:
 *
 * J v ≈ (r(u + h v) − r(u − h v)) / 2h, without its part along r where the factor is fitted: (I − r rᵀ / rᵀr) J v.
 *
 * The eigenvalues of JᵀJ are known to a ten-millionth of the largest that way. Below that, the eigenvectors W are taken again, with a long
 * step of their own, and
 *
 * min over c of ‖J (w − U c)‖
 *
 * takes out what is left of the strong ones U in them, twice.
 *
 * @param reach r at a point
 * @param fitsFactor whether what was shared has a factor that is not known
 * @param noise what rounding makes of a direction that moves nothing
 * @returns undefined where the work was cut short before every unknown was looked at
 */
export async function everyDirection(
  curvature: Curvature,
  reach: Reach,
  fitsFactor: boolean,
  floor: number,
  noise: number,
): Promise<EveryDirection | undefined> {
  const { size } = curvature
  const at = (direction: Float64Array, step: number) => curvature.asked(direction, step, reach)
  const here = await at(new Float64Array(size), 0)
  if (!here) return undefined
  const whole = here.reduce((sum, v) => sum + v * v, 0)
  const withoutFactor = (v: Float64Array): Float64Array => {
    if (!fitsFactor || whole === 0) return v
    const along = v.reduce((sum, x, i) => sum + x * here[i], 0) / whole
    return v.map((x, i) => x - along * here[i])
  }
  const difference = async (v: Float64Array, step: number): Promise<Float64Array | undefined> => {
    const ahead = await at(v, step)
    const behind = ahead && (await at(v, -step))
    return behind && withoutFactor(mapped(ahead, (x, i) => (x - behind[i]) / (2 * step)))
  }
  const column: Jacobian['column'] = (v, step) => difference(v, step / largest(v))
  const longColumn: Jacobian['longColumn'] = async (v) => {
    const long = await column(v, LONG)
    const short = long && (await column(v, LONG / 2))
    return short?.map((x, i) => (4 * x - long![i]) / 3)
  }

  // every unknown alone; a probability against the others of its row
  const basis = movable(curvature, new Uint8Array(size).fill(1))
  const columns: Float64Array[] = []
  for (const v of basis) {
    const image = await column(v, STEP)
    if (!image) return undefined
    columns.push(image)
  }
  const diagonal = new Float64Array(size)
  const alone = (i: number): Float64Array => {
    const v = new Float64Array(size)
    v[i] = 1
    return curvature.project(v)
  }
  const lengths = await curvature.done(
    (function* () {
      for (let i = 0; i < size; i++) {
        diagonal[i] = squared(combine(columns, coefficientsIn(basis, alone(i))))
        yield
      }
      return diagonal
    })(),
  )
  if (!lengths) return undefined
  const top = diagonal.reduce((most, v) => Math.max(most, v), 0)
  const silent = new Uint8Array(size)
  for (let i = 0; i < size; i++) {
    if (diagonal[i] > Math.max(DOUBTFUL * top, 10 * floor)) continue
    const v = alone(i)
    const image = await longColumn(v)
    if (!image) return undefined
    diagonal[i] = squared(image) / largest(v) ** 2
    if (diagonal[i] <= floor) silent[i] = 1
  }
  const sensitivity = { estimate: diagonal, bound: diagonal, undetermined: silent }
  const jacobian = { curvature, basis, columns, column, longColumn }
  return { sensitivity, free: await combinationsOf(jacobian, silent, floor, noise) }
}

/** J in a basis, and what computes more of it. */
interface Jacobian {
  readonly curvature: Curvature
  readonly basis: readonly Float64Array[]
  /** J v for each v of the basis. */
  readonly columns: readonly Float64Array[]
  /** J v with a step of so many units of the fastest unknown; undefined where the work was cut short. */
  column(v: Float64Array, step: number): Promise<Float64Array | undefined>
  /** J v by Richardson's two steps, without the h² of a long one. */
  longColumn(v: Float64Array): Promise<Float64Array | undefined>
}

/**
 * Looks at every combination of the unknowns that move something alone.
 *
 * @returns undefined where the work was cut short
 */
async function combinationsOf(
  { curvature, basis, columns, column, longColumn }: Jacobian,
  silent: Uint8Array,
  floor: number,
  noise: number,
): Promise<FreeDirections | undefined> {
  const members = silent.map((v) => 1 - v)
  const moving = movable(curvature, members)
  const none: FreeDirections = { directions: [], weakest: undefined, examined: 'every direction' }
  if (moving.length === 0) return none
  const images = await curvature.done(
    combined(
      columns,
      moving.map((v) => coefficientsIn(basis, v)),
    ),
  )
  const decomposed = images && (await curvature.done(eigenOf(images)))
  if (!decomposed) return undefined
  const { values, combinations } = decomposed
  const bar = Math.max(DOUBTFUL * values[values.length - 1], 10 * floor)
  const eigenvectors = combinations.map((c) => combine(moving, c))
  const first = values.findIndex((v) => v > bar)
  const count = first < 0 ? values.length : first
  const strongImages = await curvature.done(combined(images, combinations.slice(count)))
  if (!strongImages) return undefined
  const strong = { vectors: eigenvectors.slice(count), images: strongImages }
  const weakest = strong.vectors.length > 0 ? values[count] / largest(strong.vectors[0]) ** 2 : undefined
  let weak = eigenvectors.slice(0, count)
  let left: Float64Array[] = []
  for (let pass = 0; pass < 2 && weak.length > 0; pass++) {
    left = []
    const corrected: Float64Array[] = []
    for (const w of weak) {
      const image = pass === 0 ? await column(w, LONG / 4) : await longColumn(w)
      if (!image) return undefined
      const taken = projection(image, strong.images)
      corrected.push(combine([w, ...strong.vectors], [1, ...taken.map((c) => -c)]))
      left.push(combine([image, ...strong.images], [1, ...taken.map((c) => -c)]))
    }
    weak = corrected
  }
  if (weak.length === 0) return { ...none, weakest }
  const found = await curvature.done(eigenOf(left))
  if (!found) return undefined
  const all = found.combinations.map((c, i) => {
    const vector = combine(weak, c)
    const length = Math.sqrt(inner(vector, vector))
    return {
      vector: vector.map((v) => v / length),
      sensitivity: Math.max(0, found.values[i]) / largest(vector) ** 2,
    }
  })
  const isFree = ({ sensitivity: moved }: { sensitivity: number }) => moved <= floor + noise * count
  const others = all.filter((direction) => !isFree(direction)).map((direction) => direction.sensitivity)
  return {
    ...none,
    directions: all.filter(isFree),
    weakest: others.reduce<number | undefined>((a, b) => Math.min(a ?? b, b), weakest),
  }
}

/** Eigenvalues and eigenvectors of the products of all pairs. */
function* eigenOf(vectors: readonly Float64Array[]) {
  return yield* eigen(yield* gramOf(vectors))
}

const coefficientsIn = (basis: readonly Float64Array[], v: Float64Array): number[] => basis.map((b) => inner(b, v))

const squared = (v: Float64Array): number => inner(v, v)

/** The coefficients of the combination of columns that is nearest to a vector. The columns are eigenvectors' images: orthogonal. */
const projection = (v: Float64Array, columns: readonly Float64Array[]): number[] =>
  columns.map((column) => inner(v, column) / squared(column))

/** An orthonormal basis of all directions the members can move in: of a row of probabilities, one less than it has members. */
function movable({ size, groups }: Curvature, members: Uint8Array): Float64Array[] {
  const basis: Float64Array[] = []
  for (const group of groups) {
    const width = group.classes ?? 1
    for (let row = group.start; row < group.start + group.size; row += width) {
      const own = Array.from({ length: width }, (_, i) => row + i).filter((i) => members[i] !== 0)
      if (group.classes === undefined) basis.push(...own.map((i) => unit(size, [i], [1])))
      // Helmert: the k-th against the mean of those before it
      else
        for (let k = 1; k < own.length; k++) {
          const length = Math.sqrt(k * (k + 1))
          basis.push(unit(size, own.slice(0, k + 1), [...Array(k).fill(1 / length), -k / length]))
        }
    }
  }
  return basis
}

function unit(size: number, at: readonly number[], values: readonly number[]): Float64Array {
  const out = new Float64Array(size)
  for (const [k, i] of at.entries()) out[i] = values[k]
  return out
}
