import { availableParallelism, hostname } from 'node:os'
import { DlgError } from '../../errors/dlg-error'
import type { Command } from '../command'
import { PATIENCE, patienceOf, QUEUE } from '../queue-options'
import { BACKENDS } from '../runtime'

/** Runs trials of an audit that waits in a queue. */
export const worker: Command = {
  name: 'worker',
  usage: 'audit.json --queue URL',
  summary: 'runs trials of an audit that waits in a queue',
  description: `Takes trials of dlg audit --queue out of the queue, runs them, and returns what they found, until the audit is done.
Start as many workers as you like, on any machine, before or after dlg audit; they may come and go. A worker reads the
same audit file, and the same model and data: only the keys of trials and what they found go through the queue. An
audit file of another model, other data or other options is refused. A trial whose worker is gone is run by another.`,
  optionsInFile: true,
  options: {
    queue: QUEUE,
    patience: PATIENCE,
    name: { value: 'NAME', help: 'of this worker in what is printed (default: host and process)' },
    concurrency: { value: 'N', help: 'trials side by side, each in a process (default: one for each core)' },
    backend: { value: 'NAME', default: 'cpu', help: `of tfjs: ${BACKENDS.join(', ')}` },
    help: { help: 'this text' },
  },
  examples: [
    'dlg worker audit.json --queue redis://localhost:6379',
    'dlg worker audit.json --queue rediss://u:p@host:6380',
  ],
  exitCodes: [
    [0, 'the audit is done, or nothing of it waits any more'],
    [2, 'bad input, another audit, or a queue that is gone: one line says what'],
    [74, 'standard output cannot be written'],
    [130, 'interrupted: the trial at work goes back into the queue'],
  ],
  async run(args, terminal) {
    const [config, ...more] = args.positionals
    if (config === undefined || more.length > 0)
      throw new DlgError('invalid-option', `${args.positionals.length} audit files given; give one, such as audit.json`)
    const queue = args.text('queue')
    if (queue === undefined)
      throw new DlgError('invalid-option', 'no --queue given; give that of dlg audit, such as redis://localhost:6379')
    const concurrency = args.has('concurrency') ? args.whole('concurrency', 1) : availableParallelism()
    const options = {
      ...{ config, queue, concurrency, patience: patienceOf(args) },
      name: args.text('name') ?? `${hostname()}-${process.pid}`,
      backend: args.choice('backend', BACKENDS),
    }
    const { work } = await import('../audit/queue/work')
    return work(options, terminal)
  },
}
