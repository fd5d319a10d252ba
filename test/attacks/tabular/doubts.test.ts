import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { doubtsAbout } from '../../../src/attacks/tabular/doubts'
import { placed } from '../../../src/attacks/tabular/schema'
import { openTarget } from '../../../src/client/target'
import { targetOptions } from '../../../src/client/target-options'
import { random } from '../../../src/numbers/random'
import { deepLeakageFromTable, encodeTable, type TableColumn, type TableSchema } from '../../../src/tabular'
import { mlp, records, SCHEMA, sharedBy } from './tables'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

/** A client with a few records; `bias` of the first layer in place of a random one. */
async function client(count: number, bias?: number) {
  const model = mlp(11, 'relu', [60, 20], 3)
  if (bias !== undefined) model.setWeights(model.getWeights().map((w, i) => (i === 1 ? tf.fill(w.shape, bias) : w)))
  const rows = records(count, 20 + count)
  return {
    model,
    rows,
    shared: await sharedBy(
      model,
      SCHEMA,
      rows,
      rows.map((_, i) => i % 2),
    ),
  }
}

describe('records that could be others', () => {
  it('are undetermined where no unit feels the data, and no cell is sure', async () => {
    const { model, shared } = await client(2, -50)
    const leak = await deepLeakageFromTable(model, shared, SCHEMA, { batchSize: 2, iterations: 20, restarts: 1 })
    expect(leak.status).toBe('undetermined')
    expect(leak.reason).toContain('12 of their 12 cells could be otherwise')
    expect(leak.confidence.flatMap((cells) => Object.values(cells))).toEqual(new Array(12).fill(0))
    model.dispose()
  })

  it.each([
    [1e-3, 'proven'],
    [0.5, 'undetermined'],
    // larger than what was shared: nothing re-creates it
    [3, 'failed'],
  ])('under stated noise of %s of the gradient are %s', async (level, status) => {
    const { model, shared } = await client(1)
    const all = Object.values(shared).flatMap(({ data }) => Array.from(data))
    const variance = (level ** 2 * all.reduce((sum, v) => sum + v * v, 0)) / all.length
    const { normal } = random(4, 1)
    const noisy = Object.fromEntries(
      Object.entries(shared).map(([name, { shape, data }]) => [
        name,
        { shape, data: Float64Array.from(data, (v) => v + Math.sqrt(variance) * normal()) },
      ]),
    )
    const leak = await deepLeakageFromTable(model, noisy, SCHEMA, {
      ...{ noise: variance, iterations: 60, restarts: 1 },
    })
    expect(leak.status).toBe(status)
    model.dispose()
  })

  it('are examined with a rest before each evaluation', async () => {
    const { model, rows, shared } = await client(2)
    const target = await openTarget(model, shared, targetOptions({ batchSize: 2 }))
    const table = Float64Array.from(encodeTable(SCHEMA, rows))
    for (const wanted of [0, 1, 2, 3]) {
      let asked = 0
      const pause = async () => asked++ >= wanted
      const labels = [{ labels: [0, 1] }]
      expect(await doubtsAbout(target, placed(SCHEMA), table, labels, true, pause)).toBeUndefined()
      expect(asked).toBe(wanted + 1)
    }
    model.dispose()
  })

  it('are undetermined where float32 does not tell a whole number from the next one', async () => {
    const { rows } = await client(3)
    for (const [std, status, sure] of [
      [1e5, 'proven', 1],
      [1e9, 'undetermined', 0],
    ] as const) {
      const [, ...others] = SCHEMA.columns
      const schema: TableSchema = {
        columns: [{ kind: 'numeric', name: 'age', std, integer: true }, ...others],
      }
      const ids = rows.map((row, i) => ({ ...row, age: Math.round(std * (0.3 + i) * 1.2345678901) }))
      const model = mlp(11, 'relu', [60, 20], 3)
      const leak = await deepLeakageFromTable(model, await sharedBy(model, schema, ids, [0, 1, 0]), schema, {
        batchSize: 3,
      })
      expect(leak.status).toBe(status)
      for (const { age, ...words } of leak.confidence) {
        expect(age).toBe(sure)
        expect(Object.values(words)).toEqual([1, 1, 1, 1, 1])
      }
      const found = leak.records.map(({ age }) => age as number).sort((a, b) => a - b)
      if (sure === 1) expect(found).toEqual(ids.map(({ age }) => age))
      else expect(leak.reason).toContain('3 of their 18 cells could be otherwise')
      model.dispose()
    }
  })

  it.each([23, 45, 12])('are never proven with a number that noise has moved by one (seed %i)', async (seed) => {
    const model = mlp(11, 'relu', [60, 20], seed)
    const rows = records(1, seed).map((row) => ({ ...row, age: 85 }))
    const shared = await sharedBy(model, SCHEMA, rows, [0])
    const all = Object.values(shared).flatMap(({ data }) => Array.from(data))
    const noise = (0.055 ** 2 * all.reduce((sum, v) => sum + v * v, 0)) / all.length
    const { normal } = random(4, seed)
    const noisy = Object.fromEntries(
      Object.entries(shared).map(([name, { shape, data }]) => [
        name,
        { shape, data: Float64Array.from(data, (v) => v + Math.sqrt(noise) * normal()) },
      ]),
    )
    const leak = await deepLeakageFromTable(model, noisy, SCHEMA, { noise, iterations: 20, restarts: 1 })
    expect(leak.status).not.toBe('proven')
    expect(leak.confidence[0].age).toBe(0)
    model.dispose()
  })

  it('prove nothing where the client does not have the whole numbers of the schema', async () => {
    const { model, shared } = await client(1)
    // an age in whole years is at 0.4 of a year, within what SPEAR's rows were allowed to miss
    const [age, ...others] = SCHEMA.columns
    const schema: TableSchema = { columns: [{ ...age, mean: 40.4 } as TableColumn, ...others] }
    const leak = await deepLeakageFromTable(model, shared, schema, { iterations: 20, restarts: 1 })
    expect(leak.status).toBe('failed')
    model.dispose()
  })
})
