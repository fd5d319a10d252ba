import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  exitCodeOf,
  type FailOn,
  type Journal,
  type JudgedDefence,
  type Judgement,
  judge,
  parseJournal,
  runOf,
  type Thresholds,
  withoutKnown,
} from '../../audit'
import { undoPreprocessing } from '../../client/preprocessing'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Image, readTensors } from '../../io'
import { type AuditPictures, auditHtml, auditJson, auditJunit, auditMarkdown, auditSarif } from '../../report'
import { knownLines } from '../../report/audit/known'
import { attackOf, WORDS } from '../../report/audit/words'
import { checkFolder, writeFiles } from '../../report/files'
import { hearInterruption } from '../interrupted'
import { paint, type Terminal, visible } from '../terminal'
import { readJudging } from './config'
import { idleWords, whatCounts } from './counted'
import { JOURNAL, journalText, parsedJournal } from './open-journal'

/** The files that `dlg report` writes, by the name of the format. */
export const FORMATS = {
  html: 'report.html',
  json: 'report.json',
  markdown: 'report.md',
  junit: 'junit.xml',
  sarif: 'report.sarif',
} as const

export type Format = keyof typeof FORMATS

/** How a run is judged and shown. */
export interface ReportOptions {
  /** Folders of runs: one, or the shards of one audit. */
  readonly runs: readonly string[]
  readonly formats: readonly Format[]
  readonly out: string
  readonly config?: string
  readonly baseline?: string
  readonly failOn?: FailOn
  readonly thresholds: Partial<Thresholds>
  readonly redact: boolean
}

/** Judges runs and writes reports. @returns the exit code: 0 nothing above the threshold, 1 a leak, 2 an error, 3 inconclusive */
export async function reportRuns(options: ReportOptions, terminal: Terminal): Promise<number> {
  const { runs, formats, out, config, redact } = options
  checkFolder(
    out,
    formats.map((format) => FORMATS[format]),
  )
  const journal = await journalOf(runs, terminal)
  const said = config === undefined ? undefined : await readJudging(config)
  const thresholds = { ...said?.thresholds, ...options.thresholds }
  const failOn = options.failOn ?? said?.failOn ?? 'leaked'
  const judgement = judge(runOf(journal), thresholds)
  await hearInterruption(terminal)
  const baseline =
    options.baseline === undefined ? undefined : judge(runOf(await journalOf([options.baseline], terminal)), thresholds)
  const today = new Date().toISOString().slice(0, 10)
  const accepted = said?.accept ?? []
  const settled = withoutKnown(judgement, { ...(baseline && { baseline }), accepted, today })
  const { known } = settled
  const { about } = journal.header
  const pictures = redact ? undefined : await picturesOf(runs, journal, terminal)
  const write: Readonly<Record<Format, () => string>> = {
    html: () => auditHtml(judgement, about, pictures, known),
    json: () => auditJson(judgement, about, known),
    markdown: () => auditMarkdown(judgement, about, known),
    junit: () => auditJunit(judgement, failOn, known),
    sarif: () => auditSarif(judgement, about, config ?? JOURNAL, known),
  }
  const files: Record<string, string> = {}
  for (const format of formats) {
    files[FORMATS[format]] = write[format]()
    await hearInterruption(terminal)
  }
  writeFiles(out, files)
  terminal.stdout.write(linesOf(judgement, terminal))
  const notCounted = knownLines(judgement, known).map((line) => `not counted: ${line}`)
  for (const line of [...notCounted, ...whatCounts(judgement, settled, failOn)])
    terminal.stdout.write(visible(`  ${line}\n`))
  terminal.stdout.write(visible(`${formats.map((format) => join(out, FORMATS[format])).join(' ')}\n`))
  const { missing } = judgement
  if (missing > 0)
    terminal.stderr.write(
      `dlg: ${missing} of ${countOf(journal.header.trials, 'trial')} ${missing === 1 ? 'is' : 'are'} missing: the run is not whole\n`,
    )
  for (const { entry, why } of settled.idle)
    terminal.stderr.write(visible(`dlg: accept entry ${entry + 1} ${idleWords(accepted[entry], why, judgement)}\n`))
  return exitCodeOf(settled.judgement, failOn)
}

