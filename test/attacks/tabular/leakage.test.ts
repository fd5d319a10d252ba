import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { adultSchema, adultTable } from '../../../bench/adult'
import { gradientsOf } from '../../../src'
import {
  deepLeakageFromTable,
  encodeTable,
  measureTable,
  type TableLeakageOptions,
  type TableRecord,
  type TableSchema,
} from '../../../src/tabular'
import { plain } from '../matching/tiny'
import { mlp, records, SCHEMA, sharedBy } from './tables'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

const samples = adultTable(800, 1)
const adult = adultSchema(samples)
const INPUTS = 108

/** Attacks what a client with some records of the census table shares. */
async function attackAdult(
  activation: 'relu' | 'tanh',
  batchSize: number,
  seed: number,
  options: TableLeakageOptions = {},
) {
  const rows = samples.slice(seed * batchSize, (seed + 1) * batchSize)
  const model = mlp(INPUTS, activation, [100, 100], seed)
  const originals = rows.map(({ record }) => record)
  const labels = rows.map(({ label }) => label)
  const shared = await sharedBy(model, adult, originals, labels)
  const leak = await deepLeakageFromTable(model, shared, adult, { batchSize, ...options })
  model.dispose()
  return { leak, originals, labels, measured: measureTable(originals, leak, adult) }
}

describe('records of a census table', () => {
  it.each([
    ['relu', 1, 0],
    ['relu', 8, 2],
    ['relu', 16, 3],
    ['relu', 24, 4],
    ['tanh', 1, 5],
    ['tanh', 4, 0],
  ] as const)('behind %s, %i at a time, are proven', async (activation, batchSize, seed) => {
    const { leak, originals, labels, measured } = await attackAdult(activation, batchSize, seed)
    expect(leak).toMatchObject({ status: 'proven', method: 'span', restarts: 0 })
    expect(leak.residual).toBeLessThan(1e-5)
    expect(measured).toMatchObject({ cells: 1, rows: 1, certainHalf: 1 })
    expect(measured.baseline).toBeLessThan(batchSize === 1 ? 1.1 : 0.8)
    // each record has its own label, and its inputs are what the encoder makes of it
    measured.records.forEach(({ slot }, i) => {
      expect(leak.labels[slot]).toBe(labels[i])
      const [wanted, found] = [encodeTable(adult, [originals[i]]), leak.inputs.subarray(slot * INPUTS)]
      for (const [j, v] of wanted.entries()) expect(Math.abs(v - found[j])).toBeLessThan(1e-3)
    })
  })

  it('are searched where exact ways are not asked for, and matched', async () => {
    const { leak, measured } = await attackAdult('relu', 2, 1, { exact: false, iterations: 400 })
    expect(leak).toMatchObject({ status: 'matched', method: 'search' })
    expect(leak.residual).toBeLessThan(1e-4)
    expect(measured).toMatchObject({ cells: 1, rows: 1 })
  })
})

/** Attacks a small table. */
async function attackSmall(
  rows: readonly TableRecord[],
  options: TableLeakageOptions = {},
  {
    activation = 'relu',
    hidden = [60, 20],
    schema = SCHEMA,
  }: { activation?: 'relu' | 'tanh'; hidden?: number[]; schema?: TableSchema } = {},
) {
  const model = mlp(11, activation, hidden, 3)
  const shared = await sharedBy(
    model,
    SCHEMA,
    rows,
    rows.map((_, i) => i % 2),
  )
  try {
    return await deepLeakageFromTable(model, shared, schema, { batchSize: rows.length, ...options })
  } finally {
    model.dispose()
  }
}

