import { randomUUID } from 'node:crypto'
import { setTimeout as rest } from 'node:timers/promises'
import type { Job, Queue } from 'bullmq'
import type { Plan, TrialId, TrialRecord } from '../../../audit'
import { nextOf } from '../../../audit/chain'
import type { AuditSettings } from '../../../audit/options'
import { emptyRecord } from '../../../audit/trial'
import { DlgError } from '../../../errors/dlg-error'
import { version } from '../../version'
import type { OpenJournal } from '../open-journal'
import { type Announcement, announce, LEASE_S, PREFIX, withdraw } from './announced'
import { returnLapsed } from './lapsed'
import { isInterruption, type Link, loadBullmq } from './link'
import { recordOf } from './returned'

/** An audit whose trials workers run. */
interface Coordinated {
  readonly settings: AuditSettings
  readonly plan: Plan
  readonly journal: OpenJournal
  readonly about: Pick<Announcement, 'config' | 'overrides' | 'redact'>
  readonly signal: AbortSignal
  /** Told when the audit waits for workers. */
  onWaiting(): void
  onRecord(record: TrialRecord, worker: string | undefined): void
}

/** Milliseconds between two looks at the queue. */
const LOOK_MS = 200

/** Finished jobs that are taken at once. */
const AT_ONCE = 50

/**
 * Puts the trials of a plan into a queue, and appends each record that a worker returns to the journal, once. A job is removed after its
 * record is in the journal: whatever ends this process, the next one finds the rest.
 *
 * @throws DlgError `runtime` where the queue is gone, or another process coordinates the same audit
 */
export async function coordinate(link: Link, work: Coordinated): Promise<void> {
  try {
    await coordinated(link, work)
  } catch (error) {
    if (!isInterruption(error)) throw error
  }
}

async function coordinated(link: Link, work: Coordinated): Promise<void> {
  const { plan, about, signal } = work
  const own: Announcement = { plan: plan.key, ...about, version: version(), owner: randomUUID() }
  const { Queue } = await loadBullmq()
  await link.ask(() => becomeOwner(link, own, signal))
  if (signal.aborted) return
  const queue = new Queue(plan.key, { connection: link.redis, prefix: PREFIX })
  // what goes wrong is told by the commands
  queue.on('error', () => {})
  const lapsed = await returnLapsed(link.redis, plan.key)
  try {
    await link.ask(() => rounds(link, queue, own, work))
    await lapsed.close()
    // workers go on with what is queued after an interruption, and the same command takes it
    if (!signal.aborted) await link.ask(() => queue.obliterate({ force: true }))
    await link.ask(() => withdraw(link.redis, own))
  } finally {
    await link.ask(() => Promise.all([lapsed.close(), queue.close()])).catch(() => {})
  }
}

/** Waits for the announcement of a coordinator that was killed to lapse. @throws DlgError `runtime` for one that is alive */
async function becomeOwner({ redis, name }: Link, own: Announcement, signal: AbortSignal): Promise<void> {
  const until = Date.now() + 1000 * (LEASE_S + 2)
  while (!signal.aborted && (await announce(redis, own)) === 'taken') {
    if (Date.now() > until)
      throw new DlgError('runtime', `the queue ${name} has this audit already: another dlg audit waits for its trials`)
    await rest(LOOK_MS)
  }
}

async function rounds({ redis, name }: Link, queue: Queue, own: Announcement, work: Coordinated): Promise<void> {
  const { settings, plan, journal, signal, onWaiting, onRecord } = work
  const trials = new Map(plan.chains.flatMap((chain) => chain.trials).map((id) => [id.key, id]))
  const queued = new Set<string>()
  const append = (record: TrialRecord, worker?: string) => {
    journal.append(record)
    onRecord(record, worker)
  }
  const addNext = async (): Promise<void> => {
    const next = plan.chains.map((chain) => nextOf(settings, chain, journal.done))
    for (const record of next.flatMap(({ spared }) => spared)) append(record)
    const fresh = next.flatMap(({ run }) => run).filter(({ key }) => !queued.has(key))
    // a job whose id is in the queue already is not added again
    await queue.addBulk(fresh.map(({ key }) => ({ name: 'trial', data: {}, opts: { jobId: key } })))
    for (const { key } of fresh) queued.add(key)
  }
  const take = async (job: Job): Promise<void> => {
    const id = trials.get(job.id ?? '')
    if (id && !journal.done.has(id.key)) {
      const { record, worker } = resultOf(job, id)
      append(record, worker)
    }
    await job.remove()
  }
  let said = Date.now()
  await addNext()
  onWaiting()
  while (!signal.aborted && journal.done.size < trials.size) {
    if (Date.now() - said > (1000 * LEASE_S) / 4) {
      said = Date.now()
      const state = await announce(redis, own)
      if (state === 'taken')
        throw new DlgError('runtime', `the queue ${name} has this audit already: another dlg audit took it over`)
      // a Redis that forgot the audit has forgotten its jobs
      if (state === 'lost') {
        queued.clear()
        await addNext()
      }
    }
    const ended = (await queue.getJobs(['completed', 'failed'], 0, AT_ONCE - 1)).filter((job) => job !== undefined)
    for (const job of ended) await take(job)
    if (ended.length > 0) await addNext()
    else await rest(LOOK_MS)
  }
}

/** What a job says of its trial: its record, or that it broke down. */
function resultOf(job: Job, id: TrialId): { readonly record: TrialRecord; readonly worker?: string } {
  const broken = (why: string) => ({ record: emptyRecord(id, 'error', why) })
  if (job.returnvalue === null || job.returnvalue === undefined)
    return broken(`its worker broke down: ${job.failedReason ?? 'it gave no reason'}`)
  return recordOf(job.returnvalue, id) ?? broken('its worker returned what is no record of this trial')
}
