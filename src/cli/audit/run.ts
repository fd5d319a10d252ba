import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { AuditOptions, Chain, Plan, TrialRecord } from '../../audit'
import { runChain } from '../../audit/chain'
import type { AuditSettings } from '../../audit/options'
import { planOf } from '../../audit/plan'
import { trainingOf } from '../../client/training-options'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { attackOf } from '../../report/audit/words'
import { checkFolder } from '../../report/files'
import { EXIT } from '../command'
import { hearInterruption } from '../interrupted'
import { leaveOtherCores, useBackend } from '../runtime'
import { paint, type Terminal, visible } from '../terminal'
import { readAuditFile, settingsOf } from './config'
import { JOURNAL, type OpenJournal, openJournal } from './open-journal'
import { hasProcesses, runSideBySide } from './pool'
import { coordinate } from './queue/coordinate'
import { type Link, openLink } from './queue/link'

/** How `dlg audit` runs a file. */
export interface AuditRunOptions {
  readonly config: string
  readonly out: string
  readonly concurrency: number
  /** This part of the chains alone, from 1, of how many. */
  readonly shard?: { readonly part: number; readonly of: number }
  /** Workers at this Redis run the trials; one that is gone is waited for as long, in seconds. */
  readonly queue?: { readonly url: string; readonly patience: number }
  readonly dryRun: boolean
  /** Whether what was found, and the originals, are left out of the run. */
  readonly redact: boolean
  readonly overrides: { readonly evaluations?: number; readonly seed?: number }
  readonly backend: 'cpu' | 'wasm'
}

/**
 * Runs an audit file, and goes on with a run that was cut off. Every trial is a line of the journal as soon as it is done.
 *
 * @returns the exit code: 0 where the run is whole
 */
export async function runAuditFile(options: AuditRunOptions, terminal: Terminal): Promise<number> {
  checkFolder(options.out, [JOURNAL])
  await useBackend(options.backend)
  await hearInterruption(terminal)
  const { options: asked, dispose } = await readAuditFile(options.config)
  try {
    await hearInterruption(terminal)
    const settings = settingsOf(options.config, { ...asked, ...options.overrides })
    const plan = await planOf(settings, terminal.signal)
    await hearInterruption(terminal)
    const chains = plan.chains.map((_, i) => i).filter((i) => inShard(i, options.shard))
    if (options.dryRun) return await describe(asked, settings, plan, chains, terminal)
    const link = options.queue && (await openLink(options.queue.url, options.queue.patience, terminal.signal))
    try {
      const journal = openJournal(options, settings, plan)
      if (link) await runByWorkers(link, options, settings, plan, journal, terminal)
      else await runChains(options, settings, plan, chains, journal, terminal)
      return finish(options, plan, chains, journal, terminal)
    } finally {
      link?.close()
    }
  } finally {
    dispose()
  }
}

const inShard = (chain: number, shard: AuditRunOptions['shard']): boolean =>
  shard === undefined || chain % shard.of === shard.part - 1

async function runChains(
  options: AuditRunOptions,
  settings: AuditSettings,
  plan: Plan,
  chains: readonly number[],
  { done, append }: OpenJournal,
  terminal: Terminal,
): Promise<void> {
  const left = chains.filter((i) => plan.chains[i].trials.some(({ key }) => !done.has(key)))
  const of = chains.reduce((sum, i) => sum + plan.chains[i].trials.length, 0)
  const shown = progressLine(terminal)
  const count = () =>
    chains.reduce((sum, i) => sum + plan.chains[i].trials.filter(({ key }) => done.has(key)).length, 0)
  const onRecord = (record: TrialRecord) => {
    append(record)
    shown.record(record, count(), of)
  }
  const onProgress = ({
    attack,
    defence,
    client,
    words,
  }: {
    attack: string
    defence: string
    client: number
    words: string
  }) => shown.show(`${count()}/${of} · client ${client} · ${defence} · ${attack}: ${words}`)
  const { signal } = terminal
  const several = Math.min(options.concurrency, left.length)
  // by itself as beside others: records are the same for every concurrency
  const useAllCores = leaveOtherCores()
  try {
    if (several > 1 && hasProcesses()) {
      const { config, overrides, backend } = options
      const jobs = { plan: plan.key, chains: left, done, signal, onRecord, onProgress }
      await runSideBySide({ config, overrides, backend }, jobs, several)
    } else
      for (const i of left) {
        const { interrupted } = await runChain(settings, plan.chains[i], { signal, done, onRecord }, ({ progress }) =>
          onProgress(progress),
        )
        if (interrupted) break
      }
  } finally {
    useAllCores()
    shown.end()
  }
}

/** Lets workers run every trial, and writes what they return. */
async function runByWorkers(
  link: Link,
  { config, overrides, redact, out }: AuditRunOptions,
  settings: AuditSettings,
  plan: Plan,
  journal: OpenJournal,
  terminal: Terminal,
): Promise<void> {
  const of = plan.chains.reduce((sum, { trials }) => sum + trials.length, 0)
  if (journal.done.size === of) return
  const shown = progressLine(terminal)
  try {
    await coordinate(link, {
      ...{ settings, plan, journal, signal: terminal.signal, about: { config, overrides, redact } },
      onWaiting: () =>
        terminal.stderr.write(
          visible(`dlg: the trials wait at ${link.name}; start workers: dlg worker ${config} --queue URL\n`),
        ),
      onRecord: (record, worker) => shown.record(record, journal.done.size, of, worker),
    })
  } catch (error) {
    if (!(error instanceof DlgError)) throw error
    const { size } = journal.done
    const kept = `${size} of ${countOf(of, 'trial is', 'trials are')} in ${join(out, JOURNAL)}; the same command goes on`
    throw new DlgError(error.code, `${error.message}; ${kept}`, { cause: error })
  }
}

