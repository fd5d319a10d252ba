/**
 * Does any attack claim what is not so? Adversarial set-ups on small models, made by seed, over every attack that claims something:
 *
 *   npm run bench:honesty [-- --seeds 5] [--first 1] [--only KIND] [--verbose]
 *
 * A claim is `converged` of the matching, `proven` and `exact` of closed forms, a `certified` candidate, tokens that are said to
 * occur, labels with a confidence of at least 0.9, and a proof. A set-up counts as a false claim where a claim is wrong, and as a
 * false failure where what was found is right to the precision of what was shared and is called failed. Exits 1 at any false claim.
 * Sequences, sentences, patches, tables and more of the rest are in the folder `honesty`.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import {
  DlgError,
  deepLeakageFromGradients,
  type FunctionalModel,
  inferLabels,
  type LeakageOptions,
  type Model,
} from '../src'
import { exactData, isolatedInputs, proofOf } from '../src/analytic'
import { type AttackName, attack, targetOf } from '../src/attacks'
import { random } from '../src/numbers/random'
import { moreKinds } from './honesty/more'
import { patchKinds } from './honesty/patches'
import { rGapKinds } from './honesty/r-gap'
import { sequenceKinds } from './honesty/sequences'
import {
  bfloat16,
  CLASSES,
  distance,
  eachTensor,
  float16,
  type Gradient,
  int8,
  type Judged,
  type Kind,
  pruned,
  RIGHT,
  rows,
  SURE,
  shared,
  smoothed,
  sorted,
  uniform,
  type Verdict,
  WRONG,
} from './honesty/set-up'
import { tableKinds } from './honesty/tables'
import { table } from './table'

// Models and data.

function filled(model: Sequential, seed: number, size: number): Sequential {
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -size, size)))
  return model
}

interface Net {
  readonly activation?: 'sigmoid' | 'relu' | 'tanh' | 'linear'
  readonly size?: number
  readonly classes?: number
  readonly units?: number
  /** Bias of the first layer in place of a random one. */
  readonly bias?: number
  readonly strides?: number
  readonly dropout?: number
}

function conv(
  seed: number,
  { activation = 'sigmoid', size = 0.5, bias, strides = 1, dropout = 0 }: Net = {},
): Sequential {
  const model = sequential()
  model.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, strides, activation }))
  model.add(layers.flatten())
  if (dropout) model.add(layers.dropout({ rate: dropout }))
  model.add(layers.dense({ units: CLASSES }))
  return withBias(filled(model, seed, size), bias)
}

function dense(
  seed: number,
  { activation = 'sigmoid', size = 0.5, classes = CLASSES, units = 12, bias }: Net = {},
): Sequential {
  const model = sequential()
  model.add(layers.dense({ inputShape: [8], units, activation }))
  model.add(layers.dense({ units: classes }))
  return withBias(filled(model, seed, size), bias)
}

function withBias(model: Sequential, bias: number | undefined): Sequential {
  if (bias !== undefined) model.setWeights(model.getWeights().map((w, i) => (i === 1 ? tf.fill(w.shape, bias) : w)))
  return model
}

const imagesOf = (seed: number, batch = 1) => rows([batch, 6, 6, 1], seed + 5000)
const rowsOf = (seed: number, batch = 1) => rows([batch, 8], seed + 5000)
const labelsOf = (seed: number, batch: number, classes = CLASSES): number[] =>
  Array.from(uniform(batch, seed + 9000, 0, classes), Math.floor)

/** A row, and three times it: behind a ReLU without bias they turn on the same units. */
const proportional = (x: tf.Tensor): tf.Tensor => tf.concat([x, tf.mul(x, 3)])

interface Matching {
  readonly model: Model
  readonly gradient: Parameters<typeof deepLeakageFromGradients>[1]
  /** Undefined where no data have this gradient. */
  readonly truth?: tf.Tensor
  readonly labels?: readonly number[]
  readonly options?: LeakageOptions
  /** Mean squared error up to which data are right, as far as what was shared can tell. */
  readonly right?: number
}

/** The matching, with certainty on. A claim is `converged`; its labels are claimed with it. */
async function matching(made: Promise<Matching>): Promise<Judged> {
  const { model, gradient, truth, labels, options = {}, right = RIGHT } = await made
  const leak = await deepLeakageFromGradients(model, gradient, { restarts: 2, iterations: 120, seed: 5, ...options })
  const off = truth ? distance(leak.data.dataSync(), truth.dataSync(), truth.shape[0]) : Number.POSITIVE_INFINITY
  const claims = leak.status === 'converged'
  const label = labels && leak.labels ? sorted(leak.labels) === sorted(labels) : true
  const says = `${leak.status}, relative loss ${leak.relativeLoss.toExponential(1)}, mse ${off.toExponential(1)}${label ? '' : `, labels ${leak.labels} for ${labels}`}`
  leak.dispose()
  if (claims) return { says, verdict: off > WRONG || !label ? 'false claim' : 'right' }
  const failed = leak.status !== 'undetermined'
  return { says, verdict: failed && off <= right && label ? 'false failure' : 'unclaimed' }
}