/** Lines for a terminal: the sentence, and a line for each defence. */
function linesOf({ summary, defences }: Judgement, terminal: Terminal): string {
  const line = ({ description, verdict, clients }: JudgedDefence) => {
    const hit = clients.filter((client) => client.verdict === verdict)
    const color = verdict.startsWith('leaked') ? 'red' : 'dim'
    const { by } = hit[0]
    return `  ${paint(terminal, 'stdout', color, WORDS[verdict])}: ${visible(description)}: ${hit.length} of ${countOf(clients.length, 'client')}, by ${visible(attackOf(by))}`
  }
  return `${visible(summary)}\n${defences.map(line).join('\n')}\n`
}

/** @throws DlgError `invalid-file` for folders without a run, and runs of different audits */
async function journalOf(folders: readonly string[], terminal: Terminal): Promise<Journal> {
  const texts: string[] = []
  for (const folder of folders) {
    await hearInterruption(terminal)
    const path = join(folder, JOURNAL)
    if (!existsSync(path))
      throw new DlgError('invalid-file', `${path}: is not there; give a folder that dlg audit wrote`)
    const text = journalText(path)
    parsedJournal(path, text)
    // a line that a kill cut off
    texts.push(text.slice(0, text.lastIndexOf('\n') + 1))
  }
  await hearInterruption(terminal)
  return parseJournal(texts.join(''))
}

/** Pictures of the originals and of what was found, where samples are [height, width, 1 or 3] and the run has them. */
async function picturesOf(
  folders: readonly string[],
  { header, records }: Journal,
  terminal: Terminal,
): Promise<AuditPictures | undefined> {
  const { range: [low, high] = [0, 1], preprocessing } = header.about
  const seen = (values: Float32Array): Float32Array =>
    preprocessing ? undoPreprocessing(values, preprocessing) : values
  const [from, to] = preprocessing ? (preprocessing.range ?? [0, 1]) : [low, high]
  const images = (data: Float32Array, [count, height, width, channels]: readonly number[]): Image[] => {
    const shown = seen(data)
    return Array.from({ length: count }, (_, i) => ({
      ...{ width, height },
      data: Float32Array.from({ length: height * width * 3 }, (__, k) => {
        const at = channels === 3 ? k : Math.floor(k / 3)
        return Math.min(1, Math.max(0, (shown[i * height * width * channels + at] - from) / (to - from)))
      }),
    }))
  }
  const isPicture = (shape: readonly number[]) => shape.length === 4 && (shape[3] === 1 || shape[3] === 3)
  const folder = folders.find((name) => existsSync(join(name, 'originals.npz')))
  if (folder === undefined) return undefined
  const x = readTensors(join(folder, 'originals.npz')).get('x')
  if (!x || !isPicture(x.shape)) return undefined
  const all = images(x.data, x.shape)
  const clients = new Map(records.map(({ client, samples }) => [client, samples]))
  const names = [...clients]
    .sort(([a], [b]) => a - b)
    .flatMap(([client, samples]) => samples.map((name, i) => [name, all[client * header.about.batchSize + i]] as const))
  const found = new Map<string, readonly Image[]>()
  for (const { key, found: own } of records) {
    await hearInterruption(terminal)
    const path = own?.file === undefined ? undefined : folders.map((name) => join(name, own.file!)).find(existsSync)
    if (path === undefined || !isPicture(own!.shape)) continue
    const data = readTensors(path).get('data')
    if (data) found.set(key, images(data.data, data.shape))
  }
  return { originals: new Map(names), found }
}
