/** Records of tables: `deepLeakageFromTable`, whose claims are `proven` and that records re-create what was shared. */
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { random } from '../../src/numbers/random'
import {
  deepLeakageFromTable,
  encodeTable,
  type TableColumn,
  type TableLeakageOptions,
  type TableRecord,
  type TableSchema,
} from '../../src/tabular'
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
} from './set-up'

const SCHEMA: TableSchema = {
  columns: [
    { kind: 'numeric', name: 'age', mean: 40, std: 12, range: [18, 90], integer: true },
    { kind: 'numeric', name: 'weight', mean: 70, std: 15 },
    { kind: 'ordinal', name: 'size', levels: ['small', 'medium', 'large'], mean: 1, std: 0.8 },
    { kind: 'binary', name: 'smokes', values: ['no', 'yes'] },
    { kind: 'categorical', name: 'colour', categories: ['red', 'green', 'blue'] },
    { kind: 'categorical', name: 'town', categories: ['Ulm', 'Bern', 'Graz', 'Linz'] },
  ],
}
const INPUTS = 11
const CLASSES = 3

function records(count: number, seed: number): TableRecord[] {
  const from = random(seed, 0x7461)
  const pick = <T>(all: readonly T[]): T => all[Math.floor(from.uniform() * all.length)]
  return Array.from({ length: count }, () => ({
    age: 18 + Math.floor(from.uniform() * 60),
    weight: Math.round(50 + 50 * from.uniform()),
    size: pick(['small', 'medium', 'large']),
    smokes: pick(['no', 'yes']),
    colour: pick(['red', 'green', 'blue']),
    town: pick(['Ulm', 'Bern', 'Graz', 'Linz']),
  }))
}

interface Net {
  readonly activation?: 'relu' | 'tanh' | 'sigmoid'
  readonly units?: number
  readonly size?: number
  readonly bias?: number
}

function network(seed: number, { activation = 'relu', units = 40, size = 0.4, bias }: Net = {}): Sequential {
  const model = sequential()
  model.add(layers.dense({ inputShape: [INPUTS], units, activation }))
  model.add(layers.dense({ units: CLASSES }))
  model.setWeights(
    model
      .getWeights()
      .map((w, i) =>
        i === 1 && bias !== undefined ? tf.fill(w.shape, bias) : rows(w.shape, 100 * seed + i, -size, size),
      ),
  )
  return model
}

interface SetUp {
  readonly model: Sequential
  readonly gradient: Gradient
  /** [records, inputs]; undefined where no records have this gradient. */
  readonly truth?: Float32Array
  readonly batch: number
  readonly labels?: readonly number[]
  readonly schema?: TableSchema
  readonly options?: TableLeakageOptions
}

const sorted = (labels: readonly number[]): string => [...labels].sort().join()

async function judged(made: Promise<SetUp>): Promise<Judged> {
  const { model, gradient, truth, batch, labels, schema = SCHEMA, options = {} } = await made
  const leak = await deepLeakageFromTable(model, gradient, schema, {
    ...{ batchSize: batch, iterations: 200, restarts: 2, seed: 3, budget: { milliseconds: 3000 } },
    ...options,
  })
  const off = truth ? distance(leak.inputs, truth, batch) : Number.POSITIVE_INFINITY
  const label = labels === undefined || leak.labels.length === 0 || sorted(labels) === sorted(leak.labels)
  const says = `${leak.status} by ${leak.method}: ${leak.reason}, mse ${off.toExponential(1)}, labels ${leak.labels} for ${labels}`
  // numbers are right to a hundredth of their spread, all else exactly
  const right = off < 1e-4 && label
  if (leak.status === 'proven') return { says, verdict: right ? 'right' : 'false claim' }
  if (leak.status === 'matched' && !right) return { says, verdict: truth ? 'unclaimed' : 'false claim' }
  return { says, verdict: leak.status === 'failed' && off < 1e-10 && label ? 'false failure' : 'unclaimed' }
}

const encoded = (all: readonly TableRecord[]): tf.Tensor2D =>
  tf.tensor2d(encodeTable(SCHEMA, [...all]), [all.length, INPUTS])

