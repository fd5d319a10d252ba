/** More set-ups of tokens, labels, isolated inputs and rows behind a ReLU. */
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { deepLeakageFromGradients, type FunctionalModel, inferLabels, type TargetOptions } from '../../src'
import { isolatedInputs, spear } from '../../src/analytic'
import { attack, targetOf } from '../../src/attacks'
import { random } from '../../src/numbers/random'
import {
  bfloat16,
  distance,
  eachTensor,
  float16,
  type Gradient,
  int8,
  type Judged,
  type Kind,
  pruned,
  rows,
  SURE,
  shared,
  smoothed,
  sorted,
  uniform,
  WRONG,
} from './set-up'

const kinds: Kind[] = []
const add = (attack: string, name: string, run: (seed: number) => Promise<Judged>): void => {
  kinds.push({ attack, name, run })
}

const noisy = (gradient: Gradient, level: number, seed: number): Gradient => {
  const draw = random(seed, 0x6e6f69)
  return eachTensor(gradient, (data) => {
    const size = level * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length)
    return data.map((v) => v + size * draw.normal())
  })
}

const largest =
  (part: number) =>
  (data: Float32Array): Float32Array => {
    const least = data.map(Math.abs).sort()[Math.floor((1 - part) * data.length)]
    return data.map((v) => (Math.abs(v) >= least ? v : 0))
  }

// Token sets.

/** The mean of embeddings, and two dense layers. */
function bag(seed: number): FunctionalModel {
  return {
    inputShape: [6],
    weights: {
      table: rows([60, 8], seed, -1, 1),
      w: rows([8, 12], seed + 1, -1, 1),
      v: rows([12, 4], seed + 2, -1, 1),
    },
    apply: (x, { table, w, v }) => {
      const mean = tf.mean(tf.gather(table, tf.cast(x, 'int32')), 1) as tf.Tensor2D
      return tf.matMul(tf.tanh(tf.matMul(mean, w as tf.Tensor2D)), v as tf.Tensor2D)
    },
  }
}

async function tokens(
  seed: number,
  change: (g: Gradient, model: FunctionalModel) => Gradient,
  batch = 2,
): Promise<Judged> {
  const model = bag(seed)
  const ids = Array.from(uniform(6 * batch, seed + 40, 0, 60), Math.floor)
  const gradient = change(
    await shared(
      model,
      tf.tensor(ids, [batch, 6], 'int32'),
      ids.slice(0, batch).map((id) => id % 4),
    ),
    model,
  )
  const { status, reason, found } = await attack('token-set', await targetOf(model, gradient, { batchSize: batch }), {})
  const says = `${status}: ${reason}; ${found.tokens} for ${[...new Set(ids)].sort((a, b) => a - b)}`
  const strangers = (found.tokens ?? []).filter((id) => !ids.includes(id)).length
  const expected = Number(/([\d.e-]+) strangers are expected/.exec(reason)?.[1] ?? 0)
  // one stranger where a hundredth of one is expected may happen; two do not
  return { says, verdict: strangers > (expected > 0 ? 1 : 0) ? 'false claim' : found.tokens ? 'right' : 'unclaimed' }
}

for (const [name, change] of Object.entries<(g: Gradient, model: FunctionalModel, seed: number) => Gradient>({
  'two sentences': (g) => g,
  'weight decay in the gradient': (g, { weights }) => ({
    ...g,
    table: {
      ...g.table,
      data: g.table.data.map((v, i) => v + 1e-3 * weights.table.dataSync()[i]),
    },
  }),
  'noise, and the rest pruned': (g, _, seed) => eachTensor(noisy(g, 0.05, seed), largest(0.1)),
  'noise of a tenth, and most pruned': (g, _, seed) => eachTensor(noisy(g, 1, seed), largest(0.2)),
  'noise of a tenth': (g, _, seed) => noisy(g, 0.1, seed),
  'noise as large as the gradient': (g, _, seed) => noisy(g, 1, seed),
  int8: (g) => eachTensor(g, int8),
  'the tenth that is largest': (g) => eachTensor(g, pruned),
}))
  add('token set', name, (seed) => tokens(seed, (g, model) => change(g, model, seed)))

// Isolated inputs and SPEAR.

async function reluBatch(seed: number, batch: number, change: (g: Gradient) => Gradient, label?: number) {
  const model = sequential({
    layers: [layers.dense({ inputShape: [20], units: 60, activation: 'relu' }), layers.dense({ units: 6 })],
  })
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -0.5, 0.5)))
  const truth = rows([batch, 20], seed + 5000, -1, 1)
  const y = label === undefined ? Array.from(uniform(batch, seed + 9000, 0, 6), Math.floor) : Array(batch).fill(label)
  return { model, truth, gradient: change(await shared(model, truth, y)) }
}

