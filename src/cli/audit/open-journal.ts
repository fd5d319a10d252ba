import { appendFileSync, existsSync, mkdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import {
  type Journal,
  journalLine,
  type Plan,
  parseJournal,
  type RunAbout,
  runHeader,
  type TrialRecord,
} from '../../audit'
import type { AuditSettings } from '../../audit/options'
import { DlgError } from '../../errors/dlg-error'
import { writeFileAtomic, writeNpz } from '../../io'
import { readBytes } from '../../io/files/read-bytes'
import { version } from '../version'

/** The journal of a run, in its folder. */
export const JOURNAL = 'run.jsonl'

/** A journal that is appended to. */
export interface OpenJournal {
  readonly done: Map<string, TrialRecord>
  /** @throws DlgError `invalid-option` for a record of another audit, `invalid-file` where it cannot be written */
  append(record: TrialRecord): void
}

/**
 * Opens the journal of a run, or goes on with one. Trials that broke down are not done: they are tried again.
 *
 * @throws DlgError `invalid-file` where the folder holds the run of another audit
 */
export function openJournal(
  { out, redact, config }: { readonly out: string; readonly redact: boolean; readonly config: string },
  settings: AuditSettings,
  plan: Plan,
): OpenJournal {
  const path = join(out, JOURNAL)
  const before = existsSync(path) ? goOn(path, plan) : undefined
  mkdirSync(out, { recursive: true })
  const write = (line: string) => {
    try {
      appendFileSync(path, line)
    } catch (cause) {
      throw new DlgError('invalid-file', `${path}: cannot be written: ${(cause as Error).message}`, { cause })
    }
  }
  if (!before) {
    // a kill in between leaves a run without its first line, which begins anew
    if (!redact && settings.data) saveOriginals(out, settings.data.x)
    write(journalLine(runHeader(plan, aboutOf(settings, config))))
  }
  const keys = new Set(plan.chains.flatMap(({ trials }) => trials.map(({ key }) => key)))
  const ended = before?.records.filter(({ status }) => status !== 'error')
  const done = new Map(ended?.map((record) => [record.key, record]))
  return {
    done,
    append(record) {
      if (!keys.has(record.key))
        throw new DlgError('invalid-option', `${config}: has no trial '${record.key}'; that record is of another audit`)
      const kept = redact ? { ...record, found: undefined } : saveFound(out, record)
      write(journalLine(kept))
      done.set(record.key, kept)
    },
  }
}

/**
 * Reads a journal, and takes a last line away that a kill cut off; undefined where that was the first.
 *
 * @throws DlgError `invalid-file` where it is the run of another audit, which stays as it was
 */
function goOn(path: string, plan: Plan): Journal | undefined {
  const text = journalText(path)
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  // another file of that name is nothing to take lines from
  const isCutHeader = whole === '' && (text.startsWith(HEADER) || HEADER.startsWith(text))
  const journal = isCutHeader ? undefined : parsedJournal(path, text)
  if (journal && journal.header.key !== plan.key)
    throw new DlgError('invalid-file', `${path}: is the run of another audit, or of other options; give another --out`)
  if (whole !== text) truncateSync(path, Buffer.byteLength(whole))
  return journal
}

/** How every journal begins. */
const HEADER = '{"type":"run"'

/** The text of a journal. @throws DlgError `invalid-file` for a folder, and what cannot be read */
export const journalText = (path: string): string => Buffer.from(readBytes(path)).toString()

/** Reads a journal. @throws DlgError `invalid-file` with its path */
export function parsedJournal(path: string, text: string): Journal {
  try {
    return parseJournal(text)
  } catch (error) {
    if (error instanceof DlgError) throw new DlgError(error.code, `${path}: ${error.message}`, { cause: error })
    throw error
  }
}

const aboutOf = ({ seed, evaluations, training, dataRange }: AuditSettings, config: string): RunAbout => ({
  versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
  ...{ seed, evaluations, batchSize: training.batchSize ?? 1, range: dataRange },
  ...(training.preprocessing && { preprocessing: training.preprocessing }),
  command: `npx dlg-ts audit ${config}`,
})

function saveOriginals(out: string, x: tf.Tensor): void {
  const tensors = new Map([['x', { shape: x.shape, data: Float32Array.from(x.dataSync()) }]])
  writeFileAtomic(join(out, 'originals.npz'), writeNpz(tensors))
}

/** Puts what a trial found into a file of its own, before its line is in the journal. */
function saveFound(out: string, record: TrialRecord): TrialRecord {
  const { found } = record
  if (!found?.data) return record
  const file = `found/${record.key}.npz`
  writeFileAtomic(join(out, file), writeNpz(new Map([['data', { shape: found.shape, data: found.data }]])))
  return { ...record, found: { shape: found.shape, file } }
}
