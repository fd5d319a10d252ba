/** One sample as a vision transformer's patches: `patch-inversion`, whose claims are `proven` and that data re-create what was shared. */
import * as tf from '@tensorflow/tfjs-core'
import { type VitOptions, vit } from '../../examples/models/vit'
import type { FunctionalModel } from '../../src'
import { attack, type TargetOptions, targetOf } from '../../src/attacks'
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
  shared,
  smoothed,
  WRONG,
} from './set-up'

interface SetUp {
  readonly model: FunctionalModel
  readonly gradient: Gradient
  /** Undefined where no sample has this gradient. */
  readonly truth?: tf.Tensor
  readonly told?: TargetOptions
  readonly labels?: readonly number[]
  readonly right?: number
}

async function judged(made: Promise<SetUp>): Promise<Judged> {
  const { model, gradient, truth, told = {}, labels, right = 1e-6 } = await made
  const result = await attack('patch-inversion', await targetOf(model, gradient, told), labels ? { labels } : {})
  const { data, labels: said } = result.found
  const off = data && truth ? distance(data.dataSync(), truth.dataSync(), 1) : Number.POSITIVE_INFINITY
  const says = `${result.status}: ${result.reason}, mse ${off.toExponential(1)}`
  const verdict = await verdictOf()
  result.dispose()
  return { says, verdict }

  async function verdictOf(): Promise<Judged['verdict']> {
    if (result.status === 'refused') return 'refused'
    if (result.status === 'proven') return off > WRONG ? 'false claim' : 'right'
    if (result.status === 'failed') return off <= right ? 'false failure' : 'unclaimed'
    if ((result.status !== 'matched' && result.status !== 'undetermined') || !data || !said) return 'unclaimed'
    // it says that the data re-create what was shared: they are asked
    const again = await shared(model, data, [...said])
    let [left, whole] = [0, 0]
    for (const [name, { data: values }] of Object.entries(gradient))
      for (let i = 0; i < values.length; i++) {
        left += (values[i] - again[name].data[i]) ** 2
        whole += values[i] ** 2
      }
    return Math.sqrt(left / whole) > 2 * result.evidence.floor! ? 'false claim' : 'unclaimed'
  }
}

const SMALL = { size: 8, patch: 2, width: 24, heads: 2, blocks: 1, classes: 4 }
const made = (seed: number, options: VitOptions = {}): FunctionalModel => vit({ ...SMALL, seed, ...options })
const imageOf = (seed: number, batch = 1): tf.Tensor => rows([batch, 8, 8, 3], seed + 5000)
const labelOf = (seed: number): number => seed % 4

async function one(seed: number, options: VitOptions = {}, change: (g: Gradient) => Gradient = (g) => g) {
  const [model, truth] = [made(seed, options), imageOf(seed)]
  return { model, truth, gradient: change(await shared(model, truth, [labelOf(seed)])) }
}

/** Weights that are far from their first values. */
function trained(model: FunctionalModel, seed: number): FunctionalModel {
  const weights = model.weights as Record<string, tf.Tensor>
  for (const [i, name] of Object.keys(weights).entries())
    weights[name] = tf.add(tf.mul(weights[name], 1.5), rows(weights[name].shape, 100 * seed + i, -0.3, 0.3))
  return model
}

const noisy =
  (level: number, seed: number) =>
  (gradient: Gradient): Gradient => {
    const draw = random(seed, 0x6e6f69)
    return eachTensor(gradient, (data) => {
      const size = level * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length)
      return data.map((v) => v + size * draw.normal())
    })
  }

