/**
 * Sequences as they are really shared: decoder, encoder and adapters of rank 4, 8 and 16, batches of 1 and 4, in float32, coarser
 * types, with noise, pruned, clipped, and as an update of one step and of three. One line for each cell: how often the answer was
 * exact, right, or a wrong one was called exact.
 *
 *     npx tsx bench/sequences.ts [trials] [way] [kind]
 */

import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { exactSequences } from '../src/analytic'
import { attack, targetOf } from '../src/attacks'
import { random } from '../src/numbers/random'
import {
  bert,
  classGradients,
  type GptModel,
  gpt,
  lora,
  nextTokenGradients,
  randomBert,
  randomGpt,
  randomLora,
  type TextModel,
  transformerOf,
} from '../src/text'

const [trials, only, onlyKind] = [Number(process.argv[2] ?? 3), process.argv[3] ?? '', process.argv[4] ?? '']
const SIZES = { vocabularySize: 2000, hidden: 128, heads: 4, positions: 20 }
const { uniform, normal } = random(11)

type Numbers = Float32Array

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
  'clipped to 1/7': (a) => a.map((v) => v / 7),
  'one SGD step': (a) => a,
  'three SGD steps': (a) => a,
}

const RATE = 0.01
const BUDGET = { milliseconds: 20_000 }

const tokens = (count: number): number[] =>
  Array.from({ length: count }, () => Math.floor(uniform() * SIZES.vocabularySize))
const text = (sequences: readonly (readonly number[])[]): string => sequences.map(String).sort().join('|')

/** Encoder and decoder, and the encoder with trained adapters of query and value. */
const KINDS = ['decoder', 'encoder', 'LoRA 4', 'LoRA 8', 'LoRA 16']

/** Models over these trained weights, of the same base. */
function modelsOf(kind: string): {
  model: TextModel | GptModel
  over(weights: tf.NamedTensorMap): TextModel | GptModel
} {
  if (kind === 'decoder') {
    const model = randomGpt(SIZES)
    return { model, over: (weights) => gpt(model.config, weights) }
  }
  const base = randomBert({ ...SIZES, layers: 2, intermediate: 256, classes: 3, head: 'mean' })
  if (kind === 'encoder') return { model: base, over: (weights) => bert(base.config, weights, 'mean') }
  const rank = Number(kind.split(' ')[1])
  return {
    model: randomLora(base, { rank, alpha: rank, trained: 0.02 }),
    over: (weights) => lora(base, weights, { alpha: rank }),
  }
}

const lengthOf = (kind: string, batchSize: number, i: number): number =>
  kind === 'decoder' ? 8 + ((3 * i) % 7) : kind === 'encoder' || batchSize === 1 ? 12 : 6

const gradients = (model: TextModel | GptModel, sentences: number[][]) =>
  'head' in model
    ? classGradients(
        model,
        sentences,
        sentences.map((_, i) => i % 3),
      )
    : nextTokenGradients(model, sentences)

/** The weights after steps of SGD on the whole batch, in float32. */
async function trained({ model, over }: ReturnType<typeof modelsOf>, sentences: number[][], steps: number) {
  let weights = model.weights
  for (let step = 0; step < steps; step++) {
    const gradient = await gradients(step === 0 ? model : over(weights), sentences)
    weights = Object.fromEntries(
      Object.entries(weights).map(([name, w]) => [name, tf.tidy(() => tf.sub(w, tf.mul(gradient[name], RATE)))]),
    )
  }
  return weights
}

async function trial(kind: string, batchSize: number, way: string) {
  tf.engine().startScope()
  const models = modelsOf(kind)
  const { model } = models
  const sentences = Array.from({ length: batchSize }, (_, i) => tokens(lengthOf(kind, batchSize, i)))
  const transformer = transformerOf(model)
  const steps = way === 'one SGD step' ? 1 : way === 'three SGD steps' ? 3 : 0
  let started = 0
  const answer = async () => {
    if (steps > 0) {
      const after = await trained(models, sentences, steps)
      started = performance.now()
      return viaUpdate(model, after, batchSize, transformer, steps)
    }
    const clean = await gradients(model, sentences)
    const shared = Object.fromEntries(
      Object.entries(clean).map(([name, { shape, dataSync }]) => [
        name,
        { shape, data: ways[way](dataSync.call(clean[name]).slice() as Numbers) },
      ]),
    )
    started = performance.now()
    return exactSequences(transformer, shared, { budget: BUDGET, ...(way.startsWith('clipped') && { scale: 'auto' }) })
  }
  const { status, reason, sequences } = await answer()
  tf.engine().endScope()
  const seconds = (performance.now() - started) / 1000
  return { status, reason, right: text(sequences) === text(sentences), seconds }
}

async function viaUpdate(
  model: TextModel | GptModel,
  after: tf.NamedTensorMap,
  batchSize: number,
  transformer: ReturnType<typeof transformerOf>,
  steps: number,
) {
  const update = { learningRate: RATE, localSteps: steps }
  const target = await targetOf(model.overTokens(4), { after }, { update, batchSize })
  const { status, reason, found } = await attack('dager', target, { transformer }, { budget: BUDGET })
  return { status: status === 'proven' ? 'exact' : status, reason, sequences: found.sequences ?? [] }
}

const line = (...words: unknown[]) => console.log(words.map((w, i) => String(w).padEnd(i === 0 ? 20 : 10)).join(' '))
line('shared as', 'model', 'batch', 'exact', 'right', 'false', 'seconds', 'otherwise')
for (const way of Object.keys(ways).filter((name) => !only || name.includes(only)))
  for (const kind of KINDS.filter((name) => name.includes(onlyKind)))
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
