/** One image layer by layer: `r-gap`, whose claims are `proven`, and with `matched` and `undetermined` that data re-create what was shared. */
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { attack, type TargetOptions, targetOf } from '../../src/attacks'
import { random } from '../../src/numbers/random'
import {
  bfloat16,
  distance,
  eachTensor,
  type Gradient,
  type Judged,
  type Kind,
  rows,
  shared,
  smoothed,
  WRONG,
} from './set-up'

interface SetUp {
  readonly model: Sequential
  readonly gradient: Gradient
  /** Undefined where no sample has this gradient. */
  readonly truth?: tf.Tensor
  readonly told?: TargetOptions
  readonly labels?: readonly number[]
  /** The sample's target, where the output has one number. */
  readonly bit?: number
}

async function judged(made: Promise<SetUp>): Promise<Judged> {
  const { model, gradient, truth, told = {}, labels, bit } = await made
  const result = await attack('r-gap', await targetOf(model, gradient, told), labels ? { labels } : {})
  const { data, labels: said } = result.found
  const off = data && truth ? distance(data.dataSync(), truth.dataSync(), 1) : Number.POSITIVE_INFINITY
  const says = `${result.status}: ${result.reason}, mse ${off.toExponential(1)}`
  const verdict = await verdictOf()
  result.dispose()
  return { says, verdict }

  async function verdictOf(): Promise<Judged['verdict']> {
    if (result.status === 'refused') return 'refused'
    if (result.status === 'proven') return off > WRONG ? 'false claim' : 'right'
    if (result.status === 'failed') return off <= 1e-6 ? 'false failure' : 'unclaimed'
    if ((result.status !== 'matched' && result.status !== 'undetermined') || !data) return 'unclaimed'
    // it says that the data re-create what was shared: they are asked, with either target where there are two
    const targets = said ? [[...said]] : bit === undefined ? [] : [tf.tensor([[0]]), tf.tensor([[1]])]
    const away: number[] = []
    for (const y of targets) {
      const again = await shared(model, data, y, undefined, bit === undefined ? {} : BINARY)
      let [left, whole] = [0, 0]
      for (const [name, { data: values }] of Object.entries(gradient))
        for (let i = 0; i < values.length; i++) {
          left += (values[i] - again[name].data[i]) ** 2
          whole += values[i] ** 2
        }
      away.push(Math.sqrt(left / whole))
    }
    return Math.min(...away) > 2 * result.evidence.floor! ? 'false claim' : 'unclaimed'
  }
}

const BINARY = { criterion: 'binaryCrossEntropy' } as const

interface Net {
  readonly activation?: 'tanh' | 'sigmoid' | 'linear' | 'leaky'
  readonly filters?: number
  readonly bias?: boolean
  readonly outputs?: number
  /** Weights are in ± this. */
  readonly size?: number
}

function net(seed: number, options: Net = {}): Sequential {
  const { activation = 'tanh', filters = 10, bias: useBias = true, outputs = 4, size = 0.5 } = options
  const model = sequential()
  const act = () =>
    model.add(activation === 'leaky' ? layers.leakyReLU({ alpha: 0.2 }) : layers.activation({ activation }))
  model.add(layers.zeroPadding2d({ inputShape: [6, 6, 2], padding: 1 }))
  model.add(layers.conv2d({ filters, kernelSize: 3, strides: 2, useBias }))
  act()
  model.add(layers.conv2d({ filters: 6, kernelSize: 3, padding: 'same', useBias }))
  act()
  model.add(layers.flatten())
  model.add(layers.dense({ units: outputs, useBias }))
  model.setWeights(model.getWeights().map((w, i) => rows(w.shape, 100 * seed + i, -size, size)))
  return model
}

const imageOf = (seed: number, batch = 1): tf.Tensor => rows([batch, 6, 6, 2], seed + 7000)

async function one(seed: number, options: Net = {}, change: (g: Gradient) => Gradient = (g) => g): Promise<SetUp> {
  const [model, truth] = [net(seed, options), imageOf(seed)]
  if (options.outputs !== 1) return { model, truth, gradient: change(await shared(model, truth, [seed % 4])) }
  const gradient = await shared(model, truth, tf.tensor([[seed % 2]]), undefined, BINARY)
  return { model, truth, gradient: change(gradient), told: BINARY, bit: seed % 2 }
}

/** Two samples as one. */
async function two(seed: number, options: Net, labels: number[]): Promise<SetUp> {
  const model = net(seed, options)
  return { model, gradient: await shared(model, imageOf(seed, 2), labels) }
}

const setUps: Record<string, (seed: number) => Promise<SetUp>> = {
  honest: (s) => one(s),
  'leaky ReLU': (s) => one(s, { activation: 'leaky' }),
  'one output without a bias: the same image brighter has the same gradient': (s) =>
    one(s, { activation: 'leaky', outputs: 1, bias: false }),
  'one output without a bias, tanh': (s) => one(s, { outputs: 1, bias: false }),
  'a first layer whose equations leave numbers open': (s) => one(s, { filters: 3 }),
  'a first layer of one filter': (s) => one(s, { filters: 1 }),
  'linear, and numbers left open': (s) => one(s, { activation: 'linear', filters: 2 }),
  'saturated sigmoids': (s) => one(s, { activation: 'sigmoid', size: 4 }),
  'small weights': (s) => one(s, { activation: 'sigmoid', size: 0.01 }),
  'two samples told as one': (s) => two(s, {}, [0, 1]),
  'two samples of one label told as one': (s) => two(s, {}, [1, 1]),
  'two samples of one label told as one, small weights': (s) => two(s, { size: 0.01 }, [1, 1]),
  'two samples of one label told as one, linear': (s) => two(s, { activation: 'linear', size: 0.02 }, [1, 1]),
  'another model': async (s) => {
    const [model, { gradient }] = [net(s + 77), await one(s)]
    const names = model.trainableWeights.map((w) => w.name)
    return { model, gradient: Object.fromEntries(Object.values(gradient).map((g, i) => [names[i], g])) }
  },
  'a wrong label given': async (s) => ({ ...(await one(s)), truth: undefined, labels: [(s + 1) % 4] }),
  'label smoothing': async (s) => {
    const [model, truth] = [net(s), imageOf(s)]
    return { model, truth, gradient: await shared(model, truth, smoothed([s % 4], 0.1)) }
  },
  'a factor of 0.1': (s) => one(s, {}, (g) => eachTensor(g, (data) => data.map((v) => 0.1 * v))),
  'a factor of 0.1, without a bias': (s) =>
    one(s, { bias: false }, (g) => eachTensor(g, (data) => data.map((v) => 0.1 * v))),
  'bfloat16, stated': async (s) => ({
    ...(await one(s, {}, (g) => eachTensor(g, (data) => data.map(bfloat16)))),
    told: { precision: 'bfloat16' },
  }),
  'noise of 1 %': (s) => {
    const draw = random(s, 0x6e6f69)
    return one(s, {}, (g) =>
      eachTensor(g, (data) => {
        const size = 0.01 * Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length)
        return data.map((v) => v + size * draw.normal())
      }),
    )
  },
}

export const rGapKinds: readonly Kind[] = Object.entries(setUps).map(([name, make]) => ({
  attack: 'r-gap',
  name,
  run: (seed) => judged(make(seed)),
}))
