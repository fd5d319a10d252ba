import type { ChildProcess } from 'node:child_process'
import type { TrialRecord } from '../../../audit'
import { DlgError } from '../../../errors/dlg-error'
import { type FromTrials, startTrials, type TrialsTask } from '../pool'

/** Processes that run single trials, so that the one with the connection always answers. */
export interface TrialProcesses {
  /** @throws Error where the trial broke its process, or `stop` ended it */
  run(trial: string): Promise<TrialRecord>
  stop(): void
}

/** As many processes as trials are asked for at once; each is kept for the next trial. */
export function trialProcesses(task: TrialsTask): TrialProcesses {
  const free: ChildProcess[] = []
  const all = new Set<ChildProcess>()
  let stopped = false
  return {
    run(trial) {
      if (stopped) return Promise.reject(new DlgError('aborted', 'the worker stops'))
      const child = free.pop() ?? startTrials(task)
      all.add(child)
      return new Promise((resolve, reject) => {
        const end = (settle: () => void, reusable: boolean) => {
          child.removeAllListeners()
          if (reusable) free.push(child)
          else all.delete(child)
          settle()
        }
        child.on('message', (message: FromTrials) => {
          if ('record' in message) end(() => resolve(message.record), true)
          else if ('failed' in message) {
            child.kill('SIGKILL')
            end(() => reject(new Error(message.failed.message)), false)
          }
        })
        child.on('error', (error) => end(() => reject(error), false))
        child.on('exit', (code, signal) => {
          const words = stopped ? 'the worker stops' : `its process ended with ${signal ?? code}: out of memory?`
          end(() => reject(new Error(words)), false)
        })
        // what is sent waits until the process listens
        child.send({ trial })
      })
    },
    stop() {
      stopped = true
      for (const child of all) child.kill('SIGKILL')
    },
  }
}
