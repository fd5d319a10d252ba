import { type Pause, paced } from '../contract/pause'
import { decoderBatches } from './decoder-batches'
import { decoderSequences } from './decoder-sequences'
import { encoderSequences } from './encoder-sequences'
import { type Candidate, type FirstInputs, firstInput } from './first-inputs'
import type { FirstGradient, Judged } from './grouped'
import type { Guess } from './guess'
import { missingTokens } from './missing'
import type { SequenceSettings } from './options'
import { secondInputs } from './second-inputs'
import type { Projection } from './seen'
import { type Heard, signalsOf } from './signals'
import type { Span } from './span'
import type { BlockNumbers, Placed, Transformer } from './transformer'
import { REPEATS, repeatsOne } from './without-positions'

/** The gradient of the first block, and what its inputs are made of. */
export interface FirstShared {
  readonly projections: readonly Projection[]
  readonly inputs: FirstInputs
  readonly allowed: readonly number[] | undefined
  /** The first block in numbers; undefined where it has adapters, or not all of its gradients were shared. */
  readonly block: BlockNumbers | undefined
}

/** Batches of a decoder that are held against the gradient. */
const LIKELIEST = 5

/** What the gradient says of candidates in a list, to which it adds those that it finds. */
export function firstGradient(
  list: Placed[],
  { projections, inputs, allowed }: FirstShared,
  pause: Pause,
): FirstGradient {
  const read = () => list.map(({ token, position }) => firstInput(inputs, token, position))
  /** What was heard of the list when it was that long. */
  let last: { readonly length: number; readonly heard: readonly Heard[] } | undefined
  return {
    async heard() {
      if (last?.length !== list.length)
        last = { length: list.length, heard: await paced(signalsOf(projections, read()), pause) }
      return last.heard
    },
    async missing(heard, slots) {
      const found = await paced(missingTokens(heard, read(), slots, inputs, allowed), pause)
      const added = new Map<number, number[]>()
      for (const { token, position } of found) {
        if (list.some((other) => other.token === token && other.position === position)) continue
        list.push({ token, position })
        added.set(position, [...(added.get(position) ?? []), list.length - 1])
      }
      return added
    },
  }
}

/**
 * Sequences of candidates whose second inputs lie in the second span; `proven` where a proof ended the search.
 *
 * @param different tokens that the first block reads in all, a token at another position being another: the rank of its inputs
 * @param likeliestAlone whether one batch of a decoder in noise is enough: other candidates follow
 */
export async function combine(
  transformer: Transformer,
  span: Span,
  candidates: readonly (readonly Candidate[])[],
  hasPositions: boolean,
  { spanTolerance, batchSize }: SequenceSettings,
  pause: Pause,
  keep: (found: readonly (readonly number[])[], guess?: Guess) => void,
  judge: (found: readonly (readonly number[])[], once?: boolean) => Promise<Judged | undefined>,
  first: FirstShared,
  different: number,
  likeliestAlone = false,
): Promise<readonly (readonly number[])[] | 'proven'> {
  const list: Placed[] = candidates.flat()
  const starts = candidates.map((_, p) => candidates.slice(0, p).reduce((n, c) => n + c.length, 0))
  const places = candidates.map((c, p) => c.map((_, i) => starts[p] + i))
  const tokens = (found: readonly (readonly number[])[]) => found.map((sequence) => sequence.map((i) => list[i].token))
  const block = transformer.firstBlock(list)
  try {
    const second = secondInputs(block, span, spanTolerance, pause)
    const told = (found: readonly (readonly number[])[]) => keep(tokens(found))
    if (transformer.causal) {
      // without positions nothing ends the repetition of a first token
      const isOpen = (trial: readonly number[]) =>
        hasPositions || trial.length <= REPEATS || !repeatsOne(trial.map((i) => list[i].token))
      const noisy = await second.isNoisy(
        places[0].map((candidate) => [candidate]),
        0,
      )
      const several = places.some((all) => all.length > 1)
      if (noisy && several && hasPositions) {
        const batches = await decoderBatches(places, second, told, pause)
        for (const batch of batches.slice(0, likeliestAlone ? 1 : LIKELIEST))
          if ((await judge(tokens(batch), true))?.proven) return 'proven'
        if (likeliestAlone) return []
      }
      return tokens(await decoderSequences(places, second, noisy, told, isOpen))
    }
    let proven = false
    // every token of the batch is an input of its own here
    const count = batchSize ?? Math.ceil(span.rank / places.length)
    const attended = first.block && {
      block: first.block,
      inputs: list.map(({ token, position }) => firstInput(first.inputs, token, position)),
      ...{ tokens: span.rank, different },
    }
    const found = await encoderSequences(
      places,
      second,
      batchSize,
      (i) => list[i].token,
      (some, near) => keep(tokens(some), { sequences: tokens(near), count }),
      async (some, once) => {
        const judged = await judge(tokens(some), once)
        proven = judged?.proven ?? false
        return judged
      },
      firstGradient(list, first, pause),
      attended,
      pause,
    )
    return proven ? 'proven' : tokens(found)
  } finally {
    block.dispose()
  }
}

/** The one sequence that there is where every position has one candidate; else none. */
export const withoutChoice = (tokens: readonly (readonly number[])[]): number[][] =>
  tokens.every(({ length }) => length === 1) ? [tokens.map(([token]) => token)] : []
