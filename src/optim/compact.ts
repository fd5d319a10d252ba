import { invalid } from '../errors/checks'
import type { CurvatureMemory, Descent, MemoryLimits, Observation } from './memory'
import { curvatureAlong, descentFrom, dotFrom } from './vectors'

/** The two large products of the compact form: what a runtime does faster than JavaScript. */
export interface MatrixProducts {
  /** Rows of the matrix: twice the history size. */
  readonly rows: number
  /** matrix · vector, for a row-major matrix [rows, vector.length] that is read in place. */
  multiply(matrix: Float32Array, vector: Float32Array): Promise<ArrayLike<number>>
  /** coefficientsᵀ · matrix. */
  combine(matrix: Float32Array, coefficients: Float32Array): Promise<ArrayLike<number>>
}

/**
 * The pairs as one matrix [S; Y] and their inner products. The matrix is written in place, so only the newest state of a
 * search can go on.
 */
export interface CompactCurvature {
  readonly store?: Store
  /** Slots of the matrix, oldest pair first. */
  readonly order: readonly number[]
  /** γ of H₀ = γI. */
  readonly scale: number
  /** How many pairs the store had taken in. */
  readonly version: number
  /** [S; Y]·∇f at the last gradient, by slots. */
  readonly along?: ArrayLike<number>
}

interface Store {
  version: number
  /** Rows 0 … m − 1 are S, rows m … 2m − 1 are Y. */
  readonly matrix: Float32Array
  /** The gradient as the products read it. */
  readonly vector: Float32Array
  /**
   * R: sᵢᵀyⱼ for i ≤ j, by age, oldest pair first; its transpose; and YᵀY. All in float64: m × m windows into squares of
   * twice the side, which slide down the diagonal as the oldest pair is forgotten.
   */
  readonly upper: Float64Array
  readonly lower: Float64Array
  readonly yy: Float64Array
  /** Row and column where the windows begin. */
  origin: number
}

/**
 * The memory in compact form (Byrd, Nocedal and Schnabel 1994, theorem 2.2):
 *
 * H = γI + [S γY] [[R⁻ᵀ(D + γYᵀY)R⁻¹, −R⁻ᵀ], [−R⁻¹, 0]] [Sᵀ; γYᵀ]
 *
 * with R the upper triangle of SᵀY and D its diagonal. −H∇f then costs two products with the stacked pairs and a few
 * triangular solves of the size of the history, where the two-loop recursion walks the pairs one after the other.
 */