async function batchOf(seed: number, batch: number, net: Net = {}, change: (g: Gradient) => Gradient = (g) => g) {
  const model = network(seed, net)
  const x = encoded(records(batch, seed))
  const labels = Array.from({ length: batch }, (_, i) => (seed + i) % CLASSES)
  const truth = x.dataSync<'float32'>().slice()
  return { model, truth, batch, labels, gradient: change(await shared(model, x, labels)) }
}

const values = (change: (v: number) => number) => (g: Gradient) => eachTensor(g, (data) => data.map(change))

const noise = (gradient: Gradient, level: number, seed: number) => {
  const all = Object.values(gradient).flatMap(({ data }) => [...data])
  const size = level * Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)
  const draw = random(seed, 3)
  return { gradient: eachTensor(gradient, (data) => data.map((v) => v + size * draw.normal())), variance: size ** 2 }
}

const withColumns = (change: (columns: TableColumn[]) => TableColumn[]): TableSchema => ({
  columns: change([...SCHEMA.columns]),
})

const setUps: Record<string, (seed: number) => Promise<SetUp>> = {
  'one record': (s) => batchOf(s, 1),
  'three records': (s) => batchOf(s, 3),
  'eight records': (s) => batchOf(s, 8),
  'three records behind tanh': (s) => batchOf(s, 3, { activation: 'tanh' }),
  'more records than units': (s) => batchOf(s, 8, { units: 6 }),
  'by search': async (s) => ({ ...(await batchOf(s, 2)), options: { exact: false } }),
  'by search, labels searched': async (s) => ({ ...(await batchOf(s, 1)), options: { exact: false, labels: 'joint' } }),
  'another model': async (s) => ({ ...(await batchOf(s, 2)), model: network(s + 77), truth: undefined }),
  'a step behind': async (s) => {
    const made = await batchOf(s, 2)
    const gradient = Object.values(made.gradient)
    made.model.setWeights(
      made.model.getWeights().map((w, i) => tf.sub(w, tf.mul(0.2, tf.tensor(gradient[i].data, gradient[i].shape)))),
    )
    return { ...made, truth: undefined }
  },
  'two records told as one': async (s) => ({ ...(await batchOf(s, 2)), batch: 1, truth: undefined }),
  'two records of one class told as one, small weights': async (s) => {
    const model = network(s, { size: 0.001 })
    return { model, batch: 1, gradient: await shared(model, encoded(records(2, s)), [1, 1]) }
  },
  'three records told as two': async (s) => ({ ...(await batchOf(s, 3)), batch: 2, truth: undefined }),
  'one record told as two': async (s) => {
    const { truth, labels, ...made } = await batchOf(s, 1)
    return { ...made, batch: 2, labels: [...labels, ...labels], truth: Float32Array.from([...truth, ...truth]) }
  },
  'three records told as four': async (s) => ({ ...(await batchOf(s, 3)), batch: 4, truth: undefined }),
  'a record that is there twice': async (s) => {
    const [one, two] = records(2, s)
    const [model, x] = [network(s), encoded([one, one, two])]
    const labels = [0, 0, 1]
    return { model, batch: 3, labels, truth: x.dataSync<'float32'>().slice(), gradient: await shared(model, x, labels) }
  },
  'a record with two labels': async (s) => {
    const [one, two] = records(2, s)
    const [model, x] = [network(s), encoded([one, one, two])]
    const labels = [0, 1, 1]
    return { model, batch: 3, labels, truth: x.dataSync<'float32'>().slice(), gradient: await shared(model, x, labels) }
  },
  'blocks of other widths in the schema': async (s) => ({
    ...(await batchOf(s, 2)),
    schema: withColumns(([a, b, c, d]) => [
      ...[a, b, c, d],
      { kind: 'categorical', name: 'colour', categories: ['1', '2', '3', '4'] },
      { kind: 'categorical', name: 'town', categories: ['1', '2', '3'] },
    ]),
  }),
  'columns in another order in the schema': async (s) => ({
    ...(await batchOf(s, 2)),
    schema: withColumns(([a, b, c, d, e, f]) => [e, f, a, b, c, d]),
  }),
  'whole numbers in the schema that the client does not have': async (s) => ({
    ...(await batchOf(s, 1)),
    schema: withColumns(([age, ...others]) => [{ ...age, mean: 40.4 } as TableColumn, ...others]),
    truth: undefined,
  }),
  'whole numbers alone, two of one class told as one, small weights': async (s) => {
    const model = network(s, { size: 0.001 })
    const schema: TableSchema = {
      columns: Array.from({ length: INPUTS }, (_, i) => ({
        ...({ kind: 'numeric', integer: true, std: 10, range: [0, 100] } as const),
        name: `c${i}`,
      })),
    }
    const draw = random(s, 0x776e)
    const rows = Array.from({ length: 2 }, () =>
      Array.from({ length: INPUTS }, () => 2 * Math.floor(50 * draw.uniform())),
    )
    return { model, schema, batch: 1, gradient: await shared(model, tf.div(tf.tensor2d(rows), 10), [1, 1]) }
  },
  'levels that the client does not scale': async (s) => ({
    ...(await batchOf(s, 2)),
    schema: withColumns(([a, b, , ...others]) => [
      ...[a, b],
      { kind: 'ordinal', name: 'size', levels: ['small', 'medium', 'large'] } as const,
      ...others,
    ]),
  }),
  'no table at all': async (s) => {
    const model = network(s)
    return { model, batch: 2, gradient: await shared(model, rows([2, INPUTS], s + 50, -1, 1), [0, 1]) }
  },
  'a factor of 0.3': async (s) => ({
    ...(await batchOf(
      s,
      2,
      {},
      values((v) => 0.3 * v),
    )),
    labels: undefined,
  }),
  'the opposite sign': async (s) => ({
    ...(await batchOf(
      s,
      2,
      {},
      values((v) => -v),
    )),
    truth: undefined,
  }),
  'a factor that is fitted': async (s) => ({
    ...(await batchOf(
      s,
      2,
      {},
      values((v) => -0.3 * v),
    )),
    options: { scale: 'auto' },
  }),
  'float16, stated': async (s) => ({
    ...(await batchOf(s, 2, {}, values(float16))),
    options: { precision: 'float16' },
  }),
  'bfloat16, stated': async (s) => ({
    ...(await batchOf(s, 2, {}, values(bfloat16))),
    options: { precision: 'bfloat16' },
  }),
  'bfloat16, not stated': (s) => batchOf(s, 2, {}, values(bfloat16)),
  'int8, stated': async (s) => ({
    ...(await batchOf(s, 2, {}, (g) => eachTensor(g, int8))),
    options: { precision: 'int8' },
  }),
  'noise of 1 %': async (s) => {
    const made = await batchOf(s, 2)
    return { ...made, gradient: noise(made.gradient, 0.01, s).gradient }
  },
  'noise of 1 %, stated': async (s) => {
    const made = await batchOf(s, 2)
    const { gradient, variance } = noise(made.gradient, 0.01, s)
    return { ...made, gradient, options: { noise: variance } }
  },
  'noise of 30 %, stated': async (s) => {
    const made = await batchOf(s, 2)
    const { gradient, variance } = noise(made.gradient, 0.3, s)
    return { ...made, gradient, options: { noise: variance } }
  },
  'noise as large as the gradient, stated, one record': async (s) => {
    const made = await batchOf(s, 1)
    const { gradient, variance } = noise(made.gradient, 1, s)
    return { ...made, gradient, options: { noise: variance } }
  },
  pruned: (s) => batchOf(s, 2, {}, (g) => eachTensor(g, pruned)),
  'dead ReLU': (s) => batchOf(s, 2, { bias: -50 }),
  'saturated sigmoid': (s) => batchOf(s, 2, { activation: 'sigmoid', bias: 15 }),
  'a column that no unit reads': async (s) => {
    const model = network(s)
    const [w, ...others] = model.getWeights()
    model.setWeights([tf.mul(w, tf.tensor2d([0, ...Array(INPUTS - 1).fill(1)], [INPUTS, 1])), ...others])
    const x = encoded(records(2, s))
    return {
      ...{ model, batch: 2, labels: [0, 1], truth: x.dataSync<'float32'>().slice() },
      gradient: await shared(model, x, [0, 1]),
    }
  },
  'the last layer alone, by search': async (s) => {
    const made = await batchOf(s, 2)
    const gradient = Object.fromEntries(Object.entries(made.gradient).slice(2))
    return { ...made, gradient, options: { missing: 'allowed' } }
  },
}

export const tableKinds: readonly Kind[] = Object.entries(setUps).map(([name, make]) => ({
  attack: 'tables',
  name,
  run: (seed) => judged(make(seed)),
}))