const setUps: Record<string, (seed: number) => Promise<SetUp>> = {
  honest: (s) => one(s),
  'the mean of the patches': (s) => one(s, { classToken: false }),
  'larger patches than it is wide': (s) => one(s, { patch: 4, width: 8 }),
  'fewer directions than patches': (s) => one(s, { width: 8 }),
  trained: async (s) => {
    const [model, truth] = [trained(made(s), s), imageOf(s)]
    return { model, truth, gradient: await shared(model, truth, [labelOf(s)]) }
  },
  'trained, the mean of the patches': async (s) => {
    const [model, truth] = [trained(made(s, { classToken: false }), s), imageOf(s)]
    return { model, truth, gradient: await shared(model, truth, [labelOf(s)]) }
  },
  'one colour': async (s) => {
    const [model, truth] = [made(s), tf.fill([1, 8, 8, 3], 0.4)]
    return { model, truth, gradient: await shared(model, truth, [labelOf(s)]) }
  },
  'another model': async (s) => ({ ...(await one(s)), model: made(s + 77), truth: undefined }),
  'a step behind': async (s) => {
    const { model, gradient } = await one(s)
    const weights = model.weights as Record<string, tf.Tensor>
    for (const [name, { data, shape }] of Object.entries(gradient))
      weights[name] = tf.sub(weights[name], tf.mul(0.1, tf.tensor(data, shape)))
    return { model, gradient }
  },
  'the patches of another size': async (s) => {
    // 2 · 8 and 8 · 2 pixels: as many patches, and weights of the same shapes
    const [model, other] = [made(s, { embedding: 'dense' }), made(s, { embedding: 'dense' })]
    const turned: FunctionalModel = { ...other, apply: (x, w) => other.apply(tf.transpose(x, [0, 2, 1, 3]), w) }
    // undetectable but for the place of the pixels: the transposed image has this gradient
    const truth = imageOf(s)
    return {
      model: turned,
      truth: tf.transpose(truth, [0, 2, 1, 3]),
      gradient: await shared(model, truth, [labelOf(s)]),
    }
  },
  'two samples told as one': async (s) => {
    const model = made(s)
    return { model, gradient: await shared(model, imageOf(s, 2), [0, 1]) }
  },
  'two samples of one label told as one': async (s) => {
    const model = made(s)
    return { model, gradient: await shared(model, imageOf(s, 2), [1, 1]) }
  },
  'two samples of one label told as one, small weights': async (s) => {
    const model = made(s)
    const weights = model.weights as Record<string, tf.Tensor>
    for (const name of Object.keys(weights)) if (!/gamma/.test(name)) weights[name] = tf.mul(weights[name], 0.01)
    return { model, gradient: await shared(model, imageOf(s, 2), [1, 1]) }
  },
  'two samples of one label told as one, smaller weights': async (s) => {
    const model = made(s, { classToken: false })
    const weights = model.weights as Record<string, tf.Tensor>
    for (const name of Object.keys(weights))
      if (!/gamma|patches|positions/.test(name)) weights[name] = tf.mul(weights[name], 1e-4)
    return { model, gradient: await shared(model, imageOf(s, 2), [1, 1]) }
  },
  'two samples that are nearly the same, told as one': async (s) => {
    const [model, x] = [made(s), imageOf(s)]
    const both = tf.concat([x, tf.add(x, tf.mul(0.1, imageOf(s + 1)))])
    return { model, gradient: await shared(model, both, [1, 1]) }
  },
  'a wrong label given': async (s) => ({ ...(await one(s)), truth: undefined, labels: [(labelOf(s) + 1) % 4] }),
  'label smoothing': async (s) => {
    const [model, truth] = [made(s), imageOf(s)]
    return { model, truth, gradient: await shared(model, truth, smoothed([labelOf(s)], 0.1)) }
  },
  'a factor of 0.1': (s) => one(s, {}, (g) => eachTensor(g, (data) => data.map((v) => 0.1 * v))),
  'the opposite sign': async (s) => ({
    ...(await one(s, {}, (g) => eachTensor(g, (data) => data.map((v) => -v)))),
    truth: undefined,
  }),
  'float16, stated': async (s) => ({
    ...(await one(s, {}, (g) => eachTensor(g, (data) => data.map(float16)))),
    told: { precision: 'float16' },
  }),
  'bfloat16, stated': async (s) => ({
    ...(await one(s, {}, (g) => eachTensor(g, (data) => data.map(bfloat16)))),
    told: { precision: 'bfloat16' },
  }),
  'bfloat16, trained, fewer directions than patches': async (s) => {
    const [model, truth] = [trained(made(s, { width: 12 }), s), imageOf(s)]
    const gradient = eachTensor(await shared(model, truth, [labelOf(s)]), (data) => data.map(bfloat16))
    return { model, truth, gradient, told: { precision: 'bfloat16' } }
  },
  'int8, stated': async (s) => ({ ...(await one(s, {}, (g) => eachTensor(g, int8))), told: { precision: 'int8' } }),
  'noise of 1 %': (s) => one(s, {}, noisy(0.01, s)),
  'noise of 1 %, stated': async (s) => {
    const made = await one(s)
    const all = Object.values(made.gradient).flatMap(({ data }) => [...data])
    const size = 0.01 * Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)
    const draw = random(s, 3)
    const gradient = eachTensor(made.gradient, (data) => data.map((v) => v + size * draw.normal()))
    return { ...made, gradient, told: { noise: size ** 2 } }
  },
  'noise as large as the gradient, stated': async (s) => {
    const made = await one(s)
    const all = Object.values(made.gradient).flatMap(({ data }) => [...data])
    const size = Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)
    const draw = random(s, 3)
    const gradient = eachTensor(made.gradient, (data) => data.map((v) => v + size * draw.normal()))
    return { ...made, gradient, told: { noise: size ** 2 } }
  },
  pruned: (s) => one(s, {}, (g) => eachTensor(g, pruned)),
  'the positions of another client': async (s) => {
    const [a, b] = [await one(s), await one(s + 1)]
    return { model: a.model, gradient: { ...a.gradient, positions: b.gradient.positions } }
  },
  'some tensors alone': async (s) => {
    const { model, truth, gradient } = await one(s)
    const kept = ['patches/kernel', 'positions', 'classifier/kernel', 'classifier/bias']
    return {
      model,
      truth,
      gradient: Object.fromEntries(kept.map((name) => [name, gradient[name]])),
      told: { missing: 'allowed' },
    }
  },
}

export const patchKinds: readonly Kind[] = Object.entries(setUps).map(([name, make]) => ({
  attack: 'patches',
  name,
  run: (seed) => judged(make(seed)),
}))
