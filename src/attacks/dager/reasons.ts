import { countOf } from '../../errors/counted'
import { isCoarse, type SharedTensor } from './floor'
import type { Guess } from './guess'
import type { Accounted } from './multiplicity'
import { type Ranks, ROOM } from './ranks'
import type { Seen } from './seen'

/** What was found so far, and the best of it. */
export interface Best {
  accounted?: Accounted
  candidates: readonly (readonly number[])[]
  /** Found, and not yet held against the gradient. */
  found: readonly (readonly number[])[]
  /** What came closest. */
  guess?: Guess
}

/** Why there is no span to search in. */
export const saturation = ({ gap }: Ranks, hidden: number): string =>
  gap >= 2
    ? `the first block's inputs fill all but ${ROOM - 1} or fewer of ${hidden} dimensions: there are about as many tokens as the model is wide`
    : `a span must leave ${ROOM} dimensions, and the model is ${hidden} wide`

/** More noise than float32 leaves. */
const NOISY = 1e-5

/** What made the shared numbers coarser than float32 gradients, in words. */
export function roundedBy(tensors: readonly SharedTensor[], rounding: number): string | undefined {
  const coarse = tensors.find(({ stored }) => isCoarse(stored))
  if (coarse)
    return `the gradients are rounded to ${coarse.stored.quantization ? 'whole numbers' : coarse.stored.dtype}`
  return rounding > 0 ? 'the gradient is the difference of rounded weights' : undefined
}

/** Tensors that are named; where more of them differ, the sequences are wrong rather than the tensors. */
const MOST_NAMED = 3

/** Which tensors differ by more than the floor leaves, where these are few. */
const differing = (names: readonly string[]): string =>
  names.length === 0 || names.length > MOST_NAMED
    ? ''
    : `; what is left of ${names.map((name) => `'${name}'`).join(', ')} is not what that floor leaves, and the other tensors are explained`

/** What stands in the way of a proof, with the numbers. */
export function whyNot(
  { accounted, found, candidates }: Best,
  { ranks: { clear, gap, likely }, noise, limit, flat }: Seen,
  rounded: string | undefined,
): string {
  const most = Math.max(...noise)
  const isNoisy = most > NOISY && limit === undefined
  const spectrum = clear
    ? `the first block read ${countOf(likely[0], 'input')} (its singular values fall by ${gap.toPrecision(2)} there)`
    : limit
      ? `the singular values of the first block's adapters show no clear gap (${gap.toPrecision(2)}): ${rounded ? `${rounded}; most of an adapter's gradient is one direction, and its rounding hides the smallest of the others, or there are more tokens than their span shows` : flat ? 'the smallest are alike, as noise makes them' : 'there are more tokens than their span shows'}`
      : `the first block's singular values show no clear gap (${gap.toPrecision(2)} at ${likely[0]}): there is noise of about ${most.toPrecision(1)} of a projection${candidates.length > 0 ? '' : ', or there are about as many tokens as the model is wide'}`
  if (accounted) {
    const { residual, floor, from, unrelated, unexplained } = accounted.proof
    if (unrelated)
      return `${spectrum}; the gradient of the ${countOf(accounted.sequences.length, 'sequence')} found has no more in common with the shared one than unrelated numbers have`
    return `${spectrum}; the gradient of the ${countOf(accounted.sequences.length, 'sequence')} found differs by ${residual.toPrecision(2)} from the shared one, whose floor is ${floor.toPrecision(2)} (${from})${differing(unexplained)}${accounted.otherwise === undefined ? '' : `; it is ${accounted.otherwise.toPrecision(3)} times that gradient: give the option scale`}`
  }
  if (found.length > 0) return `${spectrum}; nothing that was found could be held against the gradient`
  return candidates.length === 0
    ? `${spectrum}; no token lies in its span at the first position`
    : `${spectrum}; the tokens of ${countOf(candidates.length, 'position')} were found, but not which of them belong together: ${isNoisy ? 'noise hides it' : "no combination lies in the second block's span"}`
}

/** What the guesses are, in words; nothing where there are none. */
export const guessed = ({ length }: readonly unknown[]): string =>
  length === 0
    ? ''
    : `; ${length} more by guess: tokens of the first block's span, put together so that they come closest to the second block's`
