import * as tf from '@tensorflow/tfjs-core'
import { type AttackName, attack, type Outcome, targetOf } from '../attacks'
import { TARGET } from '../client/target-options'
import { TRAINING } from '../client/training-options'
import { type NamedTensors, writeNpz, writeSafetensors } from '../io'
import { checkFolder, writeFiles } from '../report/files'
import { knownInputs } from './attack-file'
import { EXIT } from './command'
import type { FileAttack } from './file-attack-options'
import { inFlags } from './in-flags'
import { readModel } from './read-files'
import { useBackend } from './runtime'
import { sharedGradient } from './shared-gradient'
import { paint, type Terminal, visible } from './terminal'
import { version } from './version'

/**
 * Runs one attack of the registry, other than a search, on what somebody shared. It writes result.json, and the data where
 * there are any.
 *
 * @returns the exit code: 0 where something was found
 */
export async function attackByName(name: AttackName, options: FileAttack, terminal: Terminal): Promise<number> {
  checkFolder(options.out, [`data.${options.format}`, 'result.json'])
  await useBackend(options.backend)
  const model = await readModel(options.model, { ...options.files, shared: options.files })
  const known = options.known === undefined ? {} : knownInputs(options.known)
  let found: Outcome | undefined
  try {
    const shared = sharedGradient(model, options.files, (line) => terminal.stderr.write(`dlg: ${visible(line)}\n`))
    const names = [...Object.keys(TRAINING), ...Object.keys(TARGET)]
    const told = Object.fromEntries(Object.entries(options.options).filter(([option]) => names.includes(option)))
    const target = await targetOf(model, shared, { ...told, known })
    const { seed, budget, labels } = options.options
    const own = labels === undefined || labels === 'infer' ? {} : { labels }
    found = await attack(name, target, own, { seed, budget, signal: terminal.signal })
    return finish(found, options, terminal)
  } finally {
    found?.dispose()
    tf.dispose(known)
    model.dispose()
  }
}

function finish(outcome: Outcome, options: FileAttack, terminal: Terminal): number {
  const { attack, status, reason, found, evidence, work } = outcome
  const { data, labels, tokens, sequences } = found
  const tensors: NamedTensors = new Map(
    data ? [['data', { shape: data.shape, data: data.dataSync() as Float32Array }]] : [],
  )
  const file = `data.${options.format}`
  const encoded = options.format === 'npz' ? writeNpz(tensors) : writeSafetensors(tensors, { status })
  const files = data ? { [file]: encoded } : {}
  const names = [...Object.keys(files), 'result.json']
  const report = visible(
    `${JSON.stringify(
      {
        ...{ command: 'attack', attack, status, reason, labels, tokens, sequences, evidence },
        ...{ evaluations: work.evaluations, seconds: work.milliseconds / 1000, seed: work.seed, runtime: work.runtime },
        versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
        files: names,
      },
      null,
      2,
    )}\n`,
  )
  writeFiles(options.out, { ...files, 'result.json': report })
  const leaked = status === 'proven' || status === 'matched' || status === 'partial'
  const word = paint(terminal, 'stdout', leaked ? 'green' : 'red', leaked ? status : status.toUpperCase())
  const lists = [
    ...(labels ? [`${labels.length > 1 ? 'labels' : 'label'} ${labels.join(' ')}`] : []),
    ...(tokens ? [`tokens ${tokens.join(' ')}`] : []),
    ...(sequences?.map((sequence) => `sequence ${sequence.join(' ')}`) ?? []),
  ]
  const paths = names.map((name) => `${options.out}/${name}`).join(' ')
  const text = [`: ${inFlags(reason)}`, ...lists, paths].join('\n')
  terminal.stdout.write(options.json ? report : `${word}${visible(text)}\n`)
  if (status === 'cut' && terminal.signal.aborted) return EXIT.interrupted
  return leaked ? EXIT.converged : EXIT.failed
}
