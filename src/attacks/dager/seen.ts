import { countOf } from '../../errors/counted'
import type { Steps } from '../../numbers/steps'
import { squaredNorm, type Values } from '../../numbers/values'
import type { Table } from '../tokens/token-set'
import { noisySpectrum, type Ranks, ROOM, ranksOf, ranksOfAdapters } from './ranks'
import { noiseVariance, type RowSpectrum, rowSpectrum, type Span, spanPart } from './span'

/** A gradient whose rows are combinations of the vectors u that a block reads. */
export interface Projection {
  /** Rows of length `hidden`; with `through`, of as many numbers as `through` has rows. */
  readonly values: Values
  /** Its rows are combinations of M u, the rows of M here: the A of an adapter B A x, of which ∂B sees A x alone. */
  readonly through?: Table
}

/** What was shared shows of the vectors that a block reads. */
export interface Seen {
  readonly ranks: Ranks
  /** By projection: ‖noise‖ / ‖projection‖. */
  readonly noise: readonly number[]
  /** Most vectors that the span tells apart. */
  readonly most: number
  /** How many vectors the span of adapters tells apart, in words; undefined where there are none. */
  readonly limit?: string
  /** Whether the smallest singular values of adapters are alike, as noise makes them; those of vectors are spread. */
  readonly flat?: boolean
  /** Singular values of everything, or of what shows most. */
  readonly spectrum: RowSpectrum
  /** Where the vectors lie, if there are `rank` of them. */
  span(rank: number): Span
}

/** Projections of whole matrices have a row for every number that a block reads, and more of them; those of adapters have few. */
const WHOLE = 1

/** Reads the spans of a block's vectors off its gradients, one at least. */
export function* seenBy(projections: readonly Projection[], hidden: number): Steps<Seen> {
  const plain = projections.filter(({ through }) => !through).map(({ values }) => values)
  const rows = plain.reduce((n, { length }) => n + length / hidden, 0)
  if (plain.length === projections.length && rows >= WHOLE * hidden) {
    const spectrum = yield* noisySpectrum(plain, hidden)
    return {
      ...{ spectrum, ranks: ranksOf(spectrum), noise: spectrum.noise, most: hidden - ROOM },
      span: (rank) => ({ width: hidden, rank, parts: [spanPart(spectrum, rank)] }),
    }
  }
  return yield* seenByAdapters(projections, plain, hidden)
}

/**
 * What may lie outside of a token's input shrinks by this where A x alone is seen: few directions are outside, and a wrong token is
 * near by chance. Inputs of the second block have the rounding of a block in float32 and keep the tolerance.
 */
const TIGHT = 0.03

/** One decomposition: of all the ∂A together, or of one ∂B. */
interface Group {
  readonly spectrum: RowSpectrum
  readonly ranks: Ranks
  readonly through?: Table
  /** Most vectors that it tells apart. */
  readonly most: number
  readonly noise: number
}

/**
 * ∂A = s Bᵀ Σ_t ∂y_t u_tᵀ has r combinations of the vectors, and the adapters that read the same vectors add theirs up. Where B is
 * zero there is ∂B = s Σ_t ∂y_t (A u_t)ᵀ alone, which tells fewer than r vectors apart.
 */
function* seenByAdapters(projections: readonly Projection[], plain: readonly Values[], hidden: number): Steps<Seen> {
  const groups: Group[] = []
  if (plain.length > 0) {
    const spectrum = yield* evenSpectrum(plain, hidden)
    const most = Math.min(spectrum.rows, hidden - ROOM)
    const ranks = ranksOfAdapters(spectrum, most)
    groups.push({ spectrum, ranks, most, noise: noiseOf(spectrum, ranks) })
  }
  for (const { values, through } of projections) {
    if (!through) continue
    const spectrum = yield* evenSpectrum([values], through.data.length / through.width)
    // the last direction must be left outside
    const most = spectrum.width - 1
    const ranks = ranksOfAdapters(spectrum, most)
    groups.push({ spectrum, ranks, through, most, noise: noiseOf(spectrum, ranks) })
  }
  // an adapter may miss a vector: the query of a decoder's first position has no gradient
  const clear = groups.filter(({ ranks }) => ranks.clear)
  const rankOf = ({ ranks }: Group): number => ranks.likely[0] ?? 0
  const [first] = (clear.length > 0 ? clear : groups).toSorted((a, b) => rankOf(b) - rankOf(a) || b.most - a.most)
  const most = Math.max(...groups.map((group) => group.most))
  const sizes = projections.map(({ values, through }) =>
    through ? through.data.length / hidden : values.length / hidden,
  )
  const limit =
    first.through === undefined
      ? `the adapters of the first block have ranks of ${sizes.join(' + ')} = ${first.spectrum.rows}: their span shows at most ${countOf(most, 'token')}, and more were looked for one by one`
      : `B is zero, so adapters of rank ${sizes.join(', ')} show A x alone, each by itself: they tell at most ${countOf(most, 'token')} apart`
  let next = 0
  const noise = projections.map(({ through }) => {
    if (!through) return plain.length > 0 ? groups[0].noise : 0
    next++
    return groups[next - (plain.length > 0 ? 0 : 1)].noise
  })
  return {
    ...{ spectrum: first.spectrum, ranks: first.ranks, noise, most, limit },
    flat: isFlat(first.spectrum),
    span(rank) {
      const exact = clear.filter((group) => rankOf(group) === rank)
      const telling = (exact.length > 0 ? exact : groups).filter((group) => group.most >= rank)
      const parts = telling.map(({ spectrum, through }) => spanPart(spectrum, rank, through))
      return { width: hidden, rank, parts, ...(telling.every(({ through }) => through) && { tight: TIGHT }) }
    },
  }
}

/** How far the last four singular values of noise may lie apart. */
const FLAT = 2

function isFlat({ values, rows, width }: RowSpectrum): boolean {
  const count = Math.min(rows, width)
  return count >= 4 && values[count - 4] < FLAT ** 2 * values[count - 1]
}

/** The spectrum of gradients that count alike. */
function* evenSpectrum(gradients: readonly Values[], width: number): Steps<RowSpectrum> {
  const weights = gradients.map((values) => {
    const norm = Math.sqrt(squaredNorm([values]))
    return new Float64Array(values.length / width).fill(norm > 0 ? 1 / norm : 0)
  })
  return yield* rowSpectrum(gradients, width, weights)
}

/** ‖noise‖ / ‖gradient‖ of each of the gradients, which are of length 1: ν² for each of their numbers. */
function noiseOf(spectrum: RowSpectrum, { likely }: Ranks): number {
  const { width, rows, values } = spectrum
  const whole = values.reduce((a, b) => a + b, 0)
  const rank = Math.min(likely[0] ?? width, width)
  return whole > 0 ? Math.sqrt((rows * width * noiseVariance(spectrum, rank)) / whole) : 0
}
