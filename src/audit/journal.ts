import type { PreprocessingOptions } from '../client/preprocessing'
import { invalid, requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { AuditRun } from './audit'
import { isAbout, isHeader, isRecord, requireAbout, requirePlan, requireRecord } from './checks'
import type { Plan } from './plan'
import type { TrialRecord } from './record'

/** Version of the lines of a run's journal. */
const VERSION = 1

/** What a run is of: the first line of its journal. */
export interface RunHeader {
  readonly type: 'run'
  readonly version: number
  /** The plan's key: only the same plan goes on with a run. */
  readonly key: string
  readonly undefended: boolean
  readonly withData: boolean
  /** Trials of the whole plan. */
  readonly trials: number
  readonly about: RunAbout
}

/** How a run was made, for its readers. */
export interface RunAbout {
  /** Names and versions of the programs. */
  readonly versions: Readonly<Record<string, string>>
  readonly seed: number
  /** Most evaluations of each trial. */
  readonly evaluations: number
  /** Samples of each client. */
  readonly batchSize: number
  /** Lowest and highest value of the data, and how the client turned pictures into them: what pictures of them need. */
  readonly range?: readonly [number, number]
  readonly preprocessing?: PreprocessingOptions
  /** How to make it again, such as a command line. */
  readonly command?: string
}

/** The header of a run. @throws DlgError `invalid-data` */
export function runHeader(plan: Plan, about: RunAbout): RunHeader {
  requirePlan(plan)
  requireAbout(about)
  const { key, undefended, withData, chains } = plan
  const trials = chains.reduce((sum, chain) => sum + chain.trials.length, 0)
  return { type: 'run', version: VERSION, key, undefended, withData, trials, about }
}

/** One line of a journal, with its line feed. The numbers that were found are left out: `found.file` names where they are. @throws DlgError `invalid-data` */
export function journalLine(entry: RunHeader | TrialRecord): string {
  if (isHeader(entry)) return `${JSON.stringify(entry)}\n`
  requireRecord(entry)
  if (entry.found === undefined) return `${JSON.stringify(entry)}\n`
  const { data: _, ...found } = entry.found
  return `${JSON.stringify({ ...entry, found })}\n`
}

/** A journal, read. */
export interface Journal {
  readonly header: RunHeader
  /** In the order in which they were first written, each key once: the first that did not break down, else the last. */
  readonly records: readonly TrialRecord[]
  /** Whether the last line was cut off, as by a kill: that trial is run again. */
  readonly cutOff: boolean
}

/**
 * Reads a run's journal: one JSON object a line, appended and never changed.
 *
 * @param text the whole journal, or several of one plan one after the other, as shards write them
 * @throws DlgError `invalid-file` for what is no journal, and for journals of two plans
 */
export function parseJournal(text: string): Journal {
  if (typeof text !== 'string') throw invalid(`the journal is ${show(text)}; it must be a text`)
  const lines = text.split('\n')
  // what comes after the last line feed was cut off
  const rest = lines.pop()!
  const entries = lines.filter((line) => line !== '').map((line, i) => entryOf(line, i + 1))
  const [header] = entries
  if (!header) throw wrong(rest === '' ? 'it is empty' : 'its first line was cut off, and no trial is in it')
  if (header.type !== 'run') throw wrong('its first line is not the header of a run')
  const headers = entries.filter((entry): entry is RunHeader => entry.type === 'run')
  if (headers.some(({ key }) => key !== header.key)) throw wrong('it holds runs of two audits')
  const records = new Map<string, TrialRecord>()
  for (const entry of entries)
    if (entry.type === 'trial' && (records.get(entry.key)?.status ?? 'error') === 'error') records.set(entry.key, entry)
  return { header, records: [...records.values()], cutOff: rest !== '' }
}

const wrong = (what: string): DlgError =>
  new DlgError('invalid-file', `the journal of the run is not right: ${what}; it must be what dlg audit wrote`)

function entryOf(line: string, at: number): RunHeader | TrialRecord {
  let entry: unknown
  try {
    entry = JSON.parse(line)
  } catch {
    throw wrong(`line ${at} is no JSON`)
  }
  if (isHeader(entry)) {
    if (entry.version !== VERSION)
      throw wrong(`it is of version ${show(entry.version)}, and this is version ${VERSION}`)
    if (!isAbout(entry.about)) throw wrong(`line ${at} does not say how the run was made`)
    return entry
  }
  if (isRecord(entry)) return entry
  throw wrong(`line ${at} is neither a run nor a trial`)
}

/** A journal as `judge` takes it. @throws DlgError `invalid-data` */
export function runOf(journal: Pick<Journal, 'header' | 'records'>): Pick<AuditRun, 'records'> & {
  readonly plan: Pick<Plan, 'undefended' | 'withData'> & { readonly trials: number }
} {
  requireObject('the journal', journal, 'what parseJournal gave')
  const { header, records } = journal
  if (!isHeader(header))
    throw new DlgError('invalid-data', `the journal's header is ${show(header)}; it must be that of a run`)
  const { undefended, withData, trials } = header
  return { plan: { undefended, withData, trials }, records }
}