const reluChanges: Record<string, (g: Gradient, seed: number) => Gradient> = {
  float16: (g) => eachTensor(g, (data) => data.map(float16)),
  bfloat16: (g) => eachTensor(g, (data) => data.map(bfloat16)),
  int8: (g) => eachTensor(g, int8),
  'noise of 1e-5': (g, s) => noisy(g, 1e-5, s),
  'noise of 1e-3': (g, s) => noisy(g, 1e-3, s),
  'noise of 0.1': (g, s) => noisy(g, 0.1, s),
  pruned: (g) => eachTensor(g, pruned),
  'half pruned': (g) => eachTensor(g, largest(0.5)),
  'signs alone': (g) => eachTensor(g, (data) => data.map(Math.sign)),
}
const nearest = (row: ArrayLike<number>, truth: tf.Tensor): number =>
  Math.min(
    ...Array.from({ length: truth.shape[0] }, (_, i) =>
      distance(Array.from(row), truth.dataSync().subarray(20 * i, 20 * i + 20), 1),
    ),
  )
function certified(model: Sequential, gradient: Gradient, truth: tf.Tensor): Judged {
  const [weight, bias] = Object.values(gradient).map(({ data }) => data)
  const [w, b] = model.getWeights().map((t) => t.dataSync<'float32'>())
  const { candidates } = isolatedInputs({ weight, bias }, { outputs: 6, layer: { weight: w, bias: b } })
  const sure = candidates.filter((candidate) => candidate.certified)
  const off = Math.max(0, ...sure.map(({ input }) => nearest(input, truth)))
  const says = `${sure.length} of ${candidates.length} certified, worst mse ${off.toExponential(1)}`
  return { says, verdict: off > WRONG ? 'false claim' : sure.length > 0 ? 'right' : 'unclaimed' }
}
for (const [name, change] of Object.entries(reluChanges)) {
  add('isolated inputs', name, async (seed) => {
    const { model, truth, gradient } = await reluBatch(seed, 4, (g) => change(g, seed))
    return certified(model, gradient, truth)
  })
  add('spear', name, async (seed) => {
    const { model, truth, gradient } = await reluBatch(seed, 3, (g) => change(g, seed))
    return spearSays(model, gradient, truth, { batchSize: 3 })
  })
}
async function spearSays(
  model: Sequential,
  gradient: Gradient,
  truth: tf.Tensor | undefined,
  told: TargetOptions,
): Promise<Judged> {
  const { status, reason, data, residual } = await spear(model, gradient, { ...told, budget: { milliseconds: 2000 } })
  const off = data && truth ? distance(data.dataSync(), truth.dataSync(), truth.shape[0]) : Number.POSITIVE_INFINITY
  const says = `${status}: ${reason ?? ''}, residual ${residual?.toExponential(1)}, mse ${off.toExponential(1)}`
  return { says, verdict: status === 'exact' ? (off > WRONG ? 'false claim' : 'right') : 'unclaimed' }
}
for (const told of [2, 4])
  add('spear', `three samples told as ${told}`, async (seed) => {
    const { model, gradient } = await reluBatch(seed, 3, (g) => g)
    return spearSays(model, gradient, undefined, { batchSize: told })
  })
add('spear', 'two samples that are the same', async (seed) => {
  const { model, truth } = await reluBatch(seed, 2, (g) => g)
  const x = tf.concat([truth, tf.slice(truth, 0, 1)])
  return spearSays(model, await shared(model, x, [1, 2, 3]), x, { batchSize: 3 })
})
add('isolated inputs', 'two that are nearly the same', async (seed) => {
  const { model, truth } = await reluBatch(seed, 1, (g) => g)
  const x = tf.concat([truth, tf.add(truth, tf.mul(0.2, rows([1, 20], seed + 77, -1, 1)))])
  return certified(model, await shared(model, x, [1, 1]), x)
})

// Labels.