/** A closed form or search of the registry that claims `proven`. */
async function registry(
  name: AttackName,
  made: Promise<{ model: Model; gradient: Gradient; truth: tf.Tensor; told?: object; right?: number }>,
): Promise<Judged> {
  const { model, gradient, truth, told = {}, right = RIGHT } = await made
  const result = await attack(name, await targetOf(model, gradient, told), {}, { budget: { milliseconds: 2000 } })
  const { data } = result.found
  const off = data ? distance(data.dataSync(), truth.dataSync(), truth.shape[0]) : Number.POSITIVE_INFINITY
  const says = `${result.status}: ${result.reason}, mse ${off.toExponential(1)}`
  result.dispose()
  if (result.status === 'refused') return { says, verdict: 'refused' }
  if (result.status === 'proven') return { says, verdict: off > WRONG ? 'false claim' : 'right' }
  return { says, verdict: result.status === 'failed' && off <= right ? 'false failure' : 'unclaimed' }
}

/** `exactData`, whose claim is `exact`. */
async function exact(
  made: Promise<{ model: Model; gradient: Gradient; truth: tf.Tensor; told?: object }>,
): Promise<Judged> {
  const { model, gradient, truth, told = {} } = await made
  const found = await exactData(model, gradient, told)
  if (!found) return { says: 'nothing', verdict: 'refused' }
  const off = Math.min(
    ...Array.from({ length: truth.shape[0] }, (_, i) =>
      distance(found.input, truth.dataSync().subarray(8 * i, 8 * i + 8), 1),
    ),
  )
  const says = `${found.status}: ${found.reason}, mse ${off.toExponential(1)}`
  // one of several samples is not the sample
  const wrong = truth.shape[0] > 1 || off > WRONG
  return { says, verdict: found.status === 'exact' ? (wrong ? 'false claim' : 'right') : 'unclaimed' }
}

/** Labels with their confidence. `told` larger or smaller than the batch: then a class that is claimed must occur. */
async function labels(
  made: Promise<{ model: Model; gradient: Gradient; truth: readonly number[]; told?: number }>,
): Promise<Judged> {
  const { model, gradient, truth, told = truth.length } = await made
  const found = await inferLabels(model, gradient, { batchSize: told })
  const right =
    told === truth.length ? sorted(found.labels) === sorted(truth) : found.labels.every((c) => truth.includes(c))
  const says = `${found.labels} for ${truth} by ${found.rule}, confidence ${found.confidence.toFixed(2)}`
  if (found.confidence >= SURE) return { says, verdict: right ? 'right' : 'false claim' }
  return { says, verdict: 'unclaimed' }
}

/** A proof of data; `so` says whether they are the client's, or as good as. */
async function proof(
  made: Promise<{ model: Model; gradient: Gradient; data: tf.Tensor; labels: readonly number[]; so: boolean }>,
): Promise<Judged> {
  const { model, gradient, data, labels, so } = await made
  const { proven, residual, determined } = await proofOf(model, { data, labels: [...labels] }, gradient)
  const says = `${proven ? 'proven' : 'not proven'}, residual ${residual.toExponential(1)}, determined ${determined}`
  if (proven) return { says, verdict: so ? 'right' : 'false claim' }
  return { says, verdict: so && determined !== false ? 'false failure' : 'unclaimed' }
}

/** A token model: the mean of embeddings, and a dense layer. */
function bag(seed: number, tied: boolean): FunctionalModel {
  const weights: tf.NamedTensorMap = {
    table: rows([40, 6], seed, -1, 1),
    ...(tied ? {} : { w: rows([6, 40], seed + 1, -1, 1) }),
  }
  return {
    inputShape: [5],
    weights,
    apply(x, { table, w }) {
      const mean = tf.mean(tf.gather(table, tf.cast(x, 'int32')), 1) as tf.Tensor2D
      return w ? tf.matMul(mean, w as tf.Tensor2D) : tf.matMul(mean, table as tf.Tensor2D, false, true)
    },
  }
}

/** Tokens that are said to have a gradient. Where the attack itself expects strangers, it claims none by name. */
async function tokens(made: Promise<{ model: Model; gradient: Gradient; truth: readonly number[] }>): Promise<Judged> {
  const { model, gradient, truth } = await made
  const { status, reason, found } = await attack('token-set', await targetOf(model, gradient), {})
  const says = `${status}: ${reason}; ${found.tokens} for ${truth}`
  if (!found.tokens) return { says, verdict: 'unclaimed' }
  const strangers = found.tokens.filter((id) => !truth.includes(id)).length
  if (/expected among them/.test(reason)) return { says, verdict: 'unclaimed' }
  return { says, verdict: strangers > 0 ? 'false claim' : 'right' }
}

