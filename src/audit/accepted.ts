import type { JudgedRow } from './judge'
import type { TrialRecord } from './record'
import { leaks } from './verdict'

/** A finding that a team accepts until a day. `*` stands for any defence or attack. */
export interface AcceptedFinding {
  /** The defence in words, as reports have it, or its name in an audit file, such as `gaussianNoise`: then any parameters. */
  readonly defence: string
  /** The attack, such as `gradient-matching`; or with one attacker alone, as reports have it: `gradient-matching, adaptive`. */
  readonly attack: string
  readonly reason: string
  /** The last day on which it is accepted, such as 2027-01-31. */
  readonly until: string
}

/** Why an accepted finding has no effect: its day is over, or the run has no such defence, no such attack there, or no such leak. */
export type IdleReason = 'expired' | 'no-defence' | 'no-attack' | 'no-leak'

/** Whether a value is a day of the calendar, such as 2027-01-31. */
export const isDay = (value: unknown): value is string =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\d$/.test(value) &&
  new Date(`${value}T00:00:00Z`).toJSON()?.startsWith(value) === true

/** Whether a caller's value has the texts of an accepted finding. */
export const isAccepted = (one: unknown): one is AcceptedFinding =>
  typeof one === 'object' &&
  one !== null &&
  (['defence', 'attack', 'reason', 'until'] as const).every((name) => typeof Reflect.get(one, name) === 'string')

/** Whether an accepted finding is of this trial. */
export const accepts = (one: AcceptedFinding, trial: TrialRecord): boolean =>
  hasDefence(one, trial) && hasAttack(one, trial)

const hasDefence = ({ defence: words }: AcceptedFinding, { defence, description }: TrialRecord): boolean =>
  ['*', description, defence, nameInFiles(defence)].includes(words)

const hasAttack = ({ attack: words }: AcceptedFinding, { attack, attacker }: TrialRecord): boolean =>
  ['*', attack, `${attack}, ${attacker}`].includes(words)

/** The name of a defence in an audit file: `gaussianNoise` for `gaussian-noise`, `quantised` for `quantised-int8`, `composed` for `clipping+pruning`. */
const nameInFiles = (name: string): string =>
  name.includes('+')
    ? 'composed'
    : name.replace(/^quantised-.*$/, 'quantised').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Why an accepted finding has no effect on these rows; undefined where it has one. */
export function idleness(one: AcceptedFinding, rows: readonly JudgedRow[], today: string): IdleReason | undefined {
  const trials = rows.flatMap((row) => row.trials)
  const leaking = trials.some((trial) => accepts(one, trial) && leaks(trial.verdict))
  if (leaking) return today > one.until ? 'expired' : undefined
  const under = trials.filter((trial) => hasDefence(one, trial))
  if (under.length === 0) return 'no-defence'
  return under.some((trial) => hasAttack(one, trial)) ? 'no-leak' : 'no-attack'
}
