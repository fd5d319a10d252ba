import { availableParallelism } from 'node:os'
import { DlgError } from '../../errors/dlg-error'
import type { Command } from '../command'
import { PATIENCE, patienceOf, QUEUE } from '../queue-options'
import { BACKENDS } from '../runtime'

/** Every attack on what clients share, under every defence, into a run. */
export const audit: Command = {
  name: 'audit',
  usage: 'audit.json',
  summary: 'every attack on what your clients share, under every defence',
  description: `Reads an audit file: the model, data to play clients with (or updates that clients shared), how they train, and the
defences to try. Runs every attack of the library on each client under each defence, by an attacker who knows of the
defence and by one who does not, and writes each trial into run.jsonl as soon as it is done. The same command goes on
with a run that was cut off. The undefended gradient is attacked too: an attack that finds nothing there says nothing
of a defence. Nothing is judged here: dlg report does that, with any thresholds.`,
  optionsInFile: true,
  options: {
    out: { value: 'FOLDER', default: 'audit-run', help: 'of the run' },
    'dry-run': { help: 'print the grid, the evaluations and the minutes, and run nothing' },
    evaluations: { value: 'N', help: "most evaluations of each trial (default: the file's, else 2000)" },
    seed: { value: 'N', help: "of everything random (default: the file's, else 1234)" },
    concurrency: { value: 'N', help: 'processes side by side (default: one for each core)' },
    shard: { value: 'I/N', help: 'run this part alone, from 1; dlg report takes the folders of all parts' },
    queue: QUEUE,
    patience: PATIENCE,
    redact: { help: 'keep neither the originals nor what was found: measures alone' },
    backend: { value: 'NAME', default: 'cpu', help: `of tfjs: ${BACKENDS.join(', ')}` },
    help: { help: 'this text' },
  },
  examples: [
    'dlg audit audit.json --dry-run',
    'dlg audit audit.json --out run && dlg report run',
    'dlg audit audit.json --shard 2/4 --out part-2',
    'dlg audit audit.json --queue redis://localhost:6379',
  ],
  exitCodes: [
    [0, 'every trial of the run, or of its part, is done: it says nothing of what leaked'],
    [1, 'trials are missing: the same command goes on'],
    [2, 'bad input, a process that was killed, a queue that is gone: one line says what; the run has what was done'],
    [74, 'standard output cannot be written; the run is in its place'],
    [130, 'interrupted: the trials that are done are in the run, and the same command goes on'],
  ],
  async run(args, terminal) {
    const [config, ...more] = args.positionals
    if (config === undefined || more.length > 0)
      throw new DlgError('invalid-option', `${args.positionals.length} audit files given; give one, such as audit.json`)
    const whole = (name: string, least: number) => (args.has(name) ? args.whole(name, least) : undefined)
    const [evaluations, seed] = [whole('evaluations', 1), whole('seed', 0)]
    const shard = args.read('shard', {
      value: 'I/N',
      right: 'a part of a number of parts, such as 2/4',
      read(word) {
        const [, part, of] = /^(\d+)\/(\d+)$/.exec(word)?.map(Number) ?? []
        return part >= 1 && part <= of ? { part, of } : undefined
      },
    })
    const queue = args.text('queue')
    const alone = ['shard', 'concurrency'].find((name) => args.has(name))
    if (queue !== undefined && alone !== undefined)
      throw new DlgError(
        'invalid-option',
        `--queue and --${alone} are given; workers at a queue share the trials by themselves, each with its own --concurrency`,
      )
    const options = {
      ...{ config, out: args.text('out')!, dryRun: args.has('dry-run'), redact: args.has('redact') },
      concurrency: whole('concurrency', 1) ?? availableParallelism(),
      ...(shard && { shard }),
      ...(queue !== undefined && { queue: { url: queue, patience: patienceOf(args) } }),
      overrides: { ...(evaluations !== undefined && { evaluations }), ...(seed !== undefined && { seed }) },
      backend: args.choice('backend', BACKENDS),
    }
    // what it pulls in takes a while to load, and wrong input should be told at once
    const { runAuditFile } = await import('../audit/run')
    return runAuditFile(options, terminal)
  },
}