describe('tables of every kind of column', () => {
  it.each([1, 6])('%i records of a small table, whose categories alone leave them open', async (count) => {
    const rows = records(count, 20 + count)
    const leak = await attackSmall(rows)
    expect(leak.status).toBe('proven')
    expect(measureTable(rows, leak, SCHEMA).rows).toBe(1)
  })

  it('values beyond their range come back where they are proven', async () => {
    const rows = records(3, 26).map((row, i) => ({ ...row, age: [95, 40, 15][i] }))
    const leak = await attackSmall(rows)
    expect(leak.status).toBe('proven')
    expect(leak.records.map(({ age }) => age).sort()).toEqual([15, 40, 95])
  })

  it('of numbers alone are left to SPEAR', async () => {
    const numbers: TableSchema = {
      columns: Array.from({ length: 11 }, (_, i) => ({ kind: 'numeric' as const, name: `n${i}`, mean: i, std: 2 })),
    }
    const inputs = Float32Array.from({ length: 33 }, (_, i) => Math.sin(3 * i))
    const rows = Array.from({ length: 3 }, (_, r) =>
      Object.fromEntries(numbers.columns.map(({ name }, i) => [name, i + 2 * inputs[11 * r + i]])),
    )
    const model = mlp(11, 'relu', [60, 20], 3)
    const shared = await sharedBy(model, numbers, rows, [0, 1, 1])
    const leak = await deepLeakageFromTable(model, shared, numbers, { batchSize: 3 })
    model.dispose()
    expect(leak).toMatchObject({ status: 'proven', method: 'spear' })
    expect(measureTable(rows, leak, numbers).rows).toBe(1)
  })

  it('with a factor nobody knows, and with the update of one step', async () => {
    const rows = records(3, 31)
    const model = mlp(11, 'relu', [60, 20], 3)
    const shared = await sharedBy(model, SCHEMA, rows, [0, 1, 1])
    const times = (factor: number) =>
      Object.fromEntries(
        Object.entries(shared).map(([name, { shape, data }]) => [
          name,
          { shape, data: Float64Array.from(data, (v) => factor * v) },
        ]),
      )
    const scaled = await deepLeakageFromTable(model, times(-0.3), SCHEMA, { batchSize: 3, scale: 'auto' })
    const update = await deepLeakageFromTable(model, { delta: times(-0.1) }, SCHEMA, {
      ...{ batchSize: 3, update: { learningRate: 0.1 } },
    })
    model.dispose()
    for (const leak of [scaled, update]) {
      expect(leak.status).toBe('proven')
      expect(measureTable(rows, leak, SCHEMA).rows).toBe(1)
    }
  })

  it('searched labels come back with the records', async () => {
    const rows = records(2, 40)
    const leak = await attackSmall(rows, { exact: false, labels: 'joint', iterations: 500 }, { activation: 'tanh' })
    expect(leak).toMatchObject({ status: 'matched', method: 'search' })
    const { rows: right, records: measured } = measureTable(rows, leak, SCHEMA)
    expect(right).toBe(1)
    expect(measured.map(({ slot }) => leak.labels[slot])).toEqual([0, 1])
  })
})

