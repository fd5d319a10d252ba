import { type Pause, paced } from '../contract/pause'
import { type FirstShared, firstGradient } from './combinations'
import { grouped, type Judged } from './grouped'
import { type AdapterPrecision, noiseOutside, pursued, rowDirections } from './pursuit'
import type { Placed, Transformer } from './transformer'

/** Numbers of different sentences that are tried. */
const COUNTS = 2

/**
 * Sequences behind adapters that tell fewer vectors apart than there are tokens, or whose noise hides some of them. The tokens are
 * picked one by one. Where each position has one, they are the sentence; an encoder's several sentences are put together by what the
 * loss sends back to their tokens.
 *
 * @param length positions there are at most
 * @param judge holds sequences against the gradient, with the noise that its projections show outside the span of the picks
 * @param keep told of the candidates of every position
 * @returns whether a proof ended the search
 * @throws CUT
 */
export async function adapterSequences(
  { causal, hidden }: Transformer,
  first: FirstShared,
  precision: AdapterPrecision,
  length: number,
  expected: number | undefined,
  judge: (
    found: readonly (readonly number[])[],
    once: boolean,
    noise: readonly number[],
  ) => Promise<Judged | undefined>,
  keep: (candidates: readonly (readonly number[])[]) => void,
  pause: Pause,
): Promise<boolean> {
  const { projections, inputs, allowed } = first
  const { directions } = await paced(rowDirections(projections, hidden, precision), pause)
  if (directions.length === 0) return false
  const { picks, twins } = await paced(pursued(inputs, directions, length, allowed), pause)
  const noise = await paced(noiseOutside(projections, inputs, picks), pause)
  const list: Placed[] = []
  const places: number[][] = []
  // a sentence ends where no token was picked
  for (let p = 0; picks.some(({ position }) => position === p); p++)
    places.push([...picks, ...twins].filter(({ position }) => position === p).map((placed) => list.push(placed) - 1))
  if (places.length === 0) return false
  const tokens = (sequence: readonly number[]): number[] => sequence.map((i) => list[i].token)
  keep(places.map(tokens))
  if (places.every((candidates) => candidates.length === 1))
    return (await judge([tokens(places.map(([candidate]) => candidate))], false, noise))?.proven ?? false
  if (causal || inputs.positions === undefined) return false
  return grouped(
    { places, tokenOf: (i) => list[i].token },
    firstGradient(list, first, pause),
    [...frequent(places).slice(0, COUNTS), ...(expected === undefined ? [] : [expected])],
    true,
    (found, once) => judge(found.map(tokens), once, noise),
    pause,
  )
}

/** How many candidates positions have, the most frequent number first. */
function frequent(places: readonly (readonly number[])[]): number[] {
  const counts = places.map(({ length }) => length)
  const times = (n: number): number => counts.filter((count) => count === n).length
  return [...new Set(counts)].sort((a, b) => times(b) - times(a) || b - a)
}
