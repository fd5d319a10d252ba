import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { deepLeakage, type FunctionalModel, gradientsOf, type LeakageOptions, type Model } from '../../../src'
import { turnsBack } from '../../../src/client/model/turns-back'
import * as g from '../../../src/graph'
import { ownership } from '../../tensors'
import { convNet, numbers, sample, withUniformWeights } from './tiny'

const own = ownership()

const weights = (seed: number, shapes: Readonly<Record<string, number[]>>): tf.NamedTensorMap =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      own(tf.tensor(numbers(tf.util.sizeFromShape(shape), 10 * seed + i, -1, 1), shape)),
    ]),
  )

/** A sigmoid layer and a linear one behind a function of the data. */
const behind = (of: (x: tf.Tensor) => tf.Tensor, seed = 1): FunctionalModel => ({
  inputShape: [6],
  weights: weights(seed, { w: [6, 9], v: [9, 4] }),
  apply: (x, { w, v }) =>
    tf.matMul(tf.sigmoid(tf.matMul(of(x) as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D, v as tf.Tensor2D),
})

async function audit(model: Model, x: tf.Tensor, y: readonly number[] | tf.Tensor, options: LeakageOptions = {}) {
  const { criterion } = options
  const shared = await gradientsOf(model, x, y, { criterion })
  for (const t of Object.values(shared)) own(t)
  const leak = own(await deepLeakage(model, shared, { restarts: 2, ...options }))
  return { leak, certainty: leak.certainty!, found: leak.data.dataSync(), truth: x.dataSync() }
}

const far = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i])))

describe('other data with the gradient of those that were found', () => {
  it('are found from another start where a square stands before the first weights', async () => {
    for (const seed of [1, 2, 3]) {
      const model = behind((x) => tf.square(tf.sub(x, 0.4)), seed)
      const { leak, certainty, found } = await audit(model, own(sample([1, 6], seed)), [seed])
      expect(leak.status).toBe('undetermined')
      expect(certainty).toMatchObject({ determined: false, anotherStart: 'other', mixtures: false, free: 0 })
      const other = certainty.others[0].inputs[Object.keys(leak.inputs)[0]].dataSync()
      // the same or mirrored in 0.4, and marked where that makes a difference of a tenth
      const mask = certainty.undetermined.data.dataSync()
      for (const [i, v] of found.entries()) {
        expect(Math.abs(Math.abs(other[i] - 0.4) - Math.abs(v - 0.4))).toBeLessThan(1e-3)
        expect(mask[i]).toBe(Math.abs(other[i] - v) >= 0.1 ? 1 : 0)
      }
      expect(certainty.fraction).toBe(Array.from(mask).filter((v) => v === 1).length / 6)
    }
  })

  it('are mirror images where the order of positions moves nothing', async () => {
    const model: FunctionalModel = {
      inputShape: [4, 3],
      weights: weights(4, { w: [3, 12], v: [12, 4] }),
      apply: (x, { w, v }) => {
        const rows = tf.reshape(x, [-1, 3]) as tf.Tensor2D
        const units = tf.reshape(tf.sigmoid(tf.matMul(rows, w as tf.Tensor2D)), [-1, 4, 12])
        return tf.matMul(tf.mean(units, 1) as tf.Tensor2D, v as tf.Tensor2D)
      },
    }
    // in float64: where float32 rests, a direction may be free, and mirror images add nothing
    const options: LeakageOptions = { iterations: 300, runtime: 'reference' }
    const { leak, certainty, found } = await audit(model, own(sample([1, 4, 3], 3)), [2], options)
    expect(leak.status).toBe('undetermined')
    expect(certainty.others[0].how).toBe('mirror image')
    const other = Object.values(certainty.others[0].inputs)[0].dataSync()
    expect(far(tf.util.flatten([3, 2, 1, 0].map((i) => [...found.slice(3 * i, 3 * i + 3)])) as number[], other)).toBe(0)
  })

  it('are mirror images where an odd network has data and targets of either sign', async () => {
    const model = own(
      sequential({
        layers: [
          layers.dense({ inputShape: [5], units: 8, activation: 'tanh', useBias: false }),
          layers.dense({ units: 6, activation: 'tanh', useBias: false }),
          layers.dense({ units: 3, useBias: false }),
        ],
      }),
    )
    withUniformWeights(model)
    const y = own(tf.tensor([[0.4, -1, 0.7]]))
    const criterion = 'meanSquaredError'
    const { leak, certainty, found } = await audit(model, own(sample([1, 5], 6)), y, { criterion })
    expect(leak.status).toBe('undetermined')
    expect(certainty.others.map(({ how }) => how)).toEqual(['mirror image'])
    const other = Object.values(certainty.others[0].inputs)[0].dataSync()
    expect([...other]).toEqual([...found].map((v) => -v))
  })
})

