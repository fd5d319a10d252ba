import { choice } from '../errors/checks'
import { countOf } from '../errors/counted'
import { requireJudgement, requireRun } from './checks'
import type { Plan } from './plan'
import type { TrialRecord } from './record'
import {
  type AuditVerdict,
  checkedThresholds,
  type JudgedTrial,
  leaked,
  leaks,
  type Thresholds,
  VERDICTS,
  verdictAlone,
  worst,
} from './verdict'

/** All clients under one defence, one attacker and one attack. */
export interface JudgedRow {
  readonly defence: string
  readonly description: string
  readonly attacker: TrialRecord['attacker']
  readonly attack: string
  /** The worst of its trials. */
  readonly verdict: AuditVerdict
  readonly counts: Readonly<Partial<Record<AuditVerdict, number>>>
  readonly trials: readonly JudgedTrial[]
}

/** What all attacks and attackers together show of one client under one defence. */
export interface JudgedClient {
  readonly client: number
  readonly samples: readonly string[]
  /**
   * The worst that any attack shows. Where none leaked: `not-recovered` (or a match that is wrong) only where an attack was run that
   * recovers this client's data from the undefended gradient, else `inconclusive`.
   */
  readonly verdict: AuditVerdict
  /**
   * Whether something follows for the data: they leaked, or an attack was run that recovers them from the undefended gradient. Labels
   * that leaked, or attacks that do not apply, leave it open whether the data leak.
   */
  readonly conclusive: boolean
  /** The trial that decided it. */
  readonly by: JudgedTrial
}

/** One defence, judged over all clients. */
export interface JudgedDefence {
  readonly defence: string
  readonly description: string
  /** The worst of its clients. */
  readonly verdict: AuditVerdict
  readonly clients: readonly JudgedClient[]
  /** Over its clients: the mean of the cosines, and the largest relative error. */
  readonly utility?: TrialRecord['utility']
}

/** An audit, judged. */
export interface Judgement {
  readonly thresholds: Thresholds
  /** Worst first, without the control. */
  readonly rows: readonly JudgedRow[]
  /** The undefended gradient where it is there as the control alone. */
  readonly control: readonly JudgedRow[]
  /** One for each defence of `rows`, worst first. */
  readonly defences: readonly JudgedDefence[]
  /** The worst of `defences`. */
  readonly verdict: AuditVerdict
  /** Trials of the plan that are not among the records: the run was interrupted, or is a part. What they would show is not known. */
  readonly missing: number
  /** For people: one sentence. */
  readonly summary: string
}

/**
 * Judges what an audit measured. It attacks nothing, so that thresholds can change without a new run.
 *
 * @param run the records, and whether the undefended gradient is a row or the control alone
 * @throws DlgError `invalid-data`, `invalid-option`
 */
export function judge(
  run: {
    readonly records: readonly TrialRecord[]
    readonly plan: {
      readonly undefended: boolean
      readonly withData: boolean
      /** Every trial of the plan, or their number; without both, the records are taken for all. */
      readonly chains?: Plan['chains']
      readonly trials?: number
    }
  },
  thresholds: Partial<Thresholds> = {},
): Judgement {
  requireRun(run)
  const limits = checkedThresholds(thresholds)
  const { undefended, withData } = run.plan
  const alone = run.records.map((record) => ({ ...record, ...verdictAlone(record, limits, withData) }))
  const controlOf = withData ? controlsOf(alone) : () => 'inconclusive' as const
  const judged = alone.map((trial): JudgedTrial => {
    const tells = leaks(controlOf(trial))
    return trial.verdict === 'not-recovered' && !tells ? { ...trial, verdict: 'inconclusive' } : trial
  })
  const rows = rowsOf(judged)
  const isControl = ({ defence }: { readonly defence: string }) => defence === 'none' && !undefended
  const own = judged.filter((trial) => !isControl(trial))
  const defences = defencesOf(own, (trial) => leaked(controlOf(trial)))
  const verdict = worst(defences.map((defence) => defence.verdict))
  const missing = missingOf(run)
  return {
    ...{ thresholds: limits, rows: rows.filter((row) => !isControl(row)), control: rows.filter(isControl) },
    ...{ defences, verdict, missing, summary: `${summaryOf(own, defences, verdict)}${missingWords(missing)}` },
  }
}

