import { type SecondInputs, unlike } from './second-inputs'

/** Prefixes that are followed at a time, for each candidate of the widest position; fewer where noise leaves many alike. */
const BEAM = { clean: 16, noisy: 4 }

/** A prefix, and Σ d² over its tokens, d how far the second input lies outside. */
interface Prefix {
  readonly trial: readonly number[]
  readonly score: number
}

/**
 * Sequences of a decoder, grown from the left: a position sees only what is before it, so the second input of a right
 * prefix's last token lies in the span whatever follows.
 *
 * @param places candidates of every position
 * @param noisy whether noise moves a second input further than one wrong token may
 * @param keep told of the prefixes that were followed to each position
 * @param isOpen whether a prefix is followed at all; default all are
 * @returns sequences, longest first; a prefix that nothing continues has ended
 */
export async function decoderSequences(
  places: readonly (readonly number[])[],
  { distances }: SecondInputs,
  noisy: boolean,
  keep: (found: readonly (readonly number[])[]) => void,
  isOpen: (trial: readonly number[]) => boolean = () => true,
): Promise<number[][]> {
  const most = (noisy ? BEAM.noisy : BEAM.clean) * Math.max(...places.map((candidates) => candidates.length))
  const ended: Prefix[] = []
  let prefixes: readonly Prefix[] = [{ trial: [], score: 0 }]
  for (const [at, candidates] of places.entries()) {
    const trials = prefixes
      .flatMap(({ trial, score }) => candidates.map((candidate) => ({ trial: [...trial, candidate], score })))
      .filter(({ trial }) => isOpen(trial))
    if (trials.length === 0) break
    const far = await distances(
      trials.map(({ trial }) => trial),
      at,
    )
    const kept = trials
      .map(({ trial, score }, i) => ({ trial, last: far[i], score: score + far[i] ** 2 }))
      .filter(({ last }) => last <= 1)
      .sort((a, b) => a.score - b.score)
      .slice(0, most)
    const continued = new Set(kept.map(({ trial }) => trial.slice(0, at).join()))
    ended.push(...prefixes.filter(({ trial }) => at > 0 && !continued.has(trial.join())))
    prefixes = kept
    keep([...prefixes, ...ended].map(({ trial }) => trial))
    if (kept.length === 0) break
  }
  const found = [...prefixes, ...ended.reverse()]
  if (!noisy) return found.map(({ trial }) => [...trial])
  return unlike(
    found.map(({ trial }) => trial),
    found.map(({ trial, score }) => score / trial.length),
    places,
  )
}