function classifier(seed: number, classes = 6, bias = true): Sequential {
  const model = sequential({
    layers: [
      layers.dense({ inputShape: [8], units: 12, activation: 'tanh' }),
      layers.dense({ units: classes, useBias: bias }),
    ],
  })
  const size = [0.1, 0.5, 1, 3][seed % 4]
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -size, size)))
  return model
}
async function labels(
  model: Sequential,
  gradient: Gradient,
  truth: readonly number[] | undefined,
  told: TargetOptions,
): Promise<Judged> {
  const found = await inferLabels(model, gradient, told)
  const says = `${found.labels} for ${truth} by ${found.rule}, confidence ${found.confidence.toFixed(2)}`
  if (found.confidence < SURE) return { says, verdict: 'unclaimed' }
  return { says, verdict: truth && sorted(found.labels) === sorted(truth) ? 'right' : 'false claim' }
}
const drawn = (seed: number, batch: number, classes = 6): number[] =>
  Array.from(uniform(batch, seed + 9000, 0, classes), Math.floor)
const inputs = (seed: number, batch: number): tf.Tensor => rows([batch, 8], seed + 5000, -1, 1)

for (const [name, change] of Object.entries<(g: Gradient, seed: number) => Gradient>({
  float16: (g) => eachTensor(g, (data) => data.map(float16)),
  int8: (g) => eachTensor(g, int8),
  'signs alone': (g) => eachTensor(g, (data) => data.map(Math.sign)),
  'noise of 0.3': (g, s) => noisy(g, 0.3, s),
  'noise as large as the gradient': (g, s) => noisy(g, 1, s),
  'half pruned': (g) => eachTensor(g, largest(0.5)),
}))
  add('labels', name, async (seed) => {
    const [model, batch] = [classifier(seed), 1 + (seed % 4)]
    const truth = drawn(seed, batch)
    return labels(model, change(await shared(model, inputs(seed, batch), truth), seed), truth, { batchSize: batch })
  })
add('labels', 'no bias', async (seed) => {
  const [model, batch] = [classifier(seed, 6, false), 1 + (seed % 4)]
  const truth = drawn(seed, batch)
  return labels(model, await shared(model, inputs(seed, batch), truth), truth, { batchSize: batch })
})
add('labels', 'sixteen of six classes', async (seed) => {
  const model = classifier(seed)
  const truth = drawn(seed, 16)
  return labels(model, await shared(model, inputs(seed, 16), truth), truth, { batchSize: 16 })
})
add('labels', 'mixed up, two classes by halves', async (seed) => {
  const model = classifier(seed)
  const [a, b] = [seed % 6, (seed + 2) % 6]
  const y = tf.tensor2d([Array.from({ length: 6 }, (_, c) => (c === a ? 0.6 : 0) + (c === b ? 0.4 : 0))])
  return labels(model, await shared(model, inputs(seed, 1), y), undefined, { batchSize: 1 })
})
add('labels', 'classes of other weights', async (seed) => {
  // a loss that counts one class thrice
  const model = classifier(seed)
  const truth = drawn(seed, 3)
  const weights = [3, 1, 1, 0.3, 1, 1]
  const y = tf.tensor2d(truth.map((label) => Array.from({ length: 6 }, (_, c) => (c === label ? weights[c] : 0))))
  return labels(model, await shared(model, inputs(seed, 3), y), truth, { batchSize: 3 })
})
add('labels', 'clipped sample by sample', async (seed) => {
  const model = classifier(seed)
  const truth = drawn(seed, 3)
  const each = await Promise.all(
    truth.map((label, i) => shared(model, tf.slice(inputs(seed, 3), [i, 0], [1, 8]), [label])),
  )
  const clipped = each.map((g) => {
    const norm = Math.sqrt(Object.values(g).reduce((sum, { data }) => sum + data.reduce((a, v) => a + v * v, 0), 0))
    return eachTensor(g, (data) => data.map((v) => (v * Math.min(1, 0.3 / norm)) / 3))
  })
  const gradient = Object.fromEntries(
    Object.entries(clipped[0]).map(([key, { shape, data }]) => [
      key,
      { shape, data: data.map((_, i) => clipped.reduce((sum, g) => sum + g[key].data[i], 0)) },
    ]),
  )
  return labels(model, gradient, truth, { batchSize: 3 })
})
add('labels', 'dropout that nobody said', async (seed) => {
  const model = sequential({
    layers: [
      layers.dense({ inputShape: [8], units: 40, activation: 'tanh' }),
      layers.dropout({ rate: 0.4 }),
      layers.dense({ units: 6 }),
    ],
  })
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -0.5, 0.5)))
  const truth = drawn(seed, 3)
  const gradient = await shared(model, inputs(seed, 3), truth, undefined, { training: true })
  return labels(model, gradient, truth, { batchSize: 3 })
})

// Masks of dropout.

