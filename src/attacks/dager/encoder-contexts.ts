import { random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { mapped } from '../../numbers/values'
import { inner, lengthOf, orthogonalPart } from '../../numbers/vectors'
import { applied } from './attention'
import { gaussNewton, type Point } from './gauss-newton'
import { rowBasis } from './row-basis'
import type { BlockNumbers } from './transformer'

/** What attention took for a token. */
export interface Context {
  readonly context: Float64Array
  /** How far h then lies outside of its span, by length. */
  readonly far: number
}

/** Solves for what attention took for tokens, each by itself. */
export interface ContextSolver {
  /**
   * @param input u of the token
   * @param start a context to begin with
   */
  solve(input: Float64Array, start: Float64Array): Steps<Context>
}

/** A singular value below this part of the largest says nothing beside the rounding of the spans. */
const SMALL = 1e-3

/** Equations beside the unknowns: directions outside of the span of h are drawn at random, and this many more than the unknowns are enough. */
const MORE = 32

/** Fewer equations than unknowns and these do not tell a context that is there from one that is not. */
const LEAST_MORE = 12

/**
 * What attention takes for a token depends on its whole sentence, but it is one vector c: as few unknowns as the batch has tokens, because c lies
 * in the row span of ∂W_o. Of the right c the vector x = LN(u + W_o c) lies in the span of ∂W_1, and h = f(W_1 x + b_1) in that of ∂W_2. The former is
 * linear in c but for the deviation of the layer norm, and leaves some unknowns; the latter has the wide layer's width of equations for these,
 * which Gauss and Newton solve. No token that is not there has a solution: h is no linear function, so sums of the batch's inputs do not lie
 * in its span.
 *
 * @param tokens how many the batch has in all
 * @returns undefined where the spans leave too few equations
 */
export function* contextSolver(block: BlockNumbers, hidden: number, tokens: number): Steps<ContextSolver | undefined> {
  const { gradients, norm, output, wide } = block
  const width = wide.bias.length
  const contexts = yield* rowBasis(gradients.output, hidden, tokens)
  const inputs = yield* rowBasis(gradients.wide, hidden, tokens)
  const activations = yield* rowBasis(gradients.narrow, width, tokens)
  const gamma = (v: Float64Array): Float64Array => v.map((x, j) => x * norm.gamma[j])
  /** By direction of the contexts: what it moves in front of the layer norm's division. */
  const moves = contexts.map((c) => centred(applied(output, c, true)))
  yield
  const beta = Float64Array.from(norm.beta)
  const columns: Float64Array[] = []
  for (const move of moves) {
    columns.push(orthogonalPart(gamma(move), inputs))
    yield
  }
  const largest = Math.max(...columns.map(lengthOf))
  // x = γ y / σ + β: where β is outside of the span, the deviation σ is an unknown of its own
  const outer = orthogonalPart(beta, inputs)
  const hasDeviation = lengthOf(outer) > SMALL * largest
  if (hasDeviation) columns.push(outer)
  const linear = yield* pseudoInverse(columns)
  /** Unknowns that the linear equations leave, as combinations of the contexts' directions, and of the deviation. */
  const free = linear.nullSpace
  const count = Math.min(free.length + MORE, width - tokens)
  if (count < free.length + LEAST_MORE) return undefined
  const mix = (by: Float64Array): Float64Array => combined(moves, by, hidden)
  const freeMoves = free.map(mix)
  const freeWide: Float64Array[] = []
  for (const move of freeMoves) {
    freeWide.push(applied(wide, gamma(move), true))
    yield
  }
  const constant = applied(wide, beta)
  const { normal } = random(0, 0x63747874)
  const tests: Float64Array[] = []
  for (let k = 0; k < count; k++) {
    const direction = Float64Array.from({ length: width }, () => normal() / Math.sqrt(count))
    tests.push(orthogonalPart(direction, activations))
    yield
  }
  const deviation = (y: Float64Array): number => Math.sqrt(inner(y, y) / y.length + norm.epsilon)
  return {
    *solve(input, start) {
      const own = centred(input.map((v, j) => v + output.bias[j]))
      const near = Float64Array.from(contexts, (c) => inner(c, start))
      const first = hasDeviation ? Float64Array.of(...near, deviation(sum(own, mix(near)))) : near
      const wanted = orthogonalPart(gamma(sum(own, mix(near))), inputs)
      if (hasDeviation) for (let j = 0; j < hidden; j++) wanted[j] += first[near.length] * outer[j]
      const shift = linear.solution(wanted)
      const part = first.map((v, k) => v - shift[k])
      const base = sum(own, mix(part))
      const baseWide = applied(wide, gamma(base), true)
      yield
      const deviations = Float64Array.from(free, (direction) => direction[near.length] ?? 0)
      const at = (x: Float64Array): Reached => {
        const y = sum(base, combined(freeMoves, x, hidden))
        const sigma = deviation(y)
        const raw = sum(baseWide, combined(freeWide, x, width))
        const before = mapped(raw, (v, j) => v / sigma + constant[j])
        const h = mapped(before, block.activation.value)
        const length = lengthOf(h) || 1
        const left = new Float64Array(count + (hasDeviation ? 1 : 0))
        for (let k = 0; k < count; k++) left[k] = inner(tests[k], h) / length
        const stated = hasDeviation ? part[near.length] + inner(x, deviations) : sigma
        if (hasDeviation) left[count] = stated / sigma - 1
        return { x, y, sigma, raw, before, length, stated, left }
      }
      const jacobian = function* ({ y, sigma, raw, before, length, stated, left }: Reached): Steps<Float64Array[]> {
        const slopes = mapped(before, (v) => block.activation.derivative(v) / length)
        const columns: Float64Array[] = []
        const moved = new Float64Array(width)
        for (const [i, move] of freeMoves.entries()) {
          const turned = inner(y, move) / y.length / sigma
          const own = freeWide[i]
          for (let j = 0; j < width; j++) moved[j] = slopes[j] * (own[j] / sigma - (raw[j] * turned) / sigma ** 2)
          const column = new Float64Array(left.length)
          for (let k = 0; k < count; k++) column[k] = inner(tests[k], moved)
          if (hasDeviation) column[count] = deviations[i] / sigma - (stated * turned) / sigma ** 2
          columns.push(column)
          yield
        }
        return columns
      }
      const point = yield* gaussNewton(at(new Float64Array(free.length)), at, jacobian)
      const z = sum(part, combined(free, point.x, part.length))
      return { context: combined(contexts, z, hidden), far: lengthOf(point.left) }
    },
  }
}

/** A point of the search: y, the u + W_o c without its mean, its deviation σ, W_1 γ y, and what the activation reads. */
interface Reached extends Point {
  readonly y: Float64Array
  readonly sigma: number
  readonly raw: Float64Array
  readonly before: Float64Array
  readonly length: number
  /** The deviation as the linear equations have it. */
  readonly stated: number
}

function centred(v: Float64Array): Float64Array {
  const mean = v.reduce((a, b) => a + b, 0) / v.length
  return v.map((x) => x - mean)
}

const sum = (a: Float64Array, b: Float64Array): Float64Array => mapped(a, (v, j) => v + b[j])

/** Σ_k by_k v_k over the vectors that there are. */
function combined(vectors: readonly Float64Array[], by: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width)
  for (const [k, vector] of vectors.entries()) {
    const part = by[k]
    for (let j = 0; j < out.length; j++) out[j] += part * vector[j]
  }
  return out
}

/** M as columns: x of the least length with M x nearest to a vector, and the x that M takes to nothing. */
function* pseudoInverse(columns: readonly Float64Array[]) {
  const gram: Float64Array[] = []
  for (const a of columns) {
    gram.push(Float64Array.from(columns, (b) => inner(a, b)))
    yield
  }
  const { values, vectors } = yield* symmetricEigen(gram)
  const rank = values.filter((v) => v > SMALL ** 2 * values[0]).length
  return {
    nullSpace: vectors.slice(rank),
    solution(wanted: Float64Array): Float64Array {
      const products = Float64Array.from(columns, (column) => inner(column, wanted))
      const out = new Float64Array(columns.length)
      for (let k = 0; k < rank; k++) {
        const part = inner(vectors[k], products) / values[k]
        for (let i = 0; i < out.length; i++) out[i] += part * vectors[k][i]
      }
      return out
    },
  }
}
