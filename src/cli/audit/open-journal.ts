import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs'
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
  const before = existsSync(path) ? readJournal(path) : undefined
  if (before && before.header.key !== plan.key)
    throw new DlgError('invalid-file', `${path}: is the run of another audit, or of other options; give another --out`)
  mkdirSync(out, { recursive: true })
  const write = (line: string) => {
    try {
      appendFileSync(path, line)
    } catch (cause) {
      throw new DlgError('invalid-file', `${path}: cannot be written: ${(cause as Error).message}`, { cause })
    }
  }
  if (!before) {
    write(journalLine(runHeader(plan, aboutOf(settings, config))))
    if (!redact && settings.data) saveOriginals(out, settings.data.x)
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

/** Reads a journal, and takes a last line away that a kill cut off. */
function readJournal(path: string): Journal {
  const text = readFileSync(path, 'utf8')
  const journal = parseJournal(text)
  if (journal.cutOff) truncateSync(path, Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1)))
  return journal
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
