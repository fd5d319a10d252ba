import { setTimeout as rest } from 'node:timers/promises'
import type { TrialRecord } from '../../../audit'
import { trialRunner } from '../../../audit/chain'
import type { AuditSettings } from '../../../audit/options'
import { type Plan, planOf } from '../../../audit/plan'
import { countOf } from '../../../errors/counted'
import { DlgError } from '../../../errors/dlg-error'
import { attackOf } from '../../../report/audit/words'
import { EXIT } from '../../command'
import { leaveOtherCores, useBackend } from '../../runtime'
import { paint, type Terminal, visible } from '../../terminal'
import { version } from '../../version'
import { readAuditFile, settingsOf } from '../config'
import { hasProcesses } from '../pool'
import { type Announcement, announced, isOver, PREFIX } from './announced'
import { LOCK_MS } from './lapsed'
import { isInterruption, type Link, loadBullmq, openLink } from './link'
import { type TrialProcesses, trialProcesses } from './processes'
import { returned } from './returned'

/** How `dlg worker` works. */
export interface WorkerOptions {
  readonly config: string
  readonly queue: string
  readonly patience: number
  readonly name: string
  readonly concurrency: number
  readonly backend: 'cpu' | 'wasm'
}

/** Milliseconds between two looks at what the queue waits for. */
const LOOK_MS = 500

/** Runs trials of the audit that waits in a queue, until it is done. @returns the exit code */
export async function work(options: WorkerOptions, terminal: Terminal): Promise<number> {
  await useBackend(options.backend)
  const link = await openLink(options.queue, options.patience, terminal.signal)
  try {
    const { options: asked, dispose } = await readAuditFile(options.config)
    try {
      const found = await link.ask(() =>
        findAudit(
          link,
          options.config,
          (overrides) => settingsOf(options.config, { ...asked, ...overrides }),
          terminal,
        ),
      )
      return found ? await serve(link, options, found, terminal) : EXIT.interrupted
    } finally {
      dispose()
    }
  } catch (error) {
    if (isInterruption(error)) return EXIT.interrupted
    throw error
  } finally {
    link.close()
  }
}

interface FoundAudit {
  readonly settings: AuditSettings
  readonly plan: Plan
  readonly audit: Announcement
}

/**
 * Waits for the audit of a file.
 *
 * @returns undefined where the signal came first
 * @throws DlgError `invalid-option` where the queue waits for other audits alone
 */
async function findAudit(
  { redis, name }: Link,
  config: string,
  settingsOf: (overrides: Announcement['overrides']) => AuditSettings,
  { stderr, signal }: Terminal,
): Promise<FoundAudit | undefined> {
  for (let told = false; !signal.aborted; await rest(LOOK_MS)) {
    const waiting = await announced(redis)
    for (const audit of waiting) {
      const settings = settingsOf(audit.overrides)
      const plan = await planOf(settings, signal)
      if (plan.key !== audit.plan) continue
      if (audit.version === version()) return { settings, plan, audit }
      throw new DlgError(
        'invalid-option',
        `the audit at ${name} is of dlg-ts ${audit.version}, and this worker of ${version()}; both must be of one version`,
      )
    }
    if (waiting.length > 0)
      throw new DlgError(
        'invalid-option',
        `${config} is not the audit that waits at ${name} (${waiting.map((audit) => audit.config).join(', ')}): its model, data or options are others`,
      )
    if (!told) stderr.write(visible(`dlg: waiting for the audit of ${config} at ${name}\n`))
    told = true
  }
  return undefined
}

async function serve(
  link: Link,
  { config, name, concurrency, backend }: WorkerOptions,
  { settings, plan, audit }: FoundAudit,
  terminal: Terminal,
): Promise<number> {
  const { stdout, stderr, signal } = terminal
  const { Worker, WaitingError, Queue } = await loadBullmq()
  const { overrides, redact } = audit
  const useAllCores = leaveOtherCores()
  const processes: TrialProcesses = hasProcesses()
    ? trialProcesses({ config, overrides, backend })
    : { run: trialRunner(settings, plan), stop() {} }
  let [atWork, done] = [0, 0]
  const connection = { connection: link.redis, prefix: PREFIX }
  const worker = new Worker(
    plan.key,
    async (job, token) => {
      atWork++
      try {
        const record = await processes.run(job.id!)
        stderr.write(lineOf(record, terminal))
        done++
        return returned(name, record, redact)
      } catch (error) {
        if (!signal.aborted) throw error
        // another worker takes it at once
        await job.moveToWait(token)
        throw new WaitingError()
      } finally {
        atWork--
      }
    },
    // the coordinator looks for trials whose worker is gone: what looked after its end would leave keys behind
    { ...connection, name, concurrency, lockDuration: LOCK_MS, skipStalledCheck: true },
  )
  worker.on('error', () => {})
  const queue = new Queue(plan.key, { ...connection, skipMetasUpdate: true })
  queue.on('error', () => {})
  const stop = () => processes.stop()
  signal.addEventListener('abort', stop)
  stderr.write(visible(`dlg: worker ${name} is at work on the audit of ${audit.config} at ${link.name}\n`))
  try {
    const over = isOver(link.redis, plan.key)
    const isDone = () => link.ask(async () => (await over()) && atWork === 0 && (await queue.getWaitingCount()) === 0)
    while (!signal.aborted && !(await isDone())) await rest(LOOK_MS, undefined, { signal }).catch(() => {})
    await link.ask(() => worker.close())
  } catch (error) {
    if (!isInterruption(error)) throw error
  } finally {
    useAllCores()
    signal.removeEventListener('abort', stop)
    processes.stop()
    await link.ask(() => Promise.all([worker.close(true), queue.close()])).catch(() => {})
  }
  stdout.write(visible(`${countOf(done, 'trial')} by ${name}\n`))
  return signal.aborted ? EXIT.interrupted : EXIT.converged
}

function lineOf(record: TrialRecord, terminal: Terminal): string {
  const { status, reason, client, description } = record
  const word = paint(terminal, 'stderr', status === 'error' ? 'red' : 'dim', status)
  return `client ${client} · ${visible(description)} · ${visible(attackOf(record))}: ${word}: ${visible(reason)}\n`
}
