import type { JudgedTrial, Judgement, KnownLeak } from '../../audit'
import { leaks } from '../../audit/verdict'
import { countOf } from '../../errors/counted'
import { attackOf, WORDS } from './words'

/** A line for each verdict, defence, attack and reason of leaks that do not count. */
export const knownLines = ({ defences }: Judgement, known: readonly KnownLeak[]): string[] =>
  grouped(known, ({ trial, reason }) => [trial.description, attackOf(trial), WORDS[trial.verdict], reason]).map(
    (own) => {
      const [{ trial, reason }] = own
      const trials = own.map((one) => one.trial)
      return `${WORDS[trial.verdict]}: ${placeOf(trials, defences)}: ${reason}`
    },
  )

/** Where trials of one defence and one attack are: `no defence: label-inference: 8 of 8 clients`. */
export function placeOf(trials: readonly JudgedTrial[], defences: Judgement['defences']): string {
  const [first] = trials
  const all = defences.find(({ description }) => description === first.description)!.clients.length
  const clients = new Set(trials.map(({ client }) => client)).size
  return `${first.description}: ${attackOf(first)}: ${clients} of ${countOf(all, 'client')}`
}

/** Groups by some words, in the order of their first members. */
export function grouped<T>(values: readonly T[], wordsOf: (value: T) => readonly string[]): T[][] {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const key = JSON.stringify(wordsOf(value))
    groups.set(key, [...(groups.get(key) ?? []), value])
  }
  return [...groups.values()]
}

/** Why none of the leaks among some trials counts; undefined where one does. */
export function knownReasons(trials: readonly JudgedTrial[], reasons: ReadonlyMap<string, string>): string | undefined {
  const leaking = trials.filter(({ verdict }) => leaks(verdict))
  if (leaking.length === 0 || leaking.some(({ key }) => !reasons.has(key))) return undefined
  return [...new Set(leaking.map(({ key }) => reasons.get(key)!))].join('; ')
}

/** The reason why a leak does not count, by the key of its trial. */
export const reasonsOf = (known: readonly KnownLeak[]): ReadonlyMap<string, string> =>
  new Map(known.map(({ trial, reason }) => [trial.key, reason]))