/** Candidates that are certified as samples. */
async function isolated(
  made: Promise<{ model: Sequential; gradient: Gradient; truth: tf.Tensor; outputs: number }>,
): Promise<Judged> {
  const { model, gradient, truth, outputs } = await made
  const [weight, bias] = Object.values(gradient).map(({ data }) => data)
  const [w, b] = model.getWeights().map((t) => t.dataSync<'float32'>())
  const { candidates } = isolatedInputs({ weight, bias }, { outputs, layer: { weight: w, bias: b } })
  const certified = candidates.filter((candidate) => candidate.certified)
  const width = truth.size / truth.shape[0]
  const off = certified.map(({ input }) =>
    Math.min(
      ...Array.from({ length: truth.shape[0] }, (_, i) =>
        distance(input, truth.dataSync().subarray(width * i, width * (i + 1)), 1),
      ),
    ),
  )
  const says = `${certified.length} of ${candidates.length} candidates certified, worst mse ${Math.max(0, ...off).toExponential(1)}`
  if (off.some((v) => v > WRONG)) return { says, verdict: 'false claim' }
  return { says, verdict: certified.length > 0 ? 'right' : 'unclaimed' }
}

// The kinds.

const kinds: Kind[] = []
const add = (attack: string, name: string, run: (seed: number) => Promise<Judged>): void => {
  kinds.push({ attack, name, run })
}

/** Set-ups of one convolution, changed in one way. */
type Change = (seed: number) => Promise<Omit<Matching, 'labels' | 'truth'> & Partial<Matching>>