export function compact(
  { historySize, curvature: threshold }: MemoryLimits,
  products: MatrixProducts,
): CurvatureMemory<CompactCurvature> {
  const m = historySize
  if (products.rows !== 2 * m)
    throw invalid(`lbfgs: products has ${products.rows} rows; a historySize of ${m} needs ${2 * m}`)

  const stride = 2 * m
  const square = () => new Float64Array(stride * stride)
  const createStore = (n: number): Store => ({
    version: 0,
    matrix: new Float32Array(2 * m * n),
    vector: new Float32Array(n),
    upper: square(),
    lower: square(),
    yy: square(),
    origin: 0,
  })

  /** Forgets the oldest pair. */
  function slide(store: Store): void {
    store.origin++
    if (store.origin < m) return
    for (const products of [store.upper, store.lower, store.yy]) {
      for (let i = 0; i < m; i++) {
        const from = (m + i) * stride + m
        products.copyWithin(i * stride, from, from + m)
      }
    }
    store.origin = 0
  }

  /**
   * Writes the pair into the oldest slot, and the new gradient as float32. The products of the pair with the others follow from those with the
   * gradients.
   */
  function write(known: CompactCurvature, pair: Observation, gradient: Float64Array): CompactCurvature | undefined {
    const n = gradient.length
    const { ys, yy: squared } = curvatureAlong(pair.length, pair.direction, gradient, pair.before)
    if (!(ys > threshold)) return undefined
    const store = known.store ?? createStore(n)
    if (store.version !== known.version) throw new Error('compact L-BFGS can only go on from its newest state')
    const { upper, lower, yy } = store
    const full = known.order.length === m
    const slot = full ? known.order[0] : known.order.length
    const order = [...(full ? known.order.slice(1) : known.order), slot]
    if (full) slide(store)
    writePair(store, slot * n, (m + slot) * n, pair, gradient)
    const diagonal = (store.origin + order.length - 1) * (stride + 1)
    upper[diagonal] = lower[diagonal] = ys
    yy[diagonal] = squared
    store.version++
    return { store, order, scale: ys / squared, version: store.version }
  }

  /** sᵢᵀy = sᵢᵀ∇f − sᵢᵀ∇f₋₁ of the newest y and every older i, and the same for yᵢᵀy. */
  function relate({ store, order }: CompactCurvature, along: ArrayLike<number>, before: ArrayLike<number>): void {
    const { upper, lower, yy, origin } = store!
    const newest = origin + order.length - 1
    for (let i = 0; i < order.length - 1; i++) {
      const place = order[i]
      const [above, left] = [(origin + i) * stride + newest, newest * stride + origin + i]
      upper[above] = lower[left] = along[place] - before[place]
      yy[above] = yy[left] = along[m + place] - before[m + place]
    }
  }

  /** −H∇f */
  async function descent(
    { store, order, scale }: CompactCurvature,
    along: ArrayLike<number>,
    gradient: Float64Array,
  ): Promise<Omit<Descent<unknown>, 'curvature'>> {
    const { matrix, upper, lower, yy, origin } = store!
    const count = order.length
    // p = R⁻¹ Sᵀg
    const p = new Float64Array(count)
    for (let i = count - 1; i >= 0; i--) {
      const row = (origin + i) * stride + origin
      const after = dotFrom(upper, row + i + 1, p, i + 1, count - i - 1)
      p[i] = (along[order[i]] - after) / upper[row + i]
    }
    // u = R⁻ᵀ (D p + γ YᵀY p − γ Yᵀg)
    const u = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      const row = (origin + i) * stride + origin
      const inner = dotFrom(yy, row, p, 0, count) - along[m + order[i]]
      const before = dotFrom(lower, row, u, 0, i)
      u[i] = (lower[row + i] * p[i] + scale * inner - before) / lower[row + i]
    }
    // −H∇f = −γg − S u + γ Y p
    const coefficients = new Float32Array(2 * m)
    for (let i = 0; i < count; i++) {
      coefficients[order[i]] = -u[i]
      coefficients[m + order[i]] = scale * p[i]
    }
    return descentFrom(await products.combine(matrix, coefficients), scale, gradient)
  }

  return {
    empty: { order: [], scale: 1, version: 0 },
    async descend(known, newest, gradient) {
      const written = newest && write(known, newest, gradient)
      const curvature = written ?? known
      const { store, scale } = curvature
      if (!store) return { curvature, ...descentFrom(new Float64Array(gradient.length), scale, gradient) }
      if (!written) writeNormal(store.vector, gradient)
      const along = await products.multiply(store.matrix, store.vector)
      if (written && known.along) relate(written, along, known.along)
      return { curvature: { ...curvature, along }, ...(await descent(curvature, along, gradient)) }
    },
  }
}

/** 2⁻⁶³: products of numbers above it are normal in float32; subnormal ones take a processor a hundred times as long. */
const TINY = 2 ** -63

const normal = (value: number): number => (Math.abs(value) < TINY ? 0 : value)

/** Writes a vector as float32, with zeros for what no product would notice. */
function writeNormal(target: Float32Array, vector: Float64Array): void {
  for (let i = 0; i < vector.length; i++) target[i] = normal(vector[i])
}

/** Writes a pair and the gradient as float32 in one pass, with zeros for what no product would notice. */
function writePair(
  { matrix, vector }: Store,
  atS: number,
  atY: number,
  { length, direction, before }: Observation,
  gradient: Float64Array,
): void {
  for (let i = 0; i < vector.length; i++) {
    const slope = gradient[i]
    matrix[atS + i] = normal(length * direction[i])
    matrix[atY + i] = normal(slope - before[i])
    vector[i] = normal(slope)
  }
}
