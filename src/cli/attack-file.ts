import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Leakage } from '../attacks/matching/leakage'
import type { LeakageOptions } from '../attacks/matching/options'
import { DlgError } from '../errors/dlg-error'
import { mean, type PairedSample, pairSamples } from '../measure/samples'
import { ALIKE, type Verdict, verdictOf } from '../measure/verdict'
import { checkFolder, writeFiles } from '../report/files'
import { pictureFile, tensorFile } from '../report/found-files'
import { attack } from './attack'
import { useBackend } from './backend'
import { exitCode } from './command'
import type { FileAttack } from './file-attack-options'
import { readOriginals } from './originals'
import { readModel } from './read-model'
import { sharedGradient } from './shared-gradient'
import { tensorsOf } from './tensor-files'
import { paint, type Terminal } from './terminal'
import { version } from './version'

/** Searches for the data behind a gradient that somebody shared. @returns the exit code */
export async function attackFile(options: FileAttack, terminal: Terminal): Promise<number> {
  checkFolder(options.out)
  await useBackend(options.backend)
  const model = await readModel(options.model)
  const known = options.known === undefined ? {} : knownInputs(options.known)
  let leak: Leakage | undefined
  try {
    const shared = sharedGradient(model, options.files)
    const { range } = options.training
    const originals =
      options.original === undefined ? undefined : readOriginals(options.original, searched(model, known, options))
    leak = (await attack(model, shared, { ...leakageOptions(options), known }, options, terminal)).leak
    const measured = originals && pairSamples(originals, leak.data.dataSync() as Float32Array, range)
    return finish(leak, measured, options, terminal)
  } finally {
    leak?.dispose()
    tf.dispose(known)
    model.dispose()
  }
}

/** The first input that is searched. */
function searched(model: LayersModel, known: object, { training: { batchSize, range } }: FileAttack) {
  // where all are known, the attack itself refuses
  const first = Math.max(
    0,
    model.inputNames.findIndex((name) => !Object.hasOwn(known, name)),
  )
  const [, ...shape] = model.inputs[first].shape
  return { name: model.inputNames[first], shape: [batchSize, ...(shape as number[])], range }
}

const leakageOptions = ({ training, labels, batchUpdate, init, tolerance, files }: FileAttack): LeakageOptions => {
  const { range, ...client } = training
  return {
    ...client,
    labels,
    batchUpdate,
    init,
    dataRange: range,
    scale: files.scale,
    ...(files.update && { update: files.update }),
    ...(files.partial && { missing: 'allowed' }),
    ...(tolerance !== undefined && { tolerance }),
  }
}

function knownInputs(path: string): Record<string, tf.Tensor> {
  const tensors = tensorsOf(path)
  const bad = [...tensors].find(([, { shape }]) => shape.length === 0)
  if (bad) throw new DlgError('invalid-file', `${path}: '${bad[0]}' is one number; an input is [batch, ...]`)
  return Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]))
}

/** Writes the files and the lines. */
function finish(leak: Leakage, measured: PairedSample[] | undefined, options: FileAttack, terminal: Terminal): number {
  const end = endOf(leak, measured)
  const found = {
    ...tensorFile(leak, options.format),
    ...pictureFile(leak, measured, options.training.range, end.failed),
  }
  const names = [...Object.keys(found), 'result.json']
  const report = `${JSON.stringify({ ...reportOf(leak, measured, options), files: names }, null, 2)}\n`
  writeFiles(options.out, { ...found, 'result.json': report })
  const paths = names.map((name) => `${options.out}/${name}`).join(' ')
  terminal.stdout.write(options.json ? report : `${lines(leak, measured, end, terminal)}\n${paths}\n`)
  return exitCode(end)
}

/** Without originals nobody can say more than that the gradient was matched. */
function endOf(leak: Leakage, measured: PairedSample[] | undefined): Verdict {
  const end = verdictOf(leak.status, measured?.every(({ psnr }) => psnr >= ALIKE) ?? true)
  return end.failed || measured ? end : { ...end, word: 'matched the gradient' }
}

function reportOf(leak: Leakage, measured: PairedSample[] | undefined, options: FileAttack) {
  const { out, json, training, ...others } = options
  const samples = measured?.map(({ slot, mse, psnr }) => ({ slot, mse, psnr }))
  return {
    command: 'attack',
    status: leak.status,
    relativeLoss: leak.relativeLoss,
    labels: leak.labels,
    inferred: leak.inferred,
    groups: leak.groups,
    scale: leak.scale,
    scaleHint: leak.scaleHint,
    ...(samples && { mse: mean(samples.map((s) => s.mse)), psnr: mean(samples.map((s) => s.psnr)), samples }),
    evaluations: leak.evaluations,
    seconds: leak.milliseconds / 1000,
    restart: leak.restart,
    trials: leak.trials.map(({ data, ...trial }) => trial),
    seed: leak.seed,
    runtime: leak.runtime,
    options: { ...others, ...training },
    versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
  }
}

function lines(
  leak: Leakage,
  measured: PairedSample[] | undefined,
  { word, failed }: Verdict,
  terminal: Terminal,
): string {
  const head = paint(terminal, 'stdout', failed ? 'red' : 'green', word)
  const closeness = `relative loss ${leak.relativeLoss.toExponential(1)}`
  const labels =
    leak.labels.length > 0 ? `, ${leak.labels.length > 1 ? 'labels' : 'label'} ${leak.labels.join(' ')}` : ''
  const work = `${leak.evaluations} evaluations in ${(leak.milliseconds / 1000).toFixed(1)} s on ${leak.runtime}`
  const rows = measured?.map(
    ({ psnr, slot }, i) => `  ${psnr.toFixed(1).padStart(5)} dB  original ${i}, reconstruction ${slot}`,
  )
  const hint = leak.scaleHint ? [leak.scaleHint] : []
  return [`${head}: ${closeness}${labels}, ${work}`, ...hint, ...(rows ?? [])].join('\n')
}
