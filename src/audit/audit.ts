import { heardBy } from '../attacks/contract/listener'
import { hasMethod, invalid, knownNames, requireListener, requireSignal, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { runChain } from './chain'
import { requireRecord } from './checks'
import { type AuditOptions, type AuditSettings, auditSettings } from './options'
import { type Plan, planOf } from './plan'
import type { TrialRecord } from './record'

/** What is told while an audit runs. */
export interface AuditProgress {
  /** Trials that are done, of how many. */
  readonly done: number
  readonly of: number
  /** The trial at work, or the one that was just done. */
  readonly attack: string
  readonly defence: string
  readonly client: number
  /** Part of that trial, from 0 to 1, where it is known. */
  readonly part?: number
  readonly words: string
}

/** What the caller controls while an audit runs. */
export interface AuditControl {
  /** Ends the audit; the trial at work is dropped. */
  readonly signal?: AbortSignal
  /** Told of the whole and of the trial at work. */
  readonly onProgress?: (progress: AuditProgress) => void
  /** Trials that are done already, by key: they are taken as they are. */
  readonly done?: ReadonlyMap<string, TrialRecord>
  /** Told of every record, as soon as it is there. */
  readonly onRecord?: (record: TrialRecord) => void | Promise<void>
}

/** What an audit measured. Nothing is judged yet: `judge` does that, as often as thresholds change. */
export interface AuditRun {
  readonly plan: Plan
  /** One for each trial that was done, in the order of the plan. */
  readonly records: readonly TrialRecord[]
  /** Whether the signal ended the audit before its last trial. */
  readonly interrupted: boolean
}

/**
 * Attacks what clients share, under every defence, by every attack, and says what each found: a grid of trials, each of which depends on
 * its own inputs alone.
 *
 * The cheapest attack on a client under a defence comes first, and data that are proven to be the client's spare the others. The
 * undefended gradient is attacked first, as the control. Where there are defences, the control spares no attack: each shows what it finds
 * without them.
 *
 * @param control progress, abort (within 200 ms, with the records of all trials that were done), and trials that are done already
 * @throws DlgError `invalid-option`, `invalid-data`, `invalid-model`, `invalid-gradients` before any attack; `aborted` where the signal
 * was aborted before the first one
 */
export async function audit(options: AuditOptions, control: AuditControl = {}): Promise<AuditRun> {
  requireControl(control)
  const settings = auditSettings(options)
  if (control.signal?.aborted) throw new DlgError('aborted', 'the signal was aborted before the audit began')
  const plan = await planOf(settings, control.signal)
  requireDone(plan, control.done)
  return heardBy(control.onProgress, (onProgress) => runPlan(settings, plan, { ...control, onProgress }))
}

/** @throws DlgError `invalid-option` */
function requireControl(control: AuditControl): void {
  knownNames('control', control, ['signal', 'onProgress', 'done', 'onRecord'])
  const { signal, onProgress, done, onRecord } = control
  requireSignal('signal', signal)
  requireListener('onProgress', onProgress)
  requireListener('onRecord', onRecord)
  if (done !== undefined && !hasMethod(done, 'get', 'has'))
    throw invalid(`done is ${show(done)}; it must be a Map of records by their keys`)
}

/** @throws DlgError `invalid-data` for what is no record of the trial that it stands for */
function requireDone({ chains }: Plan, done: AuditControl['done']): void {
  for (const { key } of chains.flatMap(({ trials }) => trials)) {
    const record = done?.get(key)
    if (record === undefined) continue
    requireRecord(record)
    if (record.key !== key)
      throw new DlgError('invalid-data', `done has the record of trial '${record.key}' under '${key}'`)
  }
}

/** Runs the chains of a plan one after the other. */
async function runPlan(settings: AuditSettings, plan: Plan, control: AuditControl): Promise<AuditRun> {
  const of = plan.chains.reduce((sum, { trials }) => sum + trials.length, 0)
  const records: TrialRecord[] = []
  for (const chain of plan.chains) {
    const found = await runChain(settings, chain, control, (told) =>
      control.onProgress?.({ done: records.length + told.ended, of, ...told.progress }),
    )
    records.push(...found.records)
    if (found.interrupted) return { plan, records, interrupted: true }
  }
  return { plan, records, interrupted: false }
}