describe('other data in another order', () => {
  const column = (x: tf.Tensor, i: number) => tf.slice(x, [0, i], [-1, 1])
  const pair = (of: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor[]) =>
    behind((x) => tf.concat([...of(column(x, 0), column(x, 1)), tf.slice(x, [0, 2], [-1, 4])], 1))
  const points = (): FunctionalModel => ({
    inputShape: [3, 2],
    weights: weights(3, { w: [2, 8], v: [8, 4], u: [2, 6], q: [6, 4] }),
    apply(x, { w, v, u, q }) {
      const at = (from: number, count: number, weight: tf.Tensor) =>
        tf.tanh(tf.matMul(tf.reshape(tf.slice(x, [0, from, 0], [-1, count, 2]), [-1, 2]) as tf.Tensor2D, weight as tf.Tensor2D)) // biome-ignore format: one line
      const pooled = tf.mean(tf.reshape(at(0, 2, w), [-1, 2, 8]), 1) as tf.Tensor2D
      return tf.add(tf.matMul(pooled, v as tf.Tensor2D), tf.matMul(at(2, 1, u) as tf.Tensor2D, q as tf.Tensor2D))
    },
  })
  const windows = () =>
    withUniformWeights(
      sequential({
        layers: [
          layers.conv1d({ filters: 12, kernelSize: 2, strides: 2, activation: 'tanh', inputShape: [6, 1] }),
          layers.globalAveragePooling1d({}),
          layers.dense({ units: 12, activation: 'tanh' }),
          layers.dense({ units: 6 }),
        ],
      }),
    )

  it.each<[string, () => Model, number[]]>([
    ['windows whose features are averaged', () => own(windows()), [6, 1]],
    ['two points that are pooled, and one that is not', points, [3, 2]],
    ['the larger and the smaller of two numbers', () => pair((a, b) => [tf.maximum(a, b), tf.minimum(a, b)]), [6]],
    ['the sum and the product of two numbers', () => pair((a, b) => [tf.add(a, b), tf.mul(a, b)]), [6]],
  ])('%s', async (_, model, shape) => {
    for (const seed of [1, 2]) {
      const { leak, certainty } = await audit(model(), own(sample([1, ...shape], seed)), [1], { seed, restarts: 3 })
      expect(leak.status).toBe('undetermined')
      expect(certainty.determined).toBe(false)
    }
  })

  it('is a rearrangement', async () => {
    const { certainty, found } = await audit(own(windows()), own(sample([1, 6, 1], 4)), [1], { restarts: 3 })
    expect(certainty.others.map(({ how }) => how)).toEqual(['rearrangement'])
    const other = Object.values(certainty.others[0].inputs)[0].dataSync()
    expect([...other]).toEqual([2, 3, 0, 1, 4, 5].map((i) => found[i]))
  })
})

describe('a match', () => {
  it('has no certainty where nobody looked far away, because the caller aborted or the budget was spent', async () => {
    const model = behind((x) => tf.square(tf.sub(x, 0.4)))
    const x = own(sample([1, 6], 1))
    const whole = await audit(model, x, [1])
    const searched = whole.leak.evaluations
    const around = whole.certainty.evaluations
    expect(whole.leak.status).toBe('undetermined')
    for (const evaluations of [searched + 1, searched + 8, searched + Math.floor(around / 2)]) {
      const { leak } = await audit(model, x, [1], { budget: { evaluations } })
      expect([leak.status, leak.certainty]).toEqual(['converged', undefined])
    }
    const shared = await gradientsOf(model, x, [1])
    for (const t of Object.values(shared)) own(t)
    const before = tf.memory().numTensors
    const mine = new RangeError('enough')
    for (const last of [2, 4, 6]) {
      let told = 0
      const onIteration = ({ stage }: { stage: string }) => {
        if (stage === 'certainty' && ++told === last) throw mine
      }
      const ended = await deepLeakage(model, shared, { restarts: 2, onIteration }).catch((error) => error)
      if (ended !== mine) ended.dispose()
      expect(tf.memory().numTensors).toBe(before)
    }
  })
})