const changes: Record<string, Change> = {
  honest: async (s) => honest(s),
  'labels inferred': async (s) => ({ ...(await honest(s)), options: { labels: 'infer' } }),
  'another model': async (s) => {
    const { model } = await honest(s)
    const [x, y] = [imagesOf(s), labelsOf(s, 1)]
    const other = await shared(conv(s + 77), x, y)
    return { model, gradient: Object.values(other), truth: undefined }
  },
  'tensors in another order': async (s) => {
    const model = sequential({
      layers: [1, 2, 3].map((i) =>
        layers.dense({ units: 8, activation: i < 3 ? 'sigmoid' : 'linear', ...(i === 1 && { inputShape: [8] }) }),
      ),
    })
    filled(model, s, 1)
    const [a, b, c, d, e, f] = Object.values(await shared(model, rowsOf(s), labelsOf(s, 1)))
    return { model, gradient: [c, d, a, b, e, f], truth: undefined }
  },
  'the opposite sign': async (s) => honest(s, { change: (v) => -v }),
  'the opposite sign, labels inferred': async (s) => ({
    ...(await honest(s, { change: (v) => -v })),
    options: { labels: 'infer' },
  }),
  'a factor of 0.1': async (s) => honest(s, { change: (v) => 0.1 * v }),
  'a factor of -0.3': async (s) => honest(s, { change: (v) => -0.3 * v }),
  'a factor of 3': async (s) => honest(s, { change: (v) => 3 * v }),
  'a factor that is fitted': async (s) => ({
    ...(await honest(s, { change: (v) => 0.4 * v })),
    options: { scale: 'auto' },
  }),
  'two samples told as one': async (s) => {
    const model = conv(s)
    return { model, gradient: await shared(model, imagesOf(s, 2), labelsOf(s, 2)), truth: undefined }
  },
  'four told as one, one label, small weights': async (s) => {
    const model = dense(s, { size: 0.01, classes: 8 })
    return { model, gradient: await shared(model, rowsOf(s, 4), [1, 1, 1, 1]), truth: undefined }
  },
  'four told as one, two classes': async (s) => {
    const model = filled(sequential({ layers: [layers.dense({ inputShape: [8], units: 2 })] }), s, 0.5)
    return { model, gradient: await shared(model, rowsOf(s, 4), labelsOf(s, 4, 2)), truth: undefined }
  },
  'one sample told as two': async (s) => {
    const { truth, ...rest } = await honest(s)
    return { ...rest, truth: tf.concat([truth!, truth!]), labels: undefined, options: { batchSize: 2 } }
  },
  'a wrong label given': async (s) => ({
    ...(await honest(s)),
    labels: undefined,
    options: { labels: [(labelsOf(s, 1)[0] + 1) % CLASSES] },
  }),
  'label smoothing': async (s) => {
    const model = conv(s)
    const truth = imagesOf(s)
    return {
      model,
      truth,
      gradient: await shared(model, truth, smoothed(labelsOf(s, 1), 0.1)),
      options: { labels: 'infer' },
    }
  },
  'dead ReLU': async (s) => honest(s, { activation: 'relu', bias: -50 }),
  'dead ReLU, labels inferred': async (s) => ({
    ...(await honest(s, { activation: 'relu', bias: -50 })),
    options: { labels: 'infer' },
  }),
  'saturated sigmoid, bias 10': async (s) => honest(s, { bias: 10 }),
  'saturated sigmoid, bias 20, balanced': async (s) => ({
    ...(await honest(s, { bias: 20 })),
    options: { distance: 'balanced' },
  }),
  'saturated sigmoid, bias 30': async (s) => honest(s, { bias: 30 }),
  'weights used twice': async (s) => {
    const weights = { w: rows([8, 8], s, -1, 1), v: rows([8, CLASSES], s + 1, -1, 1) }
    const model: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, { w, v }) => {
        const once = tf.sigmoid(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D
        return tf.matMul(tf.sigmoid(tf.matMul(once, w as tf.Tensor2D)) as tf.Tensor2D, v as tf.Tensor2D)
      },
    }
    const [truth, y] = [rowsOf(s), labelsOf(s, 1)]
    return { model, truth, labels: y, gradient: await shared(model, truth, y) }
  },
  'pixels that no filter reads': async (s) => honest(s, { strides: 4 }),
  'the mean of the data': async (s) => {
    const model = filled(
      sequential({
        layers: [
          layers.globalAveragePooling2d({ inputShape: [6, 6, 1] }),
          layers.dense({ units: 8, activation: 'sigmoid' }),
          layers.dense({ units: CLASSES }),
        ],
      }),
      s,
      0.5,
    )
    const [truth, y] = [imagesOf(s), labelsOf(s, 1)]
    return { model, truth, labels: y, gradient: await shared(model, truth, y) }
  },
  'two data with one gradient, (x - 0.5)²': async (s) => {
    const weights = { w: rows([8, 8], s, -1, 1), v: rows([8, CLASSES], s + 1, -1, 1) }
    const model: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, { w, v }) =>
        tf.matMul(
          tf.sigmoid(tf.matMul(tf.square(tf.sub(x, 0.5)) as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D,
          v as tf.Tensor2D,
        ),
    }
    const [truth, y] = [rowsOf(s), labelsOf(s, 1)]
    return { model, truth, labels: y, gradient: await shared(model, truth, y) }
  },
  'two data with one gradient, |x - b|': async (s) => {
    const b = rows([8], s + 2, 0.2, 0.8)
    return behind(s, (x) => tf.abs(tf.sub(x, b)))
  },
  'two data with one gradient, x (1 - x)': async (s) => behind(s, (x) => tf.mul(x, tf.sub(1, x))),
  'a cube, which has every value once': async (s) => behind(s, (x) => tf.add(x, tf.mul(x, tf.square(x)))),
  'positions in any order': async (s) => {
    const { model, truth, y } = positions(s)
    return { model, truth, labels: y, gradient: await shared(model, truth, y) }
  },
  'data and targets of either sign': async (s) => {
    const model = sequential({
      layers: [6, 5, 3].map((units, i) =>
        layers.dense({
          units,
          useBias: false,
          activation: i < 2 ? 'tanh' : 'linear',
          ...(i === 0 && { inputShape: [4] }),
        }),
      ),
    })
    filled(model, s, 1)
    const truth = rows([1, 4], s + 5000, -1, 1)
    const criterion = 'meanSquaredError' as const
    const gradient = await shared(model, truth, rows([1, 3], s + 6000, -1, 1), undefined, { criterion })
    return { model, truth, gradient, options: { criterion, dataRange: [-1, 1] } }
  },
  'three told as one, one output': async (s) => {
    const model = filled(sequential({ layers: [layers.dense({ inputShape: [8], units: 1 })] }), s, 0.5)
    const criterion = 'meanSquaredError' as const
    const gradient = await shared(model, rowsOf(s, 3), rows([3, 1], s + 6000), undefined, { criterion })
    return { model, gradient, options: { criterion } }
  },
  'two in proportion told as one, small weights': async (s) => {
    const model = withBias(dense(s, { size: 0.001, activation: 'relu', classes: 6 }), 0)
    const gradient = await shared(model, proportional(rowsOf(s)), [2, 2])
    return { model, gradient, options: { labels: [2], preset: 'robust' } }
  },
  'one label, a batch of two': async (s) => {
    const [model, truth] = [conv(s), imagesOf(s, 2)]
    return { model, truth, labels: [1, 1], gradient: await shared(model, truth, [1, 1]), options: { batchSize: 2 } }
  },
  'dropout, a batch of two': async (s) => {
    const [model, truth, y] = [conv(s, { dropout: 0.3 }), imagesOf(s, 2), labelsOf(s, 2)]
    const gradient = await shared(model, truth, y, undefined, { training: true })
    return { model, truth, labels: y, gradient, options: { training: true, batchSize: 2 } }
  },
  'weights of the step before': async (s) => {
    const made = await honest(s)
    const model = made.model as Sequential
    const gradient = Object.values(made.gradient as Gradient)
    const before = model.getWeights()
    model.setWeights(before.map((w, i) => tf.sub(w, tf.mul(0.5, tf.tensor(gradient[i].data, gradient[i].shape)))))
    return { ...made, gradient, truth: undefined }
  },
  'classes in another order': async (s) => {
    const made = await honest(s)
    const turn = ({ shape, data }: Gradient[string]) => {
      const width = shape[shape.length - 1]
      return { shape, data: data.map((_, i) => data[i - (i % width) + ((i + 1) % width)]) }
    }
    const all = Object.entries(made.gradient as Gradient)
    const gradient = Object.fromEntries(all.map(([name, t], i) => [name, i < 2 ? t : turn(t)]))
    return { ...made, gradient, truth: undefined }
  },
  'signs alone': async (s) => honest(s, { change: Math.sign }),
  'float16, stated': async (s) => ({
    ...(await honest(s, { change: float16 })),
    options: { precision: 'float16' },
    right: 1e-6,
  }),
  'noise of 5 %, stated': async (s) => {
    const draw = random(s, 3)
    const made = await honest(s)
    const all = Object.values(made.gradient as Gradient).flatMap(({ data }) => [...data])
    const size = 0.05 * Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)
    const gradient = eachTensor(made.gradient as Gradient, (data) => data.map((v) => v + size * draw.normal()))
    return { ...made, gradient, options: { noise: size ** 2 }, right: 1e-5 }
  },
  'bfloat16, stated': async (s) => ({
    ...(await honest(s, { change: bfloat16 })),
    options: { precision: 'bfloat16' },
    right: 1e-6,
  }),
  'bfloat16, not stated': async (s) => honest(s, { change: bfloat16 }),
  'int8, stated': async (s) => {
    const made = await honest(s)
    return {
      ...made,
      gradient: eachTensor(made.gradient as Gradient, int8),
      options: { precision: 'int8', labels: 'infer' },
      right: 1e-6,
    }
  },
  'int8, not stated': async (s) => {
    const made = await honest(s)
    return { ...made, gradient: eachTensor(made.gradient as Gradient, int8) }
  },
  'noise of 5 %': async (s) => {
    const draw = random(s, 3)
    return honest(s, { change: (v) => v * (1 + 0.05 * draw.normal()) })
  },
  pruned: async (s) => {
    const made = await honest(s)
    return { ...made, gradient: eachTensor(made.gradient as Gradient, pruned) }
  },
  dropout: async (s) => {
    const model = conv(s, { dropout: 0.3 })
    const [truth, y] = [imagesOf(s), labelsOf(s, 1)]
    return {
      model,
      truth,
      labels: y,
      gradient: await shared(model, truth, y, undefined, { training: true }),
      options: { training: true },
    }
  },
  'numbers near underflow': async (s) => honest(s, { change: (v) => v * 1e-38 }),
  'a sure model, balanced': async (s) => {
    const model = conv(s)
    model.setWeights(
      model.getWeights().map((w, i) => (i === 2 ? tf.mul(w, 0.2) : i === 3 ? tf.tensor([0, 0, 50, 0]) : w)),
    )
    const truth = imagesOf(s)
    return {
      model,
      truth,
      gradient: await shared(model, truth, [2], undefined, { runtime: 'reference' }),
      options: { labels: [2], distance: 'balanced', restarts: 1 },
    }
  },
  'some tensors alone': async (s) => {
    const made = await honest(s)
    const all = Object.entries(made.gradient as Gradient)
    return { ...made, gradient: Object.fromEntries(all.slice(2)), options: { missing: 'allowed' } }
  },
}