function dropping(seed: number, activation: 'sigmoid' | 'relu' | 'tanh', rate: number): Sequential {
  const model = sequential({
    layers: [
      layers.dense({ inputShape: [8], units: 80, activation }),
      layers.dropout({ rate }),
      layers.dense({ units: 6 }),
    ],
  })
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -0.7, 0.7)))
  return model
}
interface Dropping {
  readonly batch: number
  readonly told?: number
  readonly activation?: 'sigmoid' | 'relu' | 'tanh'
  readonly rate?: number
  /** The rate that the attacker believes in. */
  readonly believed?: number
  /** Whether the client runs in training mode. */
  readonly training?: boolean
  readonly y?: (labels: number[]) => Parameters<typeof shared>[2]
  readonly change?: (g: Gradient, seed: number) => Gradient
  readonly labels?: 'infer' | 'joint'
  /** Noise on every number that is stated, in root mean squares of the gradient. */
  readonly noise?: number
}
async function masks(seed: number, made: Dropping): Promise<Judged> {
  const { batch, told = batch, activation = 'sigmoid', rate = 0.4, believed = rate, training = true } = made
  const model = dropping(seed, activation, rate)
  const attacked = believed === rate ? model : dropping(seed, activation, believed)
  const [x, y] = [inputs(seed, batch), drawn(seed, batch)]
  const own = await shared(model, x, made.y?.(y) ?? y, undefined, { training })
  const all = Object.values(own).flatMap(({ data }) => Array.from(data))
  const variance = ((made.noise ?? 0) ** 2 * all.reduce((sum, v) => sum + v * v, 0)) / all.length
  const { normal } = random(seed, 0x6e6f)
  const change =
    made.change ?? ((g: Gradient) => eachTensor(g, (data) => data.map((v) => v + Math.sqrt(variance) * normal())))
  const gradient = change(own, seed)
  const leak = await deepLeakageFromGradients(attacked, Object.values(gradient), {
    ...{
      training: true,
      batchSize: told,
      labels: made.labels ?? 'infer',
      restarts: 1,
      iterations: 80,
      seed: 5,
      noise: variance,
    },
  })
  const off = told === batch ? distance(leak.data.dataSync(), x.dataSync(), batch) : Number.POSITIVE_INFINITY
  const right = off <= WRONG && sorted(leak.labels) === sorted(y)
  const says = `${leak.status}, relative loss ${leak.relativeLoss.toExponential(1)}, mse ${off.toExponential(1)}, labels ${leak.labels} for ${y}, ${leak.inferred?.rule} ${leak.inferred?.confidence}; ${leak.notes}`
  const sure = leak.inferred !== undefined && leak.inferred.confidence >= SURE && sorted(leak.labels) !== sorted(y)
  leak.dispose()
  if (leak.status === 'converged') return { says, verdict: right ? 'right' : 'false claim' }
  if (sure && made.y === undefined) return { says, verdict: 'false claim' }
  return { says, verdict: leak.status !== 'undetermined' && off < 1e-7 ? 'false failure' : 'unclaimed' }
}
for (const [name, made] of Object.entries<Dropping>({
  'one sample': { batch: 1 },
  'two samples': { batch: 2 },
  'four samples': { batch: 4 },
  'four samples, labels searched': { batch: 4, labels: 'joint' },
  'three samples behind a ReLU': { batch: 3, activation: 'relu' },
  'three samples behind tanh': { batch: 3, activation: 'tanh' },
  'as many samples as classes': { batch: 6 },
  'three samples told as two': { batch: 3, told: 2 },
  'two samples told as three': { batch: 2, told: 3 },
  'another rate': { batch: 2, believed: 0.2 },
  'a client without dropout': { batch: 2, training: false },
  'a client without dropout, behind a ReLU': { batch: 1, training: false, activation: 'relu' },
  'label smoothing': { batch: 2, y: (labels) => smoothed(labels, 0.1, 6) },
  'a factor of 0.3': { batch: 2, change: (g) => eachTensor(g, (data) => data.map((v) => 0.3 * v)) },
  'the opposite sign': { batch: 2, change: (g) => eachTensor(g, (data) => data.map((v) => -v)) },
  'noise of 1e-3, stated': { batch: 2, noise: 1e-3 },
  'noise of 0.1, stated': { batch: 2, noise: 0.1 },
  pruned: { batch: 2, change: (g) => eachTensor(g, pruned) },
  bfloat16: { batch: 2, change: (g) => eachTensor(g, (data) => data.map(bfloat16)) },
}))
  add('dropout', name, (seed) => masks(seed, made))

export const moreKinds: readonly Kind[] = kinds
