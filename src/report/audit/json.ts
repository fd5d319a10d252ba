import type { JudgedTrial, Judgement, KnownLeak, RunAbout } from '../../audit'
import { requireAbout, requireKnown, requireWholeJudgement } from '../../audit/checks'

/** Version of the report; `dlg-ts/audit-report.schema.json` describes it. */
export const REPORT_VERSION = 1

/**
 * An audit as JSON, by the schema `audit-report.schema.json` of the package. The data themselves are not in it.
 *
 * @param known leaks that do not count, which are listed with their reasons
 * @throws DlgError `invalid-data`
 */
export function auditJson(judgement: Judgement, about: RunAbout, known: readonly KnownLeak[] = []): string {
  requireWholeJudgement(judgement)
  requireAbout(about)
  requireKnown(known)
  const { verdict, summary, thresholds, defences, rows, control, missing } = judgement
  const trial = ({ type: _, found: __, description: ___, ...own }: JudgedTrial) => own
  const row = ({ trials, ...own }: Judgement['rows'][number]) => ({ ...own, trials: trials.map(trial) })
  const report = {
    version: REPORT_VERSION,
    ...{ verdict, summary, missing, thresholds, about },
    defences: defences.map(({ clients, ...own }) => ({
      ...own,
      clients: clients.map(({ by, ...client }) => ({
        ...client,
        attack: by.attack,
        attacker: by.attacker,
        shown: by.shown,
      })),
    })),
    rows: rows.map(row),
    control: control.map(row),
    known: known.map(({ trial: { key }, reason }) => ({ key, reason })),
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