/** A sigmoid layer and a linear one behind a function of the data. */
async function behind(seed: number, of: (x: tf.Tensor) => tf.Tensor): Promise<Matching> {
  const weights = { w: rows([8, 8], seed, -1, 1), v: rows([8, CLASSES], seed + 1, -1, 1) }
  const model: FunctionalModel = {
    inputShape: [8],
    weights,
    apply: (x, { w, v }) =>
      tf.matMul(tf.sigmoid(tf.matMul(of(x) as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D, v as tf.Tensor2D),
  }
  const [truth, y] = [rowsOf(seed), labelsOf(seed, 1)]
  return { model, truth, labels: y, gradient: await shared(model, truth, y) }
}

/** Four positions, a layer for each of them, and their mean. */
function positions(seed: number) {
  const weights = { w: rows([3, 12], seed, -1, 1), v: rows([12, CLASSES], seed + 1, -1, 1) }
  const model: FunctionalModel = {
    inputShape: [4, 3],
    weights,
    apply: (x, { w, v }) => {
      const each = tf.sigmoid(tf.matMul(tf.reshape(x, [-1, 3]) as tf.Tensor2D, w as tf.Tensor2D))
      return tf.matMul(tf.mean(tf.reshape(each, [-1, 4, 12]), 1) as tf.Tensor2D, v as tf.Tensor2D)
    },
  }
  return { model, truth: rows([1, 4, 3], seed + 5000), y: labelsOf(seed, 1) }
}

async function honest(
  seed: number,
  { change, ...net }: Net & { change?: (v: number) => number } = {},
): Promise<Matching> {
  const model = conv(seed, net)
  const [truth, labels] = [imagesOf(seed), labelsOf(seed, 1)]
  return { model, truth, labels, gradient: await shared(model, truth, labels, change) }
}

for (const [name, make] of Object.entries(changes)) add('matching', name, (seed) => matching(make(seed)))

interface OneRow {
  readonly model: Model
  readonly gradient: Gradient
  readonly truth: tf.Tensor
  readonly told?: object
  readonly right?: number
}

const oneRow = async (seed: number, net: Net = {}, change?: (v: number) => number, batch = 1): Promise<OneRow> => {
  const model = dense(seed, net)
  const truth = rowsOf(seed, batch)
  return { model, truth, gradient: await shared(model, truth, labelsOf(seed, batch, net.classes), change) }
}

const firstDense: Record<string, (seed: number) => Promise<OneRow>> = {
  honest: (s) => oneRow(s),
  'behind ReLU': (s) => oneRow(s, { activation: 'relu' }),
  'two told as one': (s) => oneRow(s, {}, undefined, 2),
  'four told as one, linear, two classes': (s) => oneRow(s, { activation: 'linear', classes: 2 }, undefined, 4),
  'one label, small weights': async (s) => {
    const [model, truth] = [dense(s, { size: 0.003, classes: 8 }), rowsOf(s, 4)]
    return { model, truth, gradient: await shared(model, truth, [2, 2, 2, 2]) }
  },
  'one label, smaller weights': async (s) => {
    const [model, truth] = [dense(s, { size: 0.001, classes: 8, activation: 'tanh' }), rowsOf(s, 2)]
    return { model, truth, gradient: await shared(model, truth, [2, 2]) }
  },
  'two in proportion, small weights': async (s) => {
    const [model, truth] = [withBias(dense(s, { size: 0.001, activation: 'relu', classes: 6 }), 0), rowsOf(s)]
    const two = proportional(truth)
    return { model, truth: two, gradient: await shared(model, two, [2, 2]) }
  },
  'a layer used twice': async (s) => {
    const weights = { w: rows([8, 6], s, -1, 1), b: rows([6], s + 1), v: rows([6, CLASSES], s + 2, -1, 1) }
    const model: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, { w, b, v }) => {
        const layer = (t: tf.Tensor) => tf.add(tf.matMul(t as tf.Tensor2D, w as tf.Tensor2D), b)
        return tf.matMul(tf.add(layer(x), layer(tf.mul(x, 2))) as tf.Tensor2D, v as tf.Tensor2D)
      },
    }
    const truth = rowsOf(s)
    return { model, truth, gradient: await shared(model, truth, labelsOf(s, 1)) }
  },
  'another model': async (s) => {
    const { gradient, truth } = await oneRow(s)
    const model = dense(s + 77)
    const names = await shared(model, truth, [0])
    return {
      model,
      truth,
      gradient: Object.fromEntries(Object.keys(names).map((name, i) => [name, Object.values(gradient)[i]])),
    }
  },
  'the opposite sign': (s) => oneRow(s, {}, (v) => -v),
  'a factor of 0.1': (s) => oneRow(s, {}, (v) => 0.1 * v),
  'label smoothing': async (s) => {
    const [model, truth] = [dense(s), rowsOf(s)]
    return { model, truth, gradient: await shared(model, truth, smoothed(labelsOf(s, 1), 0.1)) }
  },
  'bfloat16, stated': async (s) => ({
    ...(await oneRow(s, { size: 1 }, bfloat16)),
    told: { precision: 'bfloat16' },
    right: 1e-4,
  }),
  'noise of 1 %': (s) => {
    const draw = random(s, 4)
    return oneRow(s, {}, (v) => v * (1 + 0.01 * draw.normal()))
  },
  'dead ReLU': (s) => oneRow(s, { activation: 'relu', bias: -50 }),
  'saturated sigmoid': (s) => oneRow(s, { bias: 15 }),
  pruned: async (s) => {
    const made = await oneRow(s)
    return { ...made, gradient: eachTensor(made.gradient, pruned) }
  },
}
for (const [name, make] of Object.entries(firstDense)) {
  add('dense-inversion', name, async (seed) => {
    const made = await make(seed)
    // as one sample: several are never it
    return registry('dense-inversion', Promise.resolve({ ...made }))
  })
  add('exactData', name, (seed) => exact(make(seed)))
}

