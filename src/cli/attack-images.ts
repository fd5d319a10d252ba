import * as tf from '@tensorflow/tfjs-core'
import type { Leakage } from '../attacks/matching/leakage'
import type { LeakageOptions } from '../attacks/matching/options'
import { undeterminedWords } from '../attacks/matching/undetermined-words'
import { gradientsOf } from '../client/gradients-of'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { mean } from '../measure/samples'
import { type Verdict, verdictOf } from '../measure/verdict'
import { lenet } from '../models/lenet'
import { certaintyReport } from '../report/certainty-words'
import { checkFolder, writeFiles } from '../report/files'
import { galleryAndFilm, stripAndFilm } from '../report/pictures'
import { pair, type Sample, type Secret } from '../report/samples'
import { PLAYED, type PlayedSettings, searchWithProgress } from './attack'
import { exitCode } from './command'
import { decibels } from './decibels'
import { inForce } from './flags'
import { defaultsFor, type Network } from './photographs'
import { useBackend } from './runtime'
import { paint, type Terminal, visible } from './terminal'
import { version } from './version'

/** A batch of square images of one size that a client trains the paper's network on, in one step. */
export interface Client {
  readonly command: string
  readonly secrets: readonly Secret[]
  readonly network: Network
}

/** Both sides of an attack on images: the client's gradient, the search, the files and the lines. @returns the exit code */
export async function attackImages(client: Client, settings: PlayedSettings, terminal: Terminal): Promise<number> {
  const { secrets, network } = client
  if (settings.labels === 'infer' && secrets.length > network.classes)
    throw new DlgError(
      'labels',
      `--labels infer needs at least as many classes as samples; a batch of ${secrets.length} has more than the ${countOf(network.classes, 'class', 'classes')}`,
    )
  checkFolder(settings.out, filesOf(client.command))
  await useBackend(settings.backend)
  const { leak, frames } = await leakOf(client, settings, terminal)
  try {
    const marks = leak.certainty?.undetermined.data.dataSync()
    const samples = pair(secrets, leak.data.dataSync() as Float32Array, leak.labels, marks)
    const end = verdictOf(leak.status, samples)
    const pictures = (client.command === 'batch' ? galleryAndFilm : stripAndFilm)(samples, frames, end)
    const names = [...Object.keys(pictures), 'result.json']
    const report = visible(
      `${JSON.stringify({ ...reportOf(client, settings, leak, samples), files: names }, null, 2)}\n`,
    )
    writeFiles(settings.out, { ...pictures, 'result.json': report })
    const paths = names.map((name) => `${settings.out}/${name}`).join(' ')
    terminal.stdout.write(
      settings.json ? report : `${lines(client, leak, end, samples, terminal)}\n${visible(paths)}\n`,
    )
    return exitCode(end)
  } finally {
    leak.dispose()
  }
}

/** What the command writes. */
export const filesOf = (command: string): string[] => [
  command === 'batch' ? 'gallery.png' : 'strip.png',
  'steps.gif',
  'result.json',
]

/** What the search is told, with the defaults that the network asks for. */
function optionsOf({ secrets, network }: Client, { options, tv, labels }: PlayedSettings): LeakageOptions {
  return {
    ...defaultsFor(network, options),
    ...options,
    ...(tv !== undefined && { priors: { colorTotalVariation: tv } }),
    batchSize: secrets.length,
    labels: labels === 'known' ? secrets.map((s) => s.label) : labels,
  }
}

/** What the client shares, and what its receiver makes of it. */
async function leakOf(client: Client, settings: PlayedSettings, terminal: Terminal) {
  const { secrets, network } = client
  const size = secrets[0].image.width
  const truth = secrets.map((s) => s.label)
  const options = optionsOf(client, settings)
  const { seed, runtime } = options
  const model = lenet({ size, classes: network.classes, seed, init: network.weightsInit })
  const x = tf.tidy(() => tf.stack(secrets.map(({ image }) => tf.tensor(image.data, [size, size, 3]))))
  try {
    const shared = await gradientsOf(model, x, truth, { runtime })
    return await searchWithProgress(model, shared, options, terminal).finally(() => tf.dispose(shared))
  } finally {
    tf.dispose(x)
    model.dispose()
  }
}

function reportOf(client: Client, settings: PlayedSettings, leak: Leakage, samples: readonly Sample[]) {
  const measured = samples.map(({ source, label, mse, psnr, ssim }) => ({
    source,
    label,
    ...decibels({ mse, psnr }),
    ssim,
  }))
  const all = decibels({ mse: mean(samples.map((s) => s.mse)), psnr: mean(samples.map((s) => s.psnr)) })
  const { priors, labels: _, ...options } = optionsOf(client, settings)
  return {
    command: client.command,
    status: leak.status,
    ...(client.command === 'batch'
      ? { ...all, ssim: mean(samples.map((s) => s.ssim)), samples: measured }
      : measured[0]),
    relativeLoss: leak.relativeLoss,
    certainty: certaintyReport(leak),
    evaluations: leak.evaluations,
    seconds: leak.milliseconds / 1000,
    restart: leak.restart,
    seed: leak.seed,
    runtime: leak.runtime,
    options: {
      size: samples[0].original.width,
      ...client.network,
      ...inForce(PLAYED, { ...options, preset: leak.preset.name }),
      labels: settings.labels,
      ...(priors && { priors }),
      backend: settings.backend,
    },
    versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
  }
}

function lines(
  client: Client,
  leak: Leakage,
  { word, failed }: Verdict,
  samples: readonly Sample[],
  terminal: Terminal,
): string {
  const work = `${countOf(leak.evaluations, 'evaluation')} in ${(leak.milliseconds / 1000).toFixed(1)} s on ${leak.runtime}`
  const label = ({ label: { recovered, original } }: Sample) => `label ${recovered} (was ${original})`
  const head = paint(terminal, 'stdout', failed ? 'red' : 'green', word)
  const words = undeterminedWords(leak, 'hatched in pictures')
  const unsure = words === undefined ? [] : [visible(words)]
  if (client.command !== 'batch')
    return [`${head}: ${samples[0].psnr.toFixed(1)} dB, ${label(samples[0])}, ${work}`, ...unsure].join('\n')
  const rows = samples.map((s) => `  ${s.psnr.toFixed(1).padStart(5)} dB  ${label(s)}  ${visible(s.source)}`)
  return [`${head}: ${mean(samples.map((s) => s.psnr)).toFixed(1)} dB on average, ${work}`, ...unsure, ...rows].join(
    '\n',
  )
}
