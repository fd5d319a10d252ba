import type { Steps } from '../../numbers/steps'
import { inner, lengthOf, meanOf, orthogonalPart, squaredDistance } from '../../numbers/vectors'
import { type FirstInputs, firstInput } from './first-inputs'
import type { Heard } from './signals'
import type { Placed } from './transformer'

/** A position at which a sentence has no candidate. */
export interface Slot {
  readonly sentence: number
  /** Candidates of the sentence, as far as they are known. */
  readonly own: readonly number[]
  readonly position: number
}

/** Tokens of a slot whose part outside of what is known is computed. */
const LOOKED_AT = 64

/** More slots than this are not filled: the known inputs say too little then. */
const MOST_SLOTS = 12

/** The part of a sentence's centre from which on a token is there. */
const THERE = 0.5

/** A slot with what the gradient says of it. */
interface Filter extends Pick<Slot, 'sentence' | 'position'> {
  /** Σ Gᵀc / σ² over the projections, σ² the spread of their signals around c. */
  readonly filter: Float64Array
  /** Σ ‖c‖² / σ² */
  readonly weight: number
  /** The likeliest tokens, with their inputs. */
  readonly likely: readonly { readonly token: number; readonly input: Float64Array }[]
}

/**
 * Tokens that noise hid from the span, by what is left of the gradient.
 *
 * Without the directions of the known inputs, G = Σ_t ∂y_t u_tᵀ has the missing tokens alone: R = Σ ∂y_t u⊥_tᵀ. The signals of a sentence lie
 * around a centre c, so R is near c u⊥ᵀ, and the token is the one that brings ‖R − c u⊥(v)ᵀ‖² down most: by 2 ⟨Rᵀc, u⊥⟩ − ‖c‖² ‖u⊥‖².
 * Noise is averaged over all rows of G this way, which a test of the span alone does not do. The clearest token is taken first and is known
 * from then on (orthogonal matching pursuit, Pati et al. 1993).
 *
 * @param heard signals of the known candidates, by projection
 * @param inputs u of each known candidate
 * @returns the tokens that are there: of one sentence at each of its slots, as their order hardly shows in the gradient
 */
export function* missingTokens(
  heard: readonly Heard[],
  inputs: readonly Float64Array[],
  slots: readonly Slot[],
  first: FirstInputs,
  allowed: readonly number[] | undefined,
): Steps<Placed[]> {
  if (slots.length > MOST_SLOTS || first.positions === undefined) return []
  const basis = yield* basisOf(inputs)
  const ids = allowed ?? Array.from({ length: first.words.data.length / first.words.width }, (_, v) => v)
  const open: Filter[] = []
  for (const slot of slots) open.push(yield* filterOf(heard, slot, basis, first, ids))
  const found: { readonly token: number; readonly sentence: number; readonly position: number }[] = []
  for (;;) {
    let best: { slot: number; token: number; gain: number; rest: Float64Array } | undefined
    for (const [slot, { filter, weight, likely }] of open.entries())
      for (const { token, input } of likely) {
        const rest = orthogonalPart(input, basis)
        const product = inner(filter, rest)
        const square = weight * inner(rest, rest)
        const gain = 2 * product - square
        if (product >= THERE * square && gain > (best?.gain ?? 0)) best = { slot, token, gain, rest }
        yield
      }
    if (!best) break
    const { slot, token, rest } = best
    const [{ sentence, position }] = open.splice(slot, 1)
    found.push({ token, sentence, position })
    const length = lengthOf(rest)
    basis.push(rest.map((v) => v / length))
  }
  return found.flatMap(({ token, sentence }) =>
    found.flatMap((other) => (other.sentence === sentence ? [{ token, position: other.position }] : [])),
  )
}

function* filterOf(
  heard: readonly Heard[],
  { sentence, own, position }: Slot,
  basis: readonly Float64Array[],
  first: FirstInputs,
  ids: readonly number[],
): Steps<Filter> {
  const { width } = first.words
  const filter = new Float64Array(width)
  let weight = 0
  for (const { projection, signals } of heard) {
    // an adapter that lets A u alone through has few directions outside of what is known
    if (projection.through) continue
    const centre = meanOf(own.map((candidate) => signals[candidate]))
    // how far signals lie from their centre, by noise or not, says how much a projection counts
    const spread = own.reduce((sum, candidate) => sum + squaredDistance(signals[candidate], centre), 0) / own.length
    if (!(spread > 0)) continue
    weight += inner(centre, centre) / spread
    for (const [r, c] of centre.entries())
      for (let j = 0; j < width; j++) filter[j] += (c / spread) * projection.values[r * width + j]
    yield
  }
  const rest = orthogonalPart(filter, basis)
  const products: { token: number; product: number }[] = []
  for (const token of ids) {
    products.push({ token, product: inner(rest, firstInput(first, token, position)) })
    yield
  }
  const likely = products.sort((a, b) => b.product - a.product).slice(0, LOOKED_AT)
  return {
    ...{ sentence, position, filter, weight },
    likely: likely.map(({ token }) => ({ token, input: firstInput(first, token, position) })),
  }
}

/** Orthonormal directions of vectors, without those that others have already. */
function* basisOf(vectors: readonly Float64Array[]): Steps<Float64Array[]> {
  const basis: Float64Array[] = []
  for (const vector of vectors) {
    const rest = orthogonalPart(vector, basis)
    const left = lengthOf(rest)
    if (left > DEPENDENT * lengthOf(vector)) basis.push(rest.map((v) => v / left))
    yield
  }
  return basis
}

/** A vector of which others leave less than this part is one of their combinations. */
const DEPENDENT = 1e-6
