import type { Pause } from '../contract/pause'
import { decoderSequences } from './decoder-sequences'
import type { Signals } from './encoder-groups'
import { encoderSequences } from './encoder-sequences'
import { type Candidate, type FirstInputs, firstInput } from './first-inputs'
import type { Judged } from './grouped'
import type { SequenceSettings } from './options'
import { secondInputs } from './second-inputs'
import type { Span } from './span'
import type { Transformer } from './transformer'
import { REPEATS, repeatsOne } from './without-positions'

/** Sequences of candidates whose second inputs lie in the second span; `proven` where a proof ended the search. */
export async function combine(
  transformer: Transformer,
  span: Span,
  candidates: readonly (readonly Candidate[])[],
  hasPositions: boolean,
  { spanTolerance, batchSize }: SequenceSettings,
  pause: Pause,
  keep: (found: readonly (readonly number[])[]) => void,
  judge: (found: readonly (readonly number[])[], once?: boolean) => Promise<Judged | undefined>,
  signals: (inputs: readonly Float64Array[]) => Promise<readonly Signals[]>,
  inputs: FirstInputs,
): Promise<readonly (readonly number[])[] | 'proven'> {
  const list = candidates.flat()
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
      return tokens(await decoderSequences(places, second, told, isOpen))
    }
    let proven = false
    const found = await encoderSequences(
      places,
      second,
      batchSize,
      (i) => list[i].token,
      told,
      async (some, once) => {
        const judged = await judge(tokens(some), once)
        proven = judged?.proven ?? false
        return judged
      },
      () => signals(list.map(({ token, position }) => firstInput(inputs, token, position))),
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