const reluBatch = async (
  seed: number,
  options: {
    batch?: number
    activation?: Net['activation']
    change?: (v: number) => number
    classes?: number
    sameLabel?: boolean
  } = {},
) => {
  const { batch = 3, activation = 'relu', change, classes = 6, sameLabel } = options
  const model = sequential({
    layers: [layers.dense({ inputShape: [20], units: 60, activation }), layers.dense({ units: classes })],
  })
  filled(model, seed, 0.5)
  const truth = rows([batch, 20], seed + 5000, -1, 1)
  const y = sameLabel ? Array(batch).fill(1) : labelsOf(seed, batch, classes)
  return { model, truth, outputs: classes, gradient: await shared(model, truth, y, change) }
}
/** A row and three times it, of one class, behind a ReLU without bias. */
async function proportionalBatch(seed: number, size: number, classes: number) {
  const { model } = await reluBatch(seed, { classes })
  withBias(filled(model, seed, size), 0)
  const truth = proportional(rows([1, 20], seed + 5000, -1, 1))
  return { model, truth, outputs: classes, gradient: await shared(model, truth, [1, 1]) }
}

const batches: Record<string, (seed: number) => Promise<Awaited<ReturnType<typeof reluBatch>> & { told?: object }>> = {
  honest: (s) => reluBatch(s),
  'one label': (s) => reluBatch(s, { sameLabel: true }),
  'two classes': (s) => reluBatch(s, { classes: 2 }),
  'a sigmoid behind': (s) => reluBatch(s, { activation: 'sigmoid' }),
  'as many samples as it has inputs': (s) => reluBatch(s, { batch: 20 }),
  'a factor': (s) => reluBatch(s, { change: (v) => 0.3 * v }),
  'the opposite sign': (s) => reluBatch(s, { change: (v) => -v }),
  'two in proportion, small weights': (s) => proportionalBatch(s, 0.001, 6),
  'two in proportion, two classes, a factor that is fitted': async (s) => ({
    ...(await proportionalBatch(s, 0.5, 2)),
    told: { scale: 'auto' },
  }),
  noise: (s) => {
    const draw = random(s, 5)
    return reluBatch(s, { change: (v) => v * (1 + 0.01 * draw.normal()) })
  },
  'another model': async (s) => {
    const [made, other] = [await reluBatch(s), await reluBatch(s + 77)]
    const names = Object.keys(made.gradient)
    return {
      ...other,
      truth: made.truth,
      gradient: Object.fromEntries(Object.keys(other.gradient).map((name, i) => [name, made.gradient[names[i]]])),
    }
  },
}
for (const [name, make] of Object.entries(batches)) {
  add('isolated inputs', name, (seed) => isolated(make(seed)))
  add('spear', name, async (seed) => {
    const made = await make(seed)
    // what is in proportion is told as one
    const batchSize = name.includes('proportion') ? 1 : made.truth.shape[0]
    return registry('spear', Promise.resolve({ ...made, told: { batchSize, ...made.told } }))
  })
}

