import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AuditProgress, TrialRecord } from '../../audit'
import { DlgError, type DlgErrorCode } from '../../errors/dlg-error'

/** What the processes of an audit are told, and what they tell. */
export type ToTrials =
  | { readonly chain: number; readonly done: ReadonlyMap<string, TrialRecord> }
  | { readonly trial: string }
export type FromTrials =
  /** The key of its plan. */
  | { readonly ready: string }
  | { readonly record: TrialRecord }
  | { readonly progress: Omit<AuditProgress, 'done' | 'of'> }
  | { readonly ended: number }
  | { readonly failed: { readonly code: DlgErrorCode | undefined; readonly message: string } }

/** What each process is started with. */
export interface TrialsTask {
  readonly config: string
  readonly overrides: { readonly evaluations?: number; readonly seed?: number }
  readonly backend: 'cpu' | 'wasm'
}

/** Chains of trials to run, and who is told of what. */
export interface Jobs {
  /** The key of the plan. */
  readonly plan: string
  readonly chains: readonly number[]
  readonly done: ReadonlyMap<string, TrialRecord>
  readonly signal: AbortSignal
  onRecord(record: TrialRecord): void
  onProgress(progress: Omit<AuditProgress, 'done' | 'of'>): void
}

/** The file of a process: in the build beside this one, in the source TypeScript. */
const trialsFile = (): string => fileURLToPath(new URL(import.meta.url.replace(/[^/]*(\.\w+)$/, 'trials$1')))

/** Whether processes can be started from where this code lies. */
export const hasProcesses = (): boolean => existsSync(trialsFile())

/** Starts a process that runs what it is told. */
export function startTrials(task: TrialsTask): ChildProcess {
  const file = trialsFile()
  return fork(file, [JSON.stringify(task)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: file.endsWith('.ts') ? ['--import', 'tsx'] : [],
  })
}

const otherAudit = (config: string): DlgError =>
  new DlgError(
    'invalid-option',
    `${config}: is another audit each time it is read; it must give the same model, data and options, so fix its seeds, or give --concurrency 1`,
  )

/**
 * Runs chains side by side, each process one at a time: a chain that takes long keeps no other from a free core.
 *
 * @throws DlgError what a process met first; the others are stopped
 */
export async function runSideBySide(task: TrialsTask, jobs: Jobs, count: number): Promise<void> {
  const queue = [...jobs.chains]
  const children = new Set<ChildProcess>()
  // a process that something else ends, such as a machine without memory, has not done its work
  const ended = new WeakSet<ChildProcess>()
  const end = (child: ChildProcess) => {
    ended.add(child)
    child.kill('SIGKILL')
  }
  const stop = () => {
    for (const child of children) end(child)
  }
  jobs.signal.addEventListener('abort', stop)
  try {
    await Promise.all(Array.from({ length: Math.min(count, queue.length) }, () => work()))
  } finally {
    jobs.signal.removeEventListener('abort', stop)
    stop()
  }

  function work(): Promise<void> {
    const child = startTrials(task)
    children.add(child)
    return new Promise((resolve, reject) => {
      const next = () => {
        const chain = queue.shift()
        if (chain === undefined || jobs.signal.aborted) end(child)
        else child.send({ chain, done: jobs.done } satisfies ToTrials)
      }
      const fail = (error: Error) => {
        queue.length = 0
        reject(error)
      }
      child.on('message', (message: FromTrials) => {
        try {
          if ('ready' in message && message.ready !== jobs.plan) fail(otherAudit(task.config))
          else if ('ready' in message || 'ended' in message) next()
          else if ('record' in message) jobs.onRecord(message.record)
          else if ('progress' in message) jobs.onProgress(message.progress)
          else {
            const { code, message: words } = message.failed
            fail(code === undefined ? new Error(words) : new DlgError(code, words))
          }
        } catch (error) {
          // the journal cannot be written
          fail(error as Error)
        }
      })
      child.on('error', fail)
      child.on('exit', (code, signal) => {
        children.delete(child)
        if (ended.has(child)) resolve()
        else fail(new DlgError('runtime', `a process of the audit ended with ${signal ?? code}: out of memory?`))
      })
    })
  }
}
