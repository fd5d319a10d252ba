import type { JudgedTrial, Judgement, RunAbout } from '../../audit'

/** Version of the report; docs/audit-report.schema.json describes it. */
export const REPORT_VERSION = 1

/** An audit as JSON, by the schema `audit-report.schema.json` of the package. Its numbers of samples are not in it. */
export function auditJson(
  { verdict, summary, thresholds, defences, rows, control }: Judgement,
  about: RunAbout,
): string {
  const trial = ({ type: _, found: __, description: ___, ...own }: JudgedTrial) => own
  const row = ({ trials, ...own }: Judgement['rows'][number]) => ({ ...own, trials: trials.map(trial) })
  const report = {
    version: REPORT_VERSION,
    ...{ verdict, summary, thresholds, about },
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
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