const tokenSetUps: Record<string, (seed: number) => Promise<{ model: Model; gradient: Gradient; truth: number[] }>> = {
  honest: (s) => sentence(s, false),
  'tied weights': (s) => sentence(s, true),
  'noise on every row': async (s) => {
    const draw = random(s, 6)
    return sentence(s, false, (v) => v + 1e-4 * draw.normal())
  },
}
async function sentence(seed: number, tied: boolean, change?: (v: number) => number) {
  const model = bag(seed, tied)
  const ids = labelsOf(seed, 5, 40)
  const x = tf.tensor([ids], [1, 5], 'int32')
  return { model, truth: ids, gradient: await shared(model, x, [ids[0]], change) }
}
for (const [name, make] of Object.entries(tokenSetUps)) add('token set', name, (seed) => tokens(make(seed)))

const batchLabels = async (
  seed: number,
  {
    net = {},
    told,
    epsilon = 0,
    change,
    one = false,
    classes = 6,
  }: {
    net?: Net
    told?: number
    epsilon?: number
    change?: (v: number) => number
    one?: boolean
    classes?: number
  } = {},
) => {
  const batch = 1 + (seed % 5)
  const model = dense(seed, { classes, size: [0.1, 0.5, 1][seed % 3], ...net })
  const truth: number[] = one ? Array(batch).fill(3) : labelsOf(seed, batch, classes)
  const y = epsilon ? smoothed(truth, epsilon, classes) : truth
  return {
    model,
    truth,
    told: told === undefined ? undefined : Math.max(1, batch + told),
    gradient: await shared(model, rowsOf(seed, batch), y, change),
  }
}
const labelSetUps: Record<string, (seed: number) => ReturnType<typeof batchLabels>> = {
  'a sum told as a mean': async (s) => {
    const made = await batchLabels(s)
    return { ...made, gradient: eachTensor(made.gradient, (data) => data.map((v) => v * made.truth.length)) }
  },
  'another model': async (s) => {
    const [made, other] = [await batchLabels(s), await batchLabels(s + 50)]
    const gradients = Object.values(other.gradient)
    const names = Object.keys(made.gradient)
    return { ...made, truth: other.truth, gradient: Object.fromEntries(names.map((name, i) => [name, gradients[i]])) }
  },
  'two classes': (s) => batchLabels(s, { classes: 2 }),
  'trained to be sure': (s) => batchLabels(s, { net: { size: 6 } }),
  'two halves of a batch, the second turned': async (s) => {
    const [made, other] = [await batchLabels(s, { one: true }), await batchLabels(s)]
    const names = Object.keys(made.gradient)
    const half = Object.values(other.gradient)
    const minus = ({ shape, data }: Gradient[string], i: number) => ({
      shape,
      data: data.map((v, k) => v - half[i].data[k]),
    })
    const gradient = Object.fromEntries(names.map((name, i) => [name, minus(made.gradient[name], i)]))
    return { ...made, gradient, truth: [] }
  },
  pruned: async (s) => {
    const made = await batchLabels(s)
    return { ...made, gradient: eachTensor(made.gradient, pruned) }
  },
  honest: (s) => batchLabels(s),
  'behind ReLU': (s) => batchLabels(s, { net: { activation: 'relu' } }),
  'one label': (s) => batchLabels(s, { one: true }),
  'one sample too many': (s) => batchLabels(s, { told: 1 }),
  'two samples too many': (s) => batchLabels(s, { told: 2 }),
  'one sample too few': (s) => batchLabels(s, { told: -1 }),
  'label smoothing 0.1': (s) => batchLabels(s, { epsilon: 0.1 }),
  'label smoothing 0.3': (s) => batchLabels(s, { epsilon: 0.3 }),
  'a factor of 0.3': (s) => batchLabels(s, { change: (v) => 0.3 * v }),
  'a factor of 4': (s) => batchLabels(s, { change: (v) => 4 * v }),
  'the opposite sign': (s) => batchLabels(s, { change: (v) => -v }),
  noise: (s) => {
    const draw = random(s, 7)
    return batchLabels(s, { change: (v) => v * (1 + 0.05 * draw.normal()) })
  },
}
for (const [name, make] of Object.entries(labelSetUps)) add('labels', name, (seed) => labels(make(seed)))

