/**
 * Sequences as they are really shared: decoder and encoder, batches of 1 and 4, in float32, coarser types, with noise, pruned, and
 * as an update. One line for each cell: how often the answer was exact, right, or a wrong one was called exact.
 *
 *     npx tsx bench/sequences.ts [trials] [only]
 */

import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { exactSequences } from '../src/analytic'
import { attack, targetOf } from '../src/attacks'
import { gradientsOf } from '../src/index'
import { random } from '../src/numbers/random'
import { type GptModel, nextTokenGradients, randomBert, randomGpt, type TextModel, transformerOf } from '../src/text'

const [trials = 3, only = ''] = [Number(process.argv[2] ?? 3), process.argv[3]]
const SIZES = { vocabularySize: 2000, hidden: 128, heads: 4, positions: 20 }
const { uniform, normal } = random(11)

type Numbers = Float32Array
type Shared = { [name: string]: { shape: number[]; data: Numbers } }

const rms = (a: Numbers): number => Math.sqrt(a.reduce((sum, v) => sum + v * v, 0) / a.length)
const noisy = (level: number) => (a: Numbers) => {
  const unit = rms(a)
  return a.map((v) => v + level * unit * normal())
}

function bfloat16(v: number): number {
  const bits = new Uint32Array(Float32Array.of(v).buffer)
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000
  return new Float32Array(bits.buffer)[0]
}

function float16(v: number): number {
  if (v === 0) return 0
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10)
  return Math.round(v / step) * step
}

const pruned = (part: number) => (a: Numbers) => {
  const least = [...a].map(Math.abs).sort((x, y) => x - y)[Math.floor(part * a.length)]
  return a.map((v) => (Math.abs(v) < least ? 0 : v))
}

const ways: Record<string, (a: Numbers) => Numbers> = {
  float32: (a) => a,
  float16: (a) => a.map(float16),
  bfloat16: (a) => a.map(bfloat16),
  'noise 1e-5': noisy(1e-5),
  'noise 1e-4': noisy(1e-4),
  'noise 1e-3': noisy(1e-3),
  'noise 1e-2': noisy(1e-2),
  'pruned 10 %': pruned(0.1),
  'pruned 50 %': pruned(0.5),
  'SGD step 0.01': (a) => a,
  'SGD step, by hand': (a) => a,
}

const tokens = (count: number): number[] =>
  Array.from({ length: count }, () => Math.floor(uniform() * SIZES.vocabularySize))
const text = (sequences: readonly (readonly number[])[]): string => sequences.map(String).sort().join('|')

async function gradients(model: TextModel | GptModel, sentences: number[][], labels: number[]) {
  if (!('head' in model)) return nextTokenGradients(model, sentences)
  const ids = tf.tensor2d(sentences)
  try {
    return await gradientsOf(model.overTokens(sentences[0].length), ids, labels)
  } finally {
    ids.dispose()
  }
}

async function trial(kind: string, batchSize: number, way: string) {
  const model =
    kind === 'decoder'
      ? randomGpt(SIZES)
      : randomBert({ ...SIZES, layers: 2, intermediate: 256, classes: 3, head: 'mean' })
  const sentences = Array.from({ length: batchSize }, (_, i) => tokens(kind === 'decoder' ? 8 + ((3 * i) % 7) : 12))
  const clean = await gradients(
    model,
    sentences,
    sentences.map((_, i) => i % 3),
  )
  const shared: Shared = {}
  const after: Shared = {}
  for (const [name, tensor] of Object.entries(clean)) {
    const data = ways[way](tensor.dataSync<'float32'>().slice())
    const weight = model.weights[name].dataSync<'float32'>()
    after[name] = { shape: tensor.shape, data: weight.map((w, i) => w - 0.01 * data[i]) }
    shared[name] = {
      shape: tensor.shape,
      data: way === 'SGD step, by hand' ? after[name].data.map((w, i) => (weight[i] - w) / 0.01) : data,
    }
  }
  tf.dispose(clean)
  const started = performance.now()
  const transformer = transformerOf(model)
  const result =
    way === 'SGD step 0.01'
      ? await viaUpdate(model, after, batchSize, transformer)
      : await exactSequences(transformer, shared, { budget: { milliseconds: 60_000 } })
  const seconds = (performance.now() - started) / 1000
  model.dispose()
  return { ...result, right: text(result.sequences) === text(sentences), seconds }
}

async function viaUpdate(
  model: TextModel | GptModel,
  after: Shared,
  batchSize: number,
  transformer: ReturnType<typeof transformerOf>,
) {
  const target = await targetOf(model.overTokens(4), { after }, { update: { learningRate: 0.01 }, batchSize })
  const { status, reason, found } = await attack('dager', target, { transformer })
  return { status: status === 'proven' ? 'exact' : status, reason, sequences: found.sequences ?? [] }
}

const line = (...words: unknown[]) => console.log(words.map((w, i) => String(w).padEnd(i === 0 ? 20 : 10)).join(' '))
line('shared as', 'model', 'batch', 'exact', 'right', 'false', 'seconds', 'otherwise')
for (const way of Object.keys(ways).filter((name) => !only || name.includes(only)))
  for (const kind of ['decoder', 'encoder'])
    for (const batchSize of [1, 4]) {
      const results = []
      for (let i = 0; i < trials; i++) results.push(await trial(kind, batchSize, way))
      const exact = results.filter((r) => r.status === 'exact')
      const other = results.find((r) => r.status !== 'exact')
      line(
        ...[way, kind, batchSize, `${exact.length}/${trials}`, `${results.filter((r) => r.right).length}/${trials}`],
        ...[exact.filter((r) => !r.right).length, Math.max(...results.map((r) => r.seconds)).toFixed(1)],
        other ? `${other.status}: ${other.reason}` : '',
      )
    }
