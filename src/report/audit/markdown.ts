import type { Judgement, KnownLeak, RunAbout } from '../../audit'
import { requireAbout, requireKnown, requireWholeJudgement } from '../../audit/checks'
import { countOf } from '../../errors/counted'
import { knownLines } from './known'
import { assumptionWords, attackOf, closest, cosineWords, LETTERS, recognisedWords, WORDS, work } from './words'

/**
 * An audit for a pull request: the sentence, a table of defences, and what decided each.
 *
 * @param known leaks that do not count, which are listed with their reasons
 * @throws DlgError `invalid-data`
 */
export function auditMarkdown(judgement: Judgement, about: RunAbout, known: readonly KnownLeak[] = []): string {
  requireWholeJudgement(judgement)
  requireAbout(about)
  requireKnown(known)
  const { verdict, summary, defences, thresholds } = judgement
  const rows = defences.map(({ description, verdict: word, clients, utility }) => {
    const [worst] = clients
      .filter((client) => client.verdict === word)
      .sort((a, b) => best(b.by.measured) - best(a.by.measured))
    const hit = clients.filter((client) => client.verdict === word).length
    return [
      ...[description, WORDS[word], `${hit} of ${clients.length}`, attackOf(worst.by)],
      ...[worst.by.shown.join('; '), closest(worst.by), work(worst.by), assumptionWords(worst.by)],
      utility ? cosineWords(utility.cosine) : '',
    ]
  })
  const head = [
    'defence',
    'verdict',
    'clients',
    'worst attack',
    'shown',
    'closest',
    'work',
    'assumes',
    'cosine to the raw gradient',
  ]
  return [
    `## Gradient leakage: ${WORDS[verdict]}`,
    '',
    summary,
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
    ...(known.length > 0 ? ['Not counted:', '', ...knownLines(judgement, known).map(item), ''] : []),
    `${recognisedWords([...judgement.rows, ...judgement.control], thresholds)} Seed ${about.seed}, at most ${countOf(about.evaluations, 'evaluation')} a trial, batches of ${about.batchSize}. "Not recovered" is never "safe". ${LETTERS}`,
    ...(about.command ? ['', `Again: ${code(about.command)}`] : []),
    '',
  ].join('\n')
}

const best = (measured: readonly { readonly psnr: number }[] = []): number =>
  Math.max(0, ...measured.map(({ psnr }) => psnr))

const onOneLine = (words: string): string => words.replace(/\s*[\r\n]\s*/g, ' ')

/** Text in one line that shows as it is: Markdown and HTML find nothing in it. */
const plain = (words: string): string =>
  onOneLine(words)
    .replace(/[\\`*_[\]|~#!]/g, '\\$&')
    .replace(/[<>&]/g, (letter) => `&#${letter.charCodeAt(0)};`)

const line = (cells: readonly string[]): string => `| ${cells.map(plain).join(' | ')} |`

const item = (words: string): string => `- ${plain(words)}`

/** Text as code in one line, between more backticks than it has in a row. */
function code(words: string): string {
  const shown = onOneLine(words)
  const most = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(most + 1)
  const space = most > 0 ? ' ' : ''
  return `${fence}${space}${shown}${space}${fence}`
}