const proofs: Record<
  string,
  (
    seed: number,
  ) => Promise<{ model: Model; gradient: Gradient; data: tf.Tensor; labels: readonly number[]; so: boolean }>
> = {
  honest: (s) => proofSetUp(s, true),
  noise: (s) => proofSetUp(s, false),
  'noise behind a dead ReLU': (s) => proofSetUp(s, false, { activation: 'relu', bias: -50 }),
  'noise behind a saturated sigmoid, bias 10': (s) => proofSetUp(s, false, { bias: 10 }),
  'noise behind a saturated sigmoid, bias 30': (s) => proofSetUp(s, false, { bias: 30 }),
  'pixels that no filter reads': (s) => proofSetUp(s, false, { strides: 4 }),
  'the other data of x (1 - x)': async (s) => {
    const { model, truth, labels, gradient } = await behind(s, (x) => tf.mul(x, tf.sub(1, x)))
    return { model, data: tf.sub(1, truth!), labels: labels!, so: false, gradient: gradient as Gradient }
  },
  'positions in reverse order': async (s) => {
    const { model, truth, y } = positions(s)
    return { model, data: tf.reverse(truth, 1), labels: y, so: false, gradient: await shared(model, truth, y) }
  },
  'the mean of two in proportion for them': async (s) => {
    const [model, x] = [withBias(dense(s, { size: 0.001, activation: 'relu', classes: 6 }), 0), rowsOf(s)]
    const gradient = await shared(model, proportional(x), [1, 1])
    return { model, data: tf.mul(x, 2), labels: [1], so: false, gradient }
  },
  'the mean of four for the four': async (s) => {
    const [model, x] = [dense(s, { size: 0.001 }), rowsOf(s, 4)]
    const data = tf.mean(x, 0, true)
    return { model, data, labels: [1], so: false, gradient: await shared(model, x, [1, 1, 1, 1]) }
  },
}
async function proofSetUp(seed: number, so: boolean, net: Net = {}) {
  const model = conv(seed, net)
  const [x, y] = [imagesOf(seed), labelsOf(seed, 1)]
  // what no filter reads is noise, and the rest is right
  const noise = rows([1, 6, 6, 1], seed + 7000)
  const unread = net.strides
    ? tf.tensor(
        x.dataSync().map((v, i) => (Math.floor(i / 6) % 4 === 3 || (i % 6) % 4 === 3 ? noise.dataSync()[i] : v)),
        [1, 6, 6, 1],
      )
    : noise
  return { model, labels: y, so, data: so ? x : unread, gradient: await shared(model, x, y) }
}
for (const [name, make] of Object.entries(proofs)) add('proofOf', name, (seed) => proof(make(seed)))

// The run.

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '4' },
    first: { type: 'string', default: '1' },
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
const [seeds, first] = [Number(values.seeds), Number(values.first)]
tf.env().set('IS_NODE', false)
const began = performance.now()
const total: Record<Verdict, number> = { right: 0, unclaimed: 0, refused: 0, 'false claim': 0, 'false failure': 0 }
const lines: string[][] = []
for (const { attack, name, run } of [
  ...kinds,
  ...sequenceKinds,
  ...patchKinds,
  ...rGapKinds,
  ...tableKinds,
  ...moreKinds,
]) {
  if (values.only && !`${attack}: ${name}`.includes(values.only)) continue
  const counts: Record<Verdict, number> = { right: 0, unclaimed: 0, refused: 0, 'false claim': 0, 'false failure': 0 }
  const started = performance.now()
  for (let seed = first; seed < first + seeds; seed++) {
    // only tensors that a set-up keeps are freed here: models and variables of tfjs stay
    tf.engine().startScope()
    let judged: Judged
    try {
      judged = await run(seed)
    } catch (error) {
      if (!(error instanceof DlgError)) throw new Error(`${attack}: ${name}, seed ${seed}`, { cause: error })
      judged = { verdict: 'refused', says: `${error.code}: ${error.message}` }
    } finally {
      tf.engine().endScope()
    }
    counts[judged.verdict]++
    total[judged.verdict]++
    if (values.verbose || judged.verdict.startsWith('false'))
      console.log(`${judged.verdict}: ${attack}: ${name}, seed ${seed}: ${judged.says}`)
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  lines.push([attack, name, String(seeds), ...Object.values(counts).map(String), seconds])
}
const all = Object.values(total).reduce((a, b) => a + b, 0)
lines.push([
  'all',
  '',
  String(all),
  ...Object.values(total).map(String),
  ((performance.now() - began) / 1000).toFixed(0),
])
console.log(
  table(
    ['attack', 'kind', 'set-ups', 'right', 'unclaimed', 'refused', 'false claims', 'false failures', 'seconds'],
    lines,
  ),
)
console.log(
  `${all} set-ups in ${((performance.now() - began) / 1000).toFixed(0)} s: ${total['false claim']} false claims, ${total['false failure']} false failures`,
)
if (total['false claim'] > 0) process.exitCode = 1
