import { FAIL_ON, type FailOn, type JudgedRow, type Judgement } from '../../audit'
import { requireWholeJudgement } from '../../audit/checks'
import { choice } from '../../errors/checks'
import { assumptionWords, MEANINGS, text, WORDS } from './words'

/**
 * An audit as JUnit's XML, which every CI shows: a suite for each defence, a case for each attack. What does not apply or was not tried is
 * skipped, and what is inconclusive or broke down is an error. Where all attacks together leave it open whether data leak, or trials are
 * missing, that is a case of its own.
 *
 * @throws DlgError `invalid-data`, `invalid-option`
 */
export function auditJunit(judgement: Judgement, failOn: FailOn = 'leaked'): string {
  requireWholeJudgement(judgement)
  choice('failOn', failOn, FAIL_ON)
  const { rows, summary, defences, missing } = judgement
  const suites = new Map<string, JudgedRow[]>()
  for (const row of rows) suites.set(row.description, [...(suites.get(row.description) ?? []), row])
  const all: string[] = []
  const bodies = [...suites].map(([description, own]) => {
    const open = defences
      .filter((defence) => defence.description === description)
      .flatMap(({ clients }) => clients.filter(({ conclusive }) => !conclusive))
    const cases = [
      ...own.map((row) => caseOf(row, failOn)),
      ...(open.length > 0 || missing > 0 ? [openCase(open.length, missing)] : []),
    ]
    all.push(...cases.map(({ kind }) => kind))
    const count = (kind: string) => cases.filter(({ kind: k }) => k === kind).length
    const seconds = own.flatMap(({ trials }) => trials).reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0)
    return [
      `  <testsuite name="${text(`defence: ${description}`)}" tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="${seconds.toFixed(3)}">`,
      ...cases.map(({ xml }) => xml),
      '  </testsuite>',
    ].join('\n')
  })
  const total = (kind: string) => all.filter((k) => k === kind).length
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${text(summary)}" tests="${all.length}" failures="${total('failure')}" errors="${total('error')}">`,
    ...bodies,
    '</testsuites>',
    '',
  ].join('\n')
}

/** What all attacks together leave open under one defence. */
function openCase(clients: number, missing: number): { kind: string; xml: string } {
  const words = [
    ...(clients > 0 ? [`whether the data of ${clients} client${clients === 1 ? '' : 's'} leak is not known`] : []),
    ...(missing > 0 ? [`trials are missing from the run: ${missing}`] : []),
  ].join('; ')
  const error = `<error message="${text(words)}" type="inconclusive"/>`
  return {
    kind: 'error',
    xml: `    <testcase classname="all" name="all attacks together" time="0.000">${error}</testcase>`,
  }
}

function caseOf(
  { attack, attacker, verdict, trials, counts }: JudgedRow,
  failOn: FailOn,
): { kind: string; xml: string } {
  const seconds = trials.reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0)
  const [worst] = trials.filter((trial) => trial.verdict === verdict)
  const words = `${WORDS[verdict]}: ${[...worst.shown, worst.reason].join('; ')}`
  const tally = Object.entries(counts)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ')
  const kind = kindOf(verdict, failOn)
  const open = `    <testcase classname="${text(attacker)}" name="${text(attack)}" time="${seconds.toFixed(3)}"`
  const assumed = assumptionWords(worst)
  const rest = assumed === '' ? '' : `<system-out>${text(`assumes: ${assumed}`)}</system-out>`
  if (kind === 'passed') return { kind, xml: rest === '' ? `${open}/>` : `${open}>${rest}</testcase>` }
  const message = `message="${text(words)}"`
  const inner =
    kind === 'skipped'
      ? `<skipped>${text(words)}</skipped>`
      : `<${kind} ${message} type="${verdict}">${text(`${MEANINGS[verdict]} ${tally}`)}</${kind}>`
  return { kind, xml: `${open}>${inner}${rest}</testcase>` }
}

function kindOf(verdict: JudgedRow['verdict'], failOn: FailOn): 'failure' | 'error' | 'skipped' | 'passed' {
  if (verdict === 'error' || verdict === 'inconclusive') return 'error'
  if (verdict === 'not-applicable' || verdict === 'not-tried') return 'skipped'
  if (verdict === 'leaked-proven' || verdict === 'leaked-recognised') return failOn === 'never' ? 'passed' : 'failure'
  return verdict === 'partly' && failOn === 'partly' ? 'failure' : 'passed'
}