function finish(
  { out, shard }: AuditRunOptions,
  plan: Plan,
  chains: readonly number[],
  { done }: OpenJournal,
  { stdout, stderr, signal }: Terminal,
): number {
  const trials = chains.flatMap((i) => plan.chains[i].trials)
  const ended = trials.filter(({ key }) => done.has(key)).length
  if (signal.aborted) {
    stderr.write(
      `dlg: interrupted: ${ended} of ${countOf(trials.length, 'trial is', 'trials are')} in ${visible(join(out, JOURNAL))}; the same command goes on\n`,
    )
    return EXIT.interrupted
  }
  const part = shard ? ` of part ${shard.part} of ${shard.of}` : ''
  if (ended < trials.length) {
    const missing = `${trials.length - ended} of ${countOf(trials.length, 'trial')}${part} ${trials.length === 1 ? 'is' : 'are'} missing`
    stderr.write(`dlg: ${missing} in ${visible(join(out, JOURNAL))}; the same command goes on\n`)
    return EXIT.failed
  }
  stdout.write(
    visible(`${countOf(ended, 'trial')}${part} in ${join(out, JOURNAL)}\nwhat they say: dlg report ${out}\n`),
  )
  return EXIT.converged
}

/** One line that is rewritten in a terminal; elsewhere a line for each trial that was run. */
function progressLine(terminal: Terminal) {
  const { stderr } = terminal
  return {
    show(words: string): void {
      if (stderr.isTTY) stderr.write(`\r\x1b[K${visible(words).slice(0, (stderr.columns ?? 80) - 1)}`)
    },
    record(
      { status, reason, attack, description, attacker, defence, client }: TrialRecord,
      done: number,
      of: number,
      worker?: string,
    ): void {
      if (status === 'refused' || status === 'not-tried') return
      if (stderr.isTTY) stderr.write('\r\x1b[K')
      const word = paint(terminal, 'stderr', status === 'error' ? 'red' : 'dim', status)
      stderr.write(
        `${done}/${of} · client ${client} · ${visible(description)} · ${attackOf({ attack, attacker, defence })}: ${word}: ${visible(reason)}${worker === undefined ? '' : ` · ${visible(worker)}`}\n`,
      )
    },
    end(): void {
      if (stderr.isTTY) stderr.write('\r\x1b[K')
    },
  }
}

/** What a run would try, how many evaluations at most, and how long those take. */
async function describe(
  options: AuditOptions,
  settings: AuditSettings,
  plan: Plan,
  chains: readonly number[],
  terminal: Terminal,
): Promise<number> {
  const { evaluations, attacks, training, data, updates } = settings
  const rows = [...new Set(chains.map((i) => rowName(plan.chains[i])))]
  const searches = attacks.filter(({ attack: { name } }) => name === 'gradient-matching' || name === 'tableak').length
  const most = chains.length * searches * evaluations
  const trials = chains.reduce((sum, i) => sum + plan.chains[i].trials.length, 0)
  const { batchSize = 1 } = training
  const milliseconds = data && (await evaluationOf(options, batchSize, terminal))
  await hearInterruption(terminal)
  const lines = [
    data
      ? `${countOf(data.names.length / batchSize, 'client')} with ${countOf(batchSize, 'sample')} each`
      : countOf(Object.keys(updates!).length, 'update'),
    `${countOf(attacks.length, 'attack')}: ${attacks.map(({ attack: { name } }) => name).join(', ')}`,
    `${countOf(rows.length, 'row')}:`,
    ...rows.map((row) => `  ${row}`),
    `${countOf(trials, 'trial')}, at most ${countOf(most, 'evaluation')}${milliseconds === undefined ? '' : durationOf(most, milliseconds)}`,
  ]
  terminal.stdout.write(`${visible(lines.join('\n'))}\n`)
  return EXIT.converged
}

const rowName = ({ defence, attacker }: Chain): string =>
  defence ? `${defence.description}, ${attacker}` : 'no defence'

/** Milliseconds of one evaluation of the first client's objective; undefined where it cannot be searched. */
async function evaluationOf(
  { model, data, training = {} }: AuditOptions,
  batchSize: number,
  { signal }: Terminal,
): Promise<number | undefined> {
  const { checkModel } = await import('../../check')
  const { x, labels } = data!
  const batch = tf.tidy(() => tf.slice(x, 0, batchSize))
  const its =
    labels instanceof tf.Tensor ? tf.tidy(() => tf.slice(labels, 0, batchSize)) : Array.from(labels).slice(0, batchSize)
  try {
    const check = await checkModel(model, { x: batch, y: its }, { ...trainingOf(training), signal })
    return check.time?.evaluation
  } finally {
    tf.dispose([batch, ...(its instanceof tf.Tensor ? [its] : [])])
  }
}

function durationOf(evaluations: number, milliseconds: number): string {
  const minutes = (evaluations * milliseconds) / 60_000
  return ` of ${milliseconds.toPrecision(2)} ms: ${minutes < 1 ? 'under a minute' : countOf(Math.ceil(minutes), 'minute')} on one core`
}
