import type { TrialRecord } from '../../audit'
import { runChain, trialRunner } from '../../audit/chain'
import { planOf } from '../../audit/plan'
import { DlgError } from '../../errors/dlg-error'
import { leaveOtherCores, useBackend } from '../runtime'
import { readAuditFile, settingsOf } from './config'
import type { FromTrials, ToTrials, TrialsTask } from './pool'

// A process of `dlg audit`: it reads the audit file for itself, and runs the chains that it is told.

const tell = (message: FromTrials): void => {
  process.send?.(message)
}

// Ctrl-C goes to every process of a terminal: the first one decides
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())

/** Between two words of one trial. */
const QUIET_MS = 100

try {
  const { config, overrides, backend } = JSON.parse(process.argv[2]) as TrialsTask
  leaveOtherCores()
  await useBackend(backend)
  const settings = settingsOf(config, { ...(await readAuditFile(config)).options, ...overrides })
  const plan = await planOf(settings)
  let told = 0
  let last = Promise.resolve()
  const runTrialOf = trialRunner(settings, plan)
  const run = async (message: ToTrials): Promise<void> => {
    if ('trial' in message) {
      tell({ record: await runTrialOf(message.trial) })
      return
    }
    const { chain, done } = message
    const control = { done, onRecord: (record: TrialRecord) => tell({ record }) }
    await runChain(settings, plan.chains[chain], control, ({ progress }) => {
      if (performance.now() - told < QUIET_MS && progress.part !== 1) return
      told = performance.now()
      tell({ progress })
    })
    tell({ ended: chain })
  }
  process.on('message', (message: ToTrials) => {
    last = last.then(() => run(message)).catch(failed)
  })
  tell({ ready: plan.key })
} catch (error) {
  failed(error)
}

function failed(error: unknown): void {
  const code = error instanceof DlgError ? error.code : undefined
  const { message, stack } = error as Error
  tell({ failed: { code, message: code === undefined ? String(stack ?? error) : message } })
}
