import type { Judgement, RunAbout } from '../../audit'
import { requireAbout, requireWholeJudgement } from '../../audit/checks'
import { assumptionWords, attackOf, closest, LETTERS, recognisedWords, WORDS, work } from './words'

/** An audit for a pull request: the sentence, a table of defences, and what decided each. @throws DlgError `invalid-data` */
export function auditMarkdown(judgement: Judgement, about: RunAbout): string {
  requireWholeJudgement(judgement)
  requireAbout(about)
  const { verdict, summary, defences, thresholds } = judgement
  const rows = defences.map(({ description, verdict: word, clients, utility }) => {
    const [worst] = clients
      .filter((client) => client.verdict === word)
      .sort((a, b) => best(b.by.measured) - best(a.by.measured))
    const hit = clients.filter((client) => client.verdict === word).length
    return [
      ...[description, WORDS[word], `${hit} of ${clients.length}`, attackOf(worst.by)],
      ...[worst.by.shown.join('; '), closest(worst.by), work(worst.by), assumptionWords(worst.by)],
      utility ? utility.cosine.toFixed(3) : '',
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
    `${recognisedWords([...judgement.rows, ...judgement.control], thresholds)} Seed ${about.seed}, at most ${about.evaluations} evaluations a trial, batches of ${about.batchSize}. "Not recovered" is never "safe". ${LETTERS}`,
    ...(about.command ? ['', `Again: \`${about.command}\``] : []),
    '',
  ].join('\n')
}

const best = (measured: readonly { readonly psnr: number }[] = []): number =>
  Math.max(0, ...measured.map(({ psnr }) => psnr))

const line = (cells: readonly string[]): string =>
  `| ${cells
    .map((cell) =>
      cell
        .replaceAll('\\', '\\\\')
        .replaceAll('|', '\\|')
        .replace(/\s*[\r\n]\s*/g, ' '),
    )
    .join(' | ')} |`