/** For a trial, the verdict of its attack on the same client's undefended gradient. An attack that finds nothing there says nothing about a defence. */
export function controlsOf(trials: readonly JudgedTrial[]): (trial: TrialRecord) => AuditVerdict {
  const controls = new Map(
    trials.filter(({ defence }) => defence === 'none').map((trial) => [trialOf(trial), trial.verdict]),
  )
  return (trial) => (trial.defence === 'none' ? undefined : controls.get(trialOf(trial))) ?? 'inconclusive'
}

function missingOf({ records, plan: { chains, trials } }: Parameters<typeof judge>[0]): number {
  if (chains === undefined) return Math.max(0, (trials ?? records.length) - records.length)
  const there = new Set(records.map(({ key }) => key))
  return chains.flatMap((chain) => chain.trials).filter(({ key }) => !there.has(key)).length
}

const missingWords = (missing: number): string =>
  missing === 0 ? '' : ` ${missing} trial${missing === 1 ? ' is' : 's are'} missing: the run is not whole.`

const trialOf = ({ client, attack }: TrialRecord): string => `${client} ${attack}`

/** Groups in the order of their first members. */
function grouped<T>(values: readonly T[], keyOf: (value: T) => string | number): T[][] {
  const groups = new Map<string | number, T[]>()
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value])
  return [...groups.values()]
}

const rank = ({ verdict }: { readonly verdict: AuditVerdict }): number => VERDICTS.indexOf(verdict)

function rowsOf(trials: readonly JudgedTrial[]): JudgedRow[] {
  return grouped(trials, ({ description, attacker, attack }) => `${description}\n${attacker}\n${attack}`)
    .map((own): JudgedRow => {
      const [{ defence, description, attacker, attack }] = own
      const counts: Partial<Record<AuditVerdict, number>> = {}
      for (const { verdict } of own) counts[verdict] = (counts[verdict] ?? 0) + 1
      return { defence, description, attacker, attack, verdict: worst(own.map((t) => t.verdict)), counts, trials: own }
    })
    .sort((a, b) => rank(a) - rank(b))
}

/** @param tells whether the attack of a trial recovers the client's data from the undefended gradient */
function defencesOf(trials: readonly JudgedTrial[], tells: (trial: JudgedTrial) => boolean): JudgedDefence[] {
  return grouped(trials, ({ description }) => description)
    .map((own): JudgedDefence => {
      const [{ defence, description }] = own
      const clients = grouped(own, ({ client }) => client).map((all) => clientOf(all, tells))
      const utility = utilityOver(own)
      const verdict = worst(clients.map((client) => client.verdict))
      return { defence, description, verdict, clients, ...(utility && { utility }) }
    })
    .sort((a, b) => rank(a) - rank(b))
}

/** What a defence leaves of the gradients, of each client once: attacks and attackers see the same. */
function utilityOver(trials: readonly JudgedTrial[]): TrialRecord['utility'] {
  const each = [...new Map(trials.flatMap(({ client, utility }) => (utility ? [[client, utility]] : []))).values()]
  if (each.length === 0) return undefined
  const sum = each.reduce((total, { cosine }) => total + cosine, 0)
  return { cosine: sum / each.length, relativeError: Math.max(...each.map(({ relativeError }) => relativeError)) }
}

