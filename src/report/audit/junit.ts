import { FAIL_ON, type FailOn, type JudgedRow, type Judgement, type KnownLeak } from '../../audit'
import { requireKnown, requireWholeJudgement } from '../../audit/checks'
import { worst } from '../../audit/verdict'
import { choice } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { reasonsOf } from './known'
import { assumptionWords, MEANINGS, text, WORDS } from './words'

/**
 * An audit as JUnit's XML, which every CI shows: a suite for each defence, a case for each attack. What does not apply or was not tried is
 * skipped, and so is what leaks and does not count; what is inconclusive or broke down is an error. Where all attacks together leave it open
 * whether data leak, trials are missing, or no attack was run, that is a case of its own.
 *
 * @param known leaks that do not count, with their reasons
 * @throws DlgError `invalid-data`, `invalid-option`
 */
export function auditJunit(judgement: Judgement, failOn: FailOn = 'leaked', known: readonly KnownLeak[] = []): string {
  requireWholeJudgement(judgement)
  requireKnown(known)
  choice('failOn', failOn, FAIL_ON)
  const { rows, summary, defences, missing } = judgement
  const reasons = reasonsOf(known)
  const suites = new Map<string, JudgedRow[]>()
  for (const row of rows) suites.set(row.description, [...(suites.get(row.description) ?? []), row])
  const all: string[] = []
  const bodies = [...suites].map(([description, own]) => {
    const open = defences
      .filter((defence) => defence.description === description)
      .flatMap(({ clients }) => clients.filter(({ conclusive }) => !conclusive))
    const cases = [
      ...own.map((row) => caseOf(row, failOn, reasons)),
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
  // an empty report would be taken for one that passed
  if (bodies.length === 0) {
    const { kind, xml } = openCase(0, missing)
    all.push(kind)
    bodies.push(
      [
        '  <testsuite name="audit" tests="1" failures="0" errors="1" skipped="0" time="0.000">',
        xml,
        '  </testsuite>',
      ].join('\n'),
    )
  }
  const total = (kind: string) => all.filter((k) => k === kind).length
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${text(summary)}" tests="${all.length}" failures="${total('failure')}" errors="${total('error')}">`,
    ...bodies,
    '</testsuites>',
    '',
  ].join('\n')
}

/** What all attacks together leave open under one defence, or in an audit without a record. */
function openCase(clients: number, missing: number): { kind: string; xml: string } {
  const words = [
    ...(clients > 0 ? [`whether the data of ${countOf(clients, 'client')} leak is not known`] : []),
    ...(missing > 0 ? [`trials are missing from the run: ${missing}`] : []),
  ].join('; ')
  const error = `<error message="${text(words || 'no attack was run')}" type="inconclusive"/>`
  return {
    kind: 'error',
    xml: `    <testcase classname="all" name="all attacks together" time="0.000">${error}</testcase>`,
  }
}

function caseOf(
  { attack, attacker, verdict: worstVerdict, trials, counts }: JudgedRow,
  failOn: FailOn,
  reasons: ReadonlyMap<string, string>,
): { kind: string; xml: string } {
  // what does not count steps back behind what fails or broke down beside it
  const counted = trials.filter(({ key }) => !reasons.has(key))
  const left = counted.length > 0 ? worst(counted.map((trial) => trial.verdict)) : undefined
  const isLeftOpen = left !== undefined && ['failure', 'error'].includes(kindOf(left, failOn))
  const isKnown = kindOf(worstVerdict, failOn) === 'failure' && !isLeftOpen && counted.length < trials.length
  const verdict = isLeftOpen ? left : worstVerdict
  const shown = [...counted, ...trials].find((trial) => trial.verdict === verdict)!
  const said = `${WORDS[verdict]}: ${[...shown.shown, shown.reason].join('; ')}`
  const words = isKnown ? `not counted: ${reasons.get(shown.key)}; ${said}` : said
  const seconds = trials.reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0)
  const tally = Object.entries(counts)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ')
  const kind = isKnown ? 'skipped' : kindOf(verdict, failOn)
  const open = `    <testcase classname="${text(attacker)}" name="${text(attack)}" time="${seconds.toFixed(3)}"`
  const assumed = assumptionWords(shown)
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