describe('what the attack promises', () => {
  const rows = records(2, 50)
  const quick = { exact: false, iterations: 20, restarts: 1 }

  it('a failure is called one, and its cells are no surer than its restarts', async () => {
    const leak = await attackSmall(rows, quick)
    expect(leak.status).toBe('failed')
    expect(leak.reason).toMatch(/of the shared one away .* exact ways were not asked for/)
    expect(leak.residual).toBeGreaterThan(leak.floor)
    for (const cells of leak.confidence)
      for (const sure of Object.values(cells)) expect(sure >= 0 && sure < 1).toBe(true)
  })

  it('a schema of another encoder proves nothing', async () => {
    const [age, weight, ...others] = SCHEMA.columns
    const swapped = { columns: [...others, weight, age] }
    const leak = await attackSmall(records(3, 51), { iterations: 20, restarts: 1 }, { schema: swapped })
    expect(leak.status).toBe('failed')
  })

  it('the same seed gives the same records; nothing is left behind', async () => {
    const tensors = tf.memory().numTensors
    const [a, b] = [await attackSmall(rows, { ...quick, seed: 3 }), await attackSmall(rows, { ...quick, seed: 3 })]
    expect({ ...b, milliseconds: 0 }).toEqual({ ...a, milliseconds: 0 })
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('an abort and a budget end it with the best so far', async () => {
    const controller = new AbortController()
    const told: number[] = []
    const aborted = await attackSmall(rows, {
      ...{ exact: false, iterations: 100_000, signal: controller.signal },
      onProgress({ part, words }) {
        told.push(part)
        if (words.includes('iteration 5')) controller.abort()
      },
    })
    expect(aborted.status).toBe('cut')
    expect(aborted.records).toHaveLength(2)
    expect(told.every((part) => part >= 0 && part <= 1)).toBe(true)
    const early = new AbortController()
    const attempt = attackSmall(rows, { exact: false, signal: early.signal })
    early.abort()
    await expect(attempt).rejects.toMatchObject({ code: 'aborted' })
    const budget = await attackSmall(rows, { exact: false, budget: { evaluations: 30 } })
    expect(budget.status).toBe('cut')
    expect(budget.evaluations).toBeLessThanOrEqual(31)
  })

  it('a budget that ends while numbers are refined cuts it', async () => {
    const { evaluations, status } = await attackSmall(rows, quick)
    expect(status).toBe('failed')
    const short = await attackSmall(rows, { ...quick, budget: { evaluations: evaluations - 1 } })
    expect(short.status).toBe('cut')
  })

  it.each([
    [{ columns: SCHEMA.columns.slice(1) }, {}, 'invalid-data', /the schema has 10 inputs; the model reads \[11\]/],
    [{ columns: [] }, {}, 'invalid-data', /at least one column/],
    [SCHEMA, { restarts: 0 }, 'invalid-option', /restarts is 0/],
    [SCHEMA, { exact: 'yes' }, 'invalid-option', /exact is 'yes'; it must be true or false/],
    [SCHEMA, { labels: 'guess' }, 'invalid-option', /labels is 'guess'/],
    [SCHEMA, { labels: [0, 9] }, 'invalid-data', /label 9 is not a class index in \[0, 2\)/],
    [SCHEMA, { labels: [0] }, 'invalid-data', /1 label for a batch of 2/],
    [SCHEMA, { optimizer: 'adam' }, 'invalid-option', /no 'optimizer' in options/],
    [SCHEMA, { batchSize: 1.5 }, 'invalid-option', /batchSize is 1.5/],
    [SCHEMA, { signal: AbortSignal.abort() }, 'aborted', /before the attack began/],
  ])('wrong input is refused before any work', async (schema, options, code, message) => {
    await expect(attackSmall(rows, options as object, { schema: schema as TableSchema })).rejects.toMatchObject({
      ...{ code, message: expect.stringMatching(message) },
    })
  })
})

describe('labels that are given', () => {
  const rows = records(4, 41)

  it('go to the records to which they belong, in whichever order they are given', async () => {
    const read = await attackSmall(rows)
    for (const labels of [
      [0, 1, 0, 1],
      [1, 1, 0, 0],
    ]) {
      const leak = await attackSmall(rows, { labels })
      expect(leak).toMatchObject({ status: 'proven', labels: read.labels, reason: read.reason })
    }
  })

  it('that are not those of the records are said to be others', async () => {
    const leak = await attackSmall(rows, { labels: [1, 1, 1, 1] })
    expect(leak.status).toBe('proven')
    expect([...leak.labels].sort()).toEqual([0, 0, 1, 1])
    expect(leak.reason).toMatch(/the labels that were given are not theirs$/)
  })

  it('are needed where the loss shows no targets', async () => {
    // beside a factor that nobody knows, numbers have no equations of their own
    const model = mlp(11, 'tanh', [60], 3)
    const values = encodeTable(SCHEMA, rows.slice(0, 2))
    const x = tf.tensor2d(values, [2, 11])
    const options = { criterion: 'meanSquaredError', scale: 'auto', runtime: 'reference', batchSize: 2 } as const
    const { batchSize: _, scale: __, ...training } = options
    const y = tf.tensor2d([0.3, -0.2, 0.9, 0.4], [2, 2])
    const shared = plain(await gradientsOf(model, x, y, training))
    const leak = await deepLeakageFromTable(model, shared, SCHEMA, { ...options, labels: { targets: y } })
    const without = await deepLeakageFromTable(model, shared, SCHEMA, { ...options, budget: { evaluations: 1 } })
    expect([leak.method, without.method]).toEqual(['span', 'search'])
    expect(measureTable(rows.slice(0, 2), leak, SCHEMA).rows).toBe(1)
    tf.dispose([x, y])
    model.dispose()
  })
})