/** @param all trials of one client under one defence */
export function clientOf(all: readonly JudgedTrial[], tells: (trial: JudgedTrial) => boolean): JudgedClient {
  const [{ client, samples }] = all
  // an attack that was refused or spared shows nothing, however well it does without the defence
  const telling = all.filter((trial) => wasTried(trial) && tells(trial))
  const deciders = all.filter((trial) => leaks(trial.verdict) || trial.verdict === 'error' || telling.includes(trial))
  const by = [...(deciders.length > 0 ? deciders : all)].sort((a, b) => rank(a) - rank(b))[0]
  const open = deciders.length === 0 && all.some(wasTried)
  const conclusive = leaked(by.verdict) || telling.length > 0
  return { client, samples, by, conclusive, verdict: open ? 'inconclusive' : by.verdict }
}

const wasTried = ({ status }: TrialRecord): boolean => status !== 'refused' && status !== 'not-tried'

function summaryOf(trials: readonly JudgedTrial[], defences: readonly JudgedDefence[], verdict: AuditVerdict): string {
  const cells = defences.flatMap(({ clients }) => clients)
  const all = new Set(cells.map(({ client }) => client)).size
  const hit = (test: (verdict: AuditVerdict, cell: JudgedClient) => boolean) =>
    `${new Set(cells.filter((cell) => test(cell.verdict, cell)).map(({ client }) => client)).size} of ${countOf(all, 'client')}`
  const broken = trials.filter(({ status }) => status === 'error').length
  const tried = trials.filter(wasTried).length - broken
  const end = `${countOf(tried, 'attack was', 'attacks were')} run${broken > 0 ? `, and ${broken} broke down` : ''}.`
  const under = (test: (verdict: AuditVerdict) => boolean): string =>
    defences.length > 1
      ? ` under ${defences.filter((defence) => test(defence.verdict)).length} of ${countOf(defences.length, 'defence')}`
      : ''
  const unknown = hit((_, { conclusive }) => !conclusive)
  const open = cells.every(({ conclusive }) => conclusive)
    ? ''
    : ` Whether the data of ${unknown} leak is not known: no attack was run that is known to succeed without the defence.`
  switch (verdict) {
    case 'leaked-proven':
    case 'leaked-recognised':
      return `What is shared gives away the data of ${hit(leaked)}${under(leaked)}. ${end}`
    case 'partly':
      return `What is shared gives away part of the data of ${hit(leaks)}${under(leaks)}.${open} ${end}`
    case 'error':
      return `Some attacks broke down, so that nothing can be said. ${end}`
    case 'inconclusive':
      return `Nothing was recovered, and nothing follows from it: no attack was run that is known to succeed without the defence. ${end}`
    case 'not-applicable':
      return `${trials.length === 0 ? 'No attack was run.' : 'No attack applies here.'} That is no evidence of safety.`
    default:
      return `Nothing was recovered by these attacks within their evaluations. That is no evidence of safety.${open} ${end}`
  }
}

/** From which verdict on an audit fails. */
export const FAIL_ON = ['partly', 'leaked', 'never'] as const

/** From which verdict on an audit fails: with `leaked`, labels and tokens alone do not count. */
export type FailOn = (typeof FAIL_ON)[number]

/**
 * The exit code of a judgement: 0 nothing above the threshold, 1 a leak, 2 an error, 3 inconclusive: of a client under a defence nothing
 * follows for its data, no attack applies or was run, or trials are missing. Errors outrank leaks, and leaks what is inconclusive.
 *
 * @throws DlgError `invalid-option`
 */
export function exitCodeOf(
  judgement: Pick<Judgement, 'defences' | 'rows' | 'missing'>,
  failOn: FailOn = 'leaked',
): 0 | 1 | 2 | 3 {
  requireJudgement(judgement)
  const { defences, rows, missing } = judgement
  choice('failOn', failOn, FAIL_ON)
  if (rows.some(({ trials }) => trials.some(({ verdict }) => verdict === 'error'))) return 2
  const clients = defences.flatMap((defence) => defence.clients)
  const above = failOn === 'never' ? () => false : failOn === 'partly' ? leaks : leaked
  if (clients.some(({ verdict }) => above(verdict))) return 1
  return missing > 0 || rows.length === 0 || clients.some(({ conclusive }) => !conclusive) ? 3 : 0
}
