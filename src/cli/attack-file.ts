import * as tf from '@tensorflow/tfjs-core'
import type { Leakage } from '../attacks/matching/leakage'
import { type LeakageOptions, MATCHING } from '../attacks/matching/options'
import { undeterminedWords } from '../attacks/matching/undetermined-words'
import { preprocessingOption, requireChannels, undoPreprocessing } from '../client/preprocessing'
import { openTarget } from '../client/target'
import { targetSettings } from '../client/target-options'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { isOutside, requireInRange } from '../measure/baselines'
import { type MeasuredBatch, measureSamples } from '../measure/samples'
import { type Verdict, verdictOf } from '../measure/verdict'
import { certaintyReport } from '../report/certainty-words'
import { checkFolder, writeFiles } from '../report/files'
import { pictureFile, tensorFile } from '../report/found-files'
import { FROM_FILES, searchWithProgress } from './attack'
import { exitCode } from './command'
import { decibels } from './decibels'
import type { FileAttack } from './file-attack-options'
import { inForce } from './flags'
import { inFlags } from './in-flags'
import { isPictureList, readOriginals } from './originals'
import { type FileModel, inputsOf, readModel, tensorsOf } from './read-files'
import { useBackend } from './runtime'
import { sharedGradient } from './shared-gradient'
import { paint, type Terminal, visible } from './terminal'
import { version } from './version'

/** Searches for the data behind a gradient that somebody shared. @returns the exit code */
export async function attackFile(options: FileAttack, terminal: Terminal): Promise<number> {
  checkFolder(options.out, [`data.${options.format}`, 'gallery.png', 'result.json'])
  await useBackend(options.backend)
  const model = await readModel(options.model, { ...options.files, shared: options.files })
  const known = options.known === undefined ? {} : knownInputs(options.known)
  let leak: Leakage | undefined
  try {
    const shared = sharedGradient(model, options.files, (line) => terminal.stderr.write(`dlg: ${visible(line)}\n`))
    const originals =
      options.original === undefined
        ? undefined
        : readOriginals(options.original, searched(model, known, options.options))
    const { preprocessing, undo } = picturesOf(options.options)
    if (originals)
      requireInRange(originals.map(undo), preprocessing.range, `${options.original}: original`, OTHER_RANGE)
    if (originals && saysNoChannels(options)) terminal.stderr.write(`dlg: ${STRETCHED}\n`)
    const search = { ...options.options, ...smoothness(model, known, options), known }
    const { notes } = await openTarget(model, shared, targetSettings(search))
    for (const note of notes) terminal.stderr.write(`dlg: ${visible(inFlags(note))}\n`)
    leak = (await searchWithProgress(model, shared, search, terminal)).leak
    const [, ...shape] = leak.data.shape
    // a metric of pictures is one of what can be seen, and not of what a model sees
    const measured =
      originals &&
      measureSamples(originals.map(undo), undo(leak.data.dataSync() as Float32Array), {
        range: preprocessing.range,
        shape,
      })
    return finish(leak, measured, options, terminal)
  } finally {
    leak?.dispose()
    tf.dispose(known)
    model.dispose()
  }
}

/** The first input that is searched. */
function searchedInput(model: FileModel, known: object) {
  const inputs = inputsOf(model)
  // where all are known, the attack itself refuses
  return inputs.find(({ name }) => !Object.hasOwn(known, name)) ?? inputs[0]
}

/** What originals must look like. */
function searched(model: FileModel, known: object, options: LeakageOptions) {
  const { name, shape } = searchedInput(model, known)
  const [, ...sample] = shape as number[]
  const { preprocessing } = picturesOf(options)
  requireChannels(preprocessing, sample, name)
  return { name, shape: [options.batchSize ?? 1, ...sample], preprocessing }
}

/** Where pictures are originals, and a range of normalised numbers is all that is said of them. */
const saysNoChannels = ({ original = '', options: { preprocessing, dataRange: [low, high] = [0, 1] } }: FileAttack) =>
  isPictureList(original) && preprocessing === undefined && (low < 0 || high > 1) && high !== 255 && low !== -high

const OTHER_RANGE = "give the range of the client's data, before --mean and --std, as --range LOW,HIGH"

const STRETCHED =
  '--original is stretched evenly over --range; if the client normalises each channel, its numbers are others: give --mean and --std, or the PSNR is wrong'

/** The client's preprocessing, and how to undo it; a range alone leaves the numbers as they are. */
function picturesOf({ preprocessing: given, dataRange = MATCHING.dataRange.default }: LeakageOptions) {
  const preprocessing = preprocessingOption(given ?? { range: dataRange })
  return {
    preprocessing,
    undo: (values: Float32Array): Float32Array => (given ? undoPreprocessing(values, given) : values),
  }
}

