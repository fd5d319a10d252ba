import type { Judgement, KnownLeak, RunAbout } from '../../audit'
import { requireAbout, requireKnown, requireWholeJudgement } from '../../audit/checks'
import { invalid, show } from '../../errors/checks'
import { knownReasons, reasonsOf } from './known'
import { WORDS } from './words'

/**
 * The findings that need no search, as SARIF 2.1.0: what is read in closed form from what is shared. Their rules and fingerprints are
 * stable, so that a code host follows them from commit to commit.
 *
 * @param location the file that the findings belong to, such as the audit's configuration, relative to the repository
 * @param known leaks that do not count: what has no other is suppressed, with the reasons
 * @throws DlgError `invalid-data`, `invalid-option`
 */
export function auditSarif(
  judgement: Judgement,
  about: RunAbout,
  location: string,
  known: readonly KnownLeak[] = [],
): string {
  requireWholeJudgement(judgement)
  requireAbout(about)
  requireKnown(known)
  if (typeof location !== 'string' || location === '')
    throw invalid(`location is ${show(location)}; it must be the path of a file`)
  const { rows } = judgement
  const reasons = reasonsOf(known)
  const found = rows.filter(
    ({ verdict, trials }) =>
      (verdict === 'leaked-proven' || verdict === 'leaked-recognised' || verdict === 'partly') &&
      trials.every(({ evaluations }) => evaluations === 0),
  )
  const rules = [...new Set(found.map(({ attack }) => attack))].sort()
  return `${JSON.stringify(
    {
      $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'dlg-ts',
              ...(about.versions['dlg-ts'] !== undefined && { version: about.versions['dlg-ts'] }),
              rules: rules.map((attack) => ({
                id: `leak/${attack}`,
                shortDescription: { text: `${attack} reads what is shared in closed form` },
              })),
            },
          },
          results: found.map(({ attack, attacker, description, verdict, trials }) => {
            const worst = trials.find((trial) => trial.verdict === verdict)!
            const why = knownReasons(trials, reasons)
            return {
              ruleId: `leak/${attack}`,
              ruleIndex: rules.indexOf(attack),
              level: verdict === 'partly' ? 'warning' : 'error',
              message: {
                text: `${WORDS[verdict]}, defence: ${description}: ${[...worst.shown, worst.reason].join('; ')}`,
              },
              locations: [
                { physicalLocation: { artifactLocation: { uri: uriOf(location) }, region: { startLine: 1 } } },
              ],
              partialFingerprints: { 'dlgTrial/v1': `${attack}/${attacker}/${description}` },
              ...(why && { suppressions: [{ kind: 'external', status: 'accepted', justification: why }] }),
            }
          }),
        },
      ],
    },
    null,
    2,
  )}\n`
}

/** A path as a relative URI. */
const uriOf = (path: string): string => path.split('/').map(encodeURIComponent).join('/')
