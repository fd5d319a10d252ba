import { invalid, knownNames, show } from '../errors/checks'
import { requireJudgement } from './checks'
import { type JudgedClient, type JudgedDefence, type Judgement, VERDICTS } from './judge'

/** A finding that a team accepts until a day. `*` stands for any defence or attack. */
export interface AcceptedFinding {
  /** The defence in words, as the judgement has it. */
  readonly defence: string
  readonly attack: string
  readonly reason: string
  /** The last day on which it is accepted, such as 2027-01-31. */
  readonly until: string
}

/**
 * A judgement without what is known already: findings that an older run had in the same place, as bad or worse, and those that are
 * accepted. What is new or worse stays. Rows and records are as they were: only `defences`, which decide the exit code, have less.
 *
 * @param known an older judgement, accepted findings, and today such as 2026-12-31: an acceptance that has expired does not count
 * @throws DlgError `invalid-option`, `invalid-data`
 */
export function withoutKnown(
  judgement: Judgement,
  known: { readonly baseline?: Judgement; readonly accepted?: readonly AcceptedFinding[]; readonly today: string },
): {
  readonly judgement: Judgement
  readonly known: readonly { readonly client: JudgedClient; readonly defence: string; readonly reason: string }[]
} {
  requireJudgement(judgement)
  knownNames('known', known, ['baseline', 'accepted', 'today'])
  const { baseline, accepted = [], today } = known
  if (baseline !== undefined) requireJudgement(baseline)
  if (!Array.isArray(accepted)) throw invalid(`accepted is ${show(accepted)}; it must be a list of findings`)
  if (typeof today !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(today))
    throw invalid(`today is ${show(today)}; it must be a day such as 2026-12-31`)
  const found: { client: JudgedClient; defence: string; reason: string }[] = []
  const reasonOf = ({ description }: JudgedDefence, client: JudgedClient): string | undefined => {
    const before = baseline?.defences
      .find((defence) => defence.description === description)
      ?.clients.find(({ samples }) => samples.join('\n') === client.samples.join('\n'))
    if (before && VERDICTS.indexOf(before.verdict) <= VERDICTS.indexOf(client.verdict))
      return 'the older run had it too'
    const is = (name: string, pattern: string) => pattern === '*' || pattern === name
    return (accepted as readonly AcceptedFinding[]).find(
      ({ defence, attack, until }) => is(description, defence) && is(client.by.attack, attack) && today <= until,
    )?.reason
  }
  const defences = judgement.defences.map((defence) => {
    const clients = defence.clients.filter((client) => {
      const reason = reasonOf(defence, client)
      if (reason !== undefined) found.push({ client, defence: defence.description, reason })
      return reason === undefined
    })
    return { ...defence, clients }
  })
  return { judgement: { ...judgement, defences: defences.filter(({ clients }) => clients.length > 0) }, known: found }
}
