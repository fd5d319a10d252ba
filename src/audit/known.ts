import { invalid, knownNames, show } from '../errors/checks'
import { type AcceptedFinding, accepts, type IdleReason, idleness, isAccepted, isDay } from './accepted'
import { requireWholeJudgement } from './checks'
import { clientOf, controlsOf, type JudgedClient, type Judgement } from './judge'
import { type JudgedTrial, leaked, leaks, samplesShown, VERDICTS, worst } from './verdict'

/** A leak that does not count, and why: an older run had it, or a team accepts it. */
export interface KnownLeak {
  readonly trial: JudgedTrial
  readonly reason: string
}

/**
 * A judgement without what is known already: leaks that an older run had in the same place, as bad or worse, and those that are
 * accepted. What is new or worse stays: other attacks' leaks beside an accepted one, and more samples, tokens or labels than the older run
 * shows. What is inconclusive or broke down is no finding, and stays. Rows and records are as they were: only `defences`, which decide
 * the exit code, have less.
 *
 * @param known an older judgement by the same thresholds, accepted findings, and today such as 2026-12-31: an acceptance that has
 * expired does not count
 * @returns `known` has every trial that leaks and does not count, `left` those that count, and `idle` the accepted findings, by their
 * position from 0, that have no effect: they expired, or match nothing
 * @throws DlgError `invalid-option`, `invalid-data`
 */
export function withoutKnown(
  judgement: Judgement,
  known: { readonly baseline?: Judgement; readonly accepted?: readonly AcceptedFinding[]; readonly today: string },
): {
  readonly judgement: Judgement
  readonly known: readonly KnownLeak[]
  readonly left: readonly JudgedTrial[]
  readonly idle: readonly { readonly entry: number; readonly why: IdleReason }[]
} {
  requireWholeJudgement(judgement)
  knownNames('known', known, ['baseline', 'accepted', 'today'])
  const { baseline, accepted = [], today } = known
  if (baseline !== undefined) requireBaseline(judgement, baseline)
  if (!Array.isArray(accepted)) throw invalid(`accepted is ${show(accepted)}; it must be a list of findings`)
  for (const [i, one] of accepted.entries()) {
    if (!isAccepted(one))
      throw invalid(`accepted[${i}] is ${show(one)}; it must have the texts defence, attack, reason and until`)
    if (!isDay(one.until))
      throw invalid(`accepted[${i}] ends ${show(one.until)}; until must be a day such as 2027-01-31`)
  }
  if (!isDay(today)) throw invalid(`today is ${show(today)}; it must be a day such as 2026-12-31`)
  const controlOf = controlsOf([...judgement.control, ...judgement.rows].flatMap(({ trials }) => trials))
  const tells = (trial: JudgedTrial) => leaked(controlOf(trial))
  const findings = accepted as readonly AcceptedFinding[]
  const found: KnownLeak[] = []
  const counted: JudgedTrial[] = []
  const defences = judgement.defences.map((defence) => {
    const { description } = defence
    const clients = defence.clients.flatMap((client): JudgedClient[] => {
      const own = trialsOf(judgement, description, client)
      const before = baseline && isIn(baseline, judgement, description, client)
      const reasonOf = (trial: JudgedTrial): string | undefined => {
        if (!leaks(trial.verdict)) return undefined
        if (before) return 'the older run had it too'
        return findings.find((one) => accepts(one, trial) && today <= one.until)?.reason
      }
      const reasons = new Map(own.map((trial) => [trial, reasonOf(trial)]))
      const gone = own.filter((trial) => reasons.get(trial) !== undefined)
      const rest = own.filter((trial) => !gone.includes(trial))
      counted.push(...rest.filter(({ verdict }) => leaks(verdict)))
      if (gone.length === 0) return [client]
      found.push(...gone.map((trial) => ({ trial, reason: reasons.get(trial)! })))
      const left: JudgedClient = rest.length > 0 ? clientOf(rest, tells) : { ...client, verdict: 'inconclusive' }
      // accepting a finding leaves no more open than was open before
      const ended = client.conclusive && !leaks(left.verdict) && left.verdict !== 'error'
      return ended ? [] : [{ ...left, conclusive: client.conclusive }]
    })
    return { ...defence, clients, verdict: worst(clients.map(({ verdict }) => verdict)) }
  })
  const idle = findings.flatMap((one, entry) => {
    const why = idleness(one, judgement.rows, today)
    return why === undefined ? [] : [{ entry, why }]
  })
  return {
    judgement: { ...judgement, defences: defences.filter(({ clients }) => clients.length > 0) },
    ...{ known: found, left: counted, idle },
  }
}

/** @throws DlgError `invalid-data` for a judgement by other thresholds: what they call a leak cannot be compared */
function requireBaseline({ thresholds }: Judgement, baseline: Judgement): void {
  requireWholeJudgement(baseline)
  for (const [name, value] of Object.entries(thresholds)) {
    const other = baseline.thresholds[name as keyof typeof thresholds]
    if (other !== value)
      throw invalid(`the baseline was judged with ${name} ${show(other)}; it must be ${value}, as the judgement has it`)
  }
}

const namesOf = ({ samples }: Pick<JudgedClient, 'samples'>): string => JSON.stringify(samples)

const trialsOf = ({ rows }: Judgement, description: string, client: Pick<JudgedClient, 'samples'>): JudgedTrial[] =>
  rows.flatMap(({ trials }) =>
    trials.filter((trial) => trial.description === description && namesOf(trial) === namesOf(client)),
  )

/** Whether all that leaked of a client leaked in the older run too: as bad a verdict, of as many samples, tokens and labels. */
function isIn(baseline: Judgement, now: Judgement, description: string, client: JudgedClient): boolean {
  const before = baseline.defences
    .find((defence) => defence.description === description)
    ?.clients.find((one) => namesOf(one) === namesOf(client))
  if (!before || VERDICTS.indexOf(before.verdict) > VERDICTS.indexOf(client.verdict)) return false
  if (before.verdict === 'leaked-proven') return true
  const most = extentOf(baseline, description, client)
  return extentOf(now, description, client).every((count, i) => count <= most[i])
}

/** The most that one trial shows of a client: samples recognised, closer than every guess, whole records, cells, sequences, tokens, labels. */
function extentOf(judgement: Judgement, description: string, client: JudgedClient): number[] {
  const { thresholds } = judgement
  const counts = trialsOf(judgement, description, client)
    .filter(({ verdict }) => leaks(verdict))
    .map((trial) => {
      const { recognised, closer, exactRows } = samplesShown(trial, thresholds)
      const { tokens, labels, cells = [] } = trial
      const right = cells.reduce((sum, one) => sum + one.right, 0)
      return [recognised, closer, exactRows, right, tokens?.exact ?? 0, tokens?.right ?? 0, labels?.right ?? 0]
    })
  return [0, 1, 2, 3, 4, 5, 6].map((i) => Math.max(0, ...counts.map((count) => count[i])))
}