describe('a match stays one', () => {
  it('where nothing turns back, without another start', async () => {
    const { leak, certainty } = await audit(own(convNet()), own(sample([1, 6, 6, 1])), [1])
    expect(leak.status).toBe('converged')
    expect(certainty).toMatchObject({ determined: true, others: [], anotherStart: 'none made' })
  })

  it('where another start ends at the same data', async () => {
    // x + x³ has every value once, which its graph does not say
    const model = behind((x) => tf.add(x, tf.mul(x, tf.square(x))))
    const { leak, certainty, found, truth } = await audit(model, own(sample([1, 6], 2)), [3])
    expect(leak.status).toBe('converged')
    expect(certainty).toMatchObject({ determined: true, others: [], anotherStart: 'same' })
    expect(far(found, truth)).toBeLessThan(1e-3)
  })
})

describe('a function turns back before the weights', () => {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [1, 4])
  const w = g.parameter(graph, 'w', [4, 4])
  const weighed = g.matMul(x, w)
  const frozen = g.parameter(graph, 'frozen', [4, 4])
  const [zero, three] = [g.scalar(graph, 0), g.scalar(graph, 3)]
  const inPieces = (slope: number) => g.select(g.less(zero, x), x, g.scale(x, slope))

  it.each([
    ['a square', g.matMul(g.square(x), w), true],
    ['a size', g.matMul(g.abs(x), w), true],
    ['a square behind them', g.square(weighed), false],
    ['a product of data and weights', weighed, false],
    ['a sigmoid', g.matMul(g.sigmoid(x), w), false],
    ['a factor', g.matMul(g.scale(x, -2), w), false],
    ['one of two ways', g.add(g.square(x), weighed), true],
    ['GELU', g.matMul(g.unary('gelu', x), w), true],
    ['a sigmoid times its number', g.matMul(g.mul(x, g.sigmoid(x)), w), true],
    ['a number less its positive part', g.matMul(g.sub(x, g.scale(g.relu(x), 3)), w), true],
    ['a remainder', g.matMul(g.sub(x, g.unary('floor', x)), w), true],
    ['a leaky ReLU that falls', g.matMul(inPieces(-2), w), true],
    ['a leaky ReLU', g.matMul(inPieces(0.2), w), false],
    ['pieces of which the upper begins lower', g.matMul(g.select(g.less(three, x), g.sub(x, three), x), w), true],
    ['ELU', g.matMul(g.select(g.less(zero, x), x, g.unary('expm1', g.minimum(x, zero))), w), false],
    ['ReLU6', g.matMul(g.minimum(g.relu(x), g.scalar(graph, 6)), w), false],
    ['a slope for each unit', g.matMul(g.select(g.less(x, zero), g.mul(w, x), x), w), false],
    ['a slope for each unit that is not trained', g.matMul(g.select(g.less(x, zero), g.mul(frozen, x), x), w), true],
    ['a frozen layer', g.matMul(g.tanh(g.matMul(x, frozen)), w), false],
    ['two frozen layers', g.matMul(g.tanh(g.matMul(g.tanh(g.matMul(x, frozen)), frozen)), w), true],
    ['what is the largest', g.matMul(g.broadcast(g.max(x, [1]), [1, 4]), w), true],
    ['numbers less their mean', g.matMul(g.sub(x, g.scale(g.sum(x, [1]), 0.25)), w), false],
    ['standard scores', g.matMul(g.standardize(x, 1e-5), w), false],
    ['places of a sigmoid', g.matMul(g.transpose(g.gather(g.transpose(g.sigmoid(x), [1, 0]), g.constant(graph, [3, 0, 1, 2], [4])), [1, 0]), w), false], // biome-ignore format: one line
    ['numbers that a fixed mask takes', g.matMul(g.select(g.constant(graph, [1, 0, 1, 1], [1, 4]), g.tanh(x), zero), w), false], // biome-ignore format: one line
    ['one less another', g.matMul(g.sub(g.sigmoid(x), g.tanh(x)), w), true],
  ])('%s', (_, output, turns) => expect(turnsBack([w], [x], [output])).toBe(turns))
})
