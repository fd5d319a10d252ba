import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { attack, type TargetOptions, targetOf } from '../../../src/attacks'
import { gradientsOf, type NamedFunctionalModel } from '../../../src/index'
import { ownership } from '../../tensors'
import { plain, sample } from '../matching/tiny'

const own = ownership()
const runtime = 'reference'

/** Adds up the rows of a table for ids [places], beside a dense layer over `x`. The output matrix may be the table. */
function summed(rows: number, places: number, tied = false): NamedFunctionalModel {
  const [table, v, w] = [own(sample([rows, 6], 1)), own(sample([6, 3], 2)), own(sample([4, 6], 3))]
  return {
    inputShape: { ids: [places], x: [4] },
    weights: tied ? { table, w } : { table, w, v },
    apply: ({ ids, x }, weights) => {
      const hidden = tf.tanh(tf.add(tf.sum(tf.gather(weights.table, ids), 1), tf.matMul(x, weights.w)))
      return tf.matMul(hidden, tied ? weights.table : weights.v, false, tied)
    },
  }
}

const idsOf = (rows: number[][]): tf.Tensor => own(tf.tensor(rows, [rows.length, rows[0].length], 'int32'))

async function outcomes(
  model: NamedFunctionalModel,
  x: Parameters<typeof gradientsOf>[1],
  labels: number[],
  told: TargetOptions = {},
) {
  const shared = plain(await gradientsOf(model, x, labels, { runtime }))
  const target = await targetOf(model, shared, { runtime, batchSize: labels.length, ...told })
  return [own(await attack('token-set', target)), own(await attack('embedding-groups', target))]
}

describe('a small table', () => {
  it.each([
    [10, [[0, 1, 2], [3, 4, 5]]], // biome-ignore format: one line
    [7, [[1, 2], [4, 6]]], // biome-ignore format: one line
  ])('of %i rows, most of which occur, is not taken for the output matrix', async (rows, ids) => {
    const [set, groups] = await outcomes(
      summed(rows, ids[0].length),
      { ids: idsOf(ids), x: own(sample([2, 4])) },
      [1, 2],
    )
    expect(set).toMatchObject({ status: 'partial', found: { tokens: ids.flat() } })
    expect(set.reason).toContain('have a gradient')
    expect(groups.status).toBe('partial')
    expect(groups.found.sequences).toEqual(expect.arrayContaining(ids))
  })

  it('that is the output matrix too is told by norms', async () => {
    const [set, groups] = await outcomes(summed(7, 2, true), { ids: idsOf([[1, 2]]), x: own(sample([1, 4])) }, [3])
    expect(set.reason).toMatch(/stands? out/)
    expect(groups).toMatchObject({ status: 'refused', reason: expect.stringContaining('output matrix') })
  })
})

describe('a model whose last layer reads the sum itself', () => {
  const linear = (classes: number): NamedFunctionalModel => ({
    inputShape: { ids: [3], x: [4] },
    weights: { table: own(sample([30, 6], 1)), w: own(sample([4, 6], 3)), v: own(sample([6, classes], 2)) },
    apply: ({ ids, x }, { table, w, v }) => tf.matMul(tf.add(tf.sum(tf.gather(table, ids), 1), tf.matMul(x, w)), v),
  })
  const basketsOf = async (classes: number, rows: number[][], labels: number[]) => {
    const [, groups] = await outcomes(linear(classes), { ids: idsOf(rows), x: own(sample([rows.length, 4])) }, labels)
    return groups
  }
  const rows = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]] // biome-ignore format: one line

  it('with two classes does not tell more than one user of each', async () => {
    expect(await basketsOf(2, rows, [0, 1, 1, 0])).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('one direction or its opposite, and there are 4 users'),
      found: {},
    })
    expect((await basketsOf(2, rows.slice(0, 2), [0, 1])).found.sequences).toEqual(rows.slice(0, 2))
    expect((await basketsOf(3, rows, [0, 1, 1, 0])).found.sequences).toHaveLength(4)
  })

  it('with three classes gives no item to two users because all directions lie in one plane', async () => {
    for (let seed = 0; seed < 25; seed++) {
      // two of the users have one item each, which no two others may be given
      const labels = [0, 1, 2, seed % 3, (seed >> 1) % 3]
      const all = [...rows.slice(0, 3), [12, 12, 12], [13 + (seed % 5), 13 + (seed % 5), 13 + (seed % 5)]]
      for (const basket of (await basketsOf(3, all, labels)).found.sequences ?? [])
        expect(all.some((other) => basket.every((item) => other.includes(item)))).toBe(true)
    }
  })
})

it('ids that are known are not reported', async () => {
  const ids = idsOf([[4, 9, 13]])
  const x = own(sample([1, 4]))
  for (const outcome of await outcomes(summed(20, 3), { ids, x }, [1], { known: { ids } }))
    expect(outcome).toMatchObject({ status: 'refused', reason: expect.stringContaining('searched') })
})
