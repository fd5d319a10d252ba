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

it('ids that are known are not reported', async () => {
  const ids = idsOf([[4, 9, 13]])
  const x = own(sample([1, 4]))
  for (const outcome of await outcomes(summed(20, 3), { ids, x }, [1], { known: { ids } }))
    expect(outcome).toMatchObject({ status: 'refused', reason: expect.stringContaining('searched') })
})