/** The weight of the total variation, in colour where there are colours, of the first input that is searched. */
function smoothness(model: FileModel, known: object, { tv }: FileAttack): LeakageOptions {
  if (tv === undefined) return {}
  const channels = searchedInput(model, known).shape[3]
  return { priors: channels === 3 ? { colorTotalVariation: tv } : { totalVariation: tv } }
}

/** The inputs that the attacker has, out of a file. @throws DlgError `invalid-file` */
export function knownInputs(path: string): Record<string, tf.Tensor> {
  const tensors = tensorsOf(path)
  const bad = [...tensors].find(([, { shape }]) => shape.length === 0)
  if (bad) throw new DlgError('invalid-file', `${path}: '${bad[0]}' is one number; an input is [batch, ...]`)
  return Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]))
}

/** Writes the files and the lines. */
function finish(leak: Leakage, measured: MeasuredBatch | undefined, options: FileAttack, terminal: Terminal): number {
  const end = verdictOf(leak.status, measured?.samples)
  const { preprocessing, undo } = picturesOf(options.options)
  const found = {
    ...tensorFile(leak, options.format),
    ...pictureFile(leak, measured?.samples, preprocessing.range, end, undo),
  }
  const names = [...Object.keys(found), 'result.json']
  const report = visible(`${JSON.stringify({ ...reportOf(leak, measured, options), files: names }, null, 2)}\n`)
  writeFiles(options.out, { ...found, 'result.json': report })
  const paths = names.map((name) => `${options.out}/${name}`).join(' ')
  terminal.stdout.write(
    options.json ? report : `${lines(leak, measured, end, preprocessing.range, terminal)}\n${visible(paths)}\n`,
  )
  return exitCode(end)
}

function reportOf(leak: Leakage, measured: MeasuredBatch | undefined, options: FileAttack) {
  const { out, json, options: given, ...others } = options
  const samples = measured?.samples.map(({ original, reconstruction, ...sample }) => decibels(sample))
  return {
    command: 'attack',
    status: leak.status,
    relativeLoss: leak.relativeLoss,
    labels: leak.labels,
    inferred: leak.inferred,
    groups: leak.groups,
    scale: leak.scale,
    scaleHint: leak.scaleHint && inFlags(leak.scaleHint),
    certainty: certaintyReport(leak),
    ...(measured && decibels(measured)),
    ...(samples && { samples }),
    evaluations: leak.evaluations,
    seconds: leak.milliseconds / 1000,
    restart: leak.restart,
    ...(leak.notes.length > 0 && { notes: leak.notes.map((note) => inFlags(note)) }),
    trials: leak.trials.map(({ data, ...trial }) => trial),
    seed: leak.seed,
    runtime: leak.runtime,
    options: {
      ...others,
      ...(given.preprocessing && { preprocessing: given.preprocessing }),
      ...inForce(FROM_FILES, { ...given, preset: leak.preset.name }),
    },
    versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
  }
}

function lines(
  leak: Leakage,
  measured: MeasuredBatch | undefined,
  { word, failed }: Verdict,
  range: readonly [number, number],
  terminal: Terminal,
): string {
  const head = paint(terminal, 'stdout', failed ? 'red' : 'green', word)
  const closeness = `relative loss ${leak.relativeLoss.toExponential(1)}`
  const labels =
    leak.labels.length > 0 ? `, ${leak.labels.length > 1 ? 'labels' : 'label'} ${leak.labels.join(' ')}` : ''
  const work = `${countOf(leak.evaluations, 'evaluation')} in ${(leak.milliseconds / 1000).toFixed(1)} s on ${leak.runtime}`
  const rows = measured?.samples.map(
    ({ psnr, slot, reconstruction }, i) =>
      `  ${psnr.toFixed(1).padStart(5)} dB  original ${i}, reconstruction ${slot}${beyond(reconstruction, range)}`,
  )
  const hint = [undeterminedWords(leak, 'hatched in pictures'), leak.scaleHint && inFlags(leak.scaleHint)].filter(
    (line) => line !== undefined,
  )
  return `${head}${visible([`: ${closeness}${labels}, ${work}`, ...hint, ...(rows ?? [])].join('\n'))}`
}

/** What decibels do not count, in words. */
function beyond(reconstruction: Float32Array, range: readonly [number, number]): string {
  const count = reconstruction.filter((v) => isOutside(v, range)).length
  return count > 0 ? `, with ${countOf(count, 'number')} outside the range, which dB cut to it` : ''
}
