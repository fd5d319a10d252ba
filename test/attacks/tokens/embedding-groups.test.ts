import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { embeddingGroups } from '../../../src/analytic'
import { attack, targetOf } from '../../../src/attacks'
import { groupSteps } from '../../../src/attacks/tokens/embedding-groups'
import { atOnce } from '../../../src/numbers/steps'
import { uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

/** A recommender: the mean of a basket's item vectors through two dense layers to "bought" or not. */
function recommender(items: number, width: number) {
  const weight = (shape: number[], seed: number) =>
    tf.tensor(Float32Array.from(uniform(tf.util.sizeFromShape(shape), -0.5, 0.5, seed)), shape)
  return {
    name: 'recommender',
    inputShape: [6],
    weights: { items: weight([items, width], 1), wide: weight([width, 12], 2), last: weight([12, 2], 3) },
    apply(ids: tf.Tensor, w: tf.NamedTensorMap) {
      const basket = tf.mean(tf.gather(w.items, tf.cast(ids, 'int32')), 1)
      return tf.matMul(tf.tanh(tf.matMul(basket as tf.Tensor2D, w.wide as tf.Tensor2D)), w.last as tf.Tensor2D)
    },
  }
}

describe('embeddingGroups', () => {
  it('takes no row for one of a basket of which rounding left no direction', () => {
    const data = Float64Array.of(
      ...[1e-6, 1e-6, 1e-6, 1e-6],
      ...[1, 0, 0, 0],
      ...[2, 0, 0, 0],
      ...[0, 1, 0, 0],
      ...[0, 3, 0, 0],
    )
    for (const lost of [0, 1e-12, 1e-10]) {
      const { groups } = atOnce(groupSteps({ data, width: 4 }, { lost }))
      expect(groups.map(({ rows }) => rows)).toEqual([[1, 2], [3, 4], [0]])
    }
  })

  it("gives every user's basket, how often each item is in it, and the items of several users", async () => {
    const baskets = [
      [3, 7, 7, 11, 20, 30],
      [4, 8, 8, 8, 12, 30],
      [5, 9, 13, 17, 21, 25],
    ]
    const model = recommender(40, 10)
    const ids = tf.tensor2d(baskets)
    const gradients = await gradientsOf(model, ids, [0, 1, 1])
    const found = embeddingGroups({ data: gradients.items.dataSync<'float32'>(), width: 10 })
    expect(found.groups).toEqual([
      { rows: [5, 9, 13, 17, 21, 25], counts: [1, 1, 1, 1, 1, 1] },
      { rows: [3, 7, 11, 20], counts: [1, 2, 1, 1] },
      { rows: [4, 8, 12], counts: [1, 3, 1] },
    ])
    expect(found.shared).toEqual([{ row: 30, groups: [1, 2] }])
    tf.dispose([ids, gradients, model.weights])
  })

  it('places 78 of 80 items or more, of users who like an item or do not', async () => {
    const from = uniform(1000, 0, 300, 9)
    const baskets = Array.from({ length: 16 }, (_, u) =>
      Array.from({ length: 5 }, (_, i) => Math.floor(from[5 * u + i])),
    )
    const labels = baskets.map(([first]) => first % 2)
    const { weights, apply } = recommender(300, 24)
    const model = {
      ...{ name: 'binary', inputShape: [5], weights: { ...weights, last: tf.slice(weights.last, [0, 0], [12, 1]) } },
      apply,
    }
    const ids = tf.tensor2d(baskets)
    const target = tf.tensor2d(labels, [16, 1])
    const gradients = await gradientsOf(model, ids, target, { criterion: 'binaryCrossEntropy' })
    const { groups, shared } = embeddingGroups({ data: gradients.items.dataSync<'float32'>(), width: 24 })
    const found = groups.map(({ rows, counts }, g) => [
      ...rows.flatMap((row, i) => new Array<number>(counts[i]).fill(row)),
      ...shared.filter((item) => item.groups.includes(g)).map(({ row }) => row),
    ])
    const sorted = (basket: readonly number[]) => [...basket].sort((a, b) => a - b)
    let placed = 0
    for (const basket of baskets) {
      const best = found.map((other) =>
        sorted(other).filter((row, i, all) => all.indexOf(row) === i && basket.includes(row)),
      )
      const most = Math.max(...best.map((rows) => basket.filter((row) => rows.includes(row)).length))
      placed += most
      // and no stranger with them
      const own = found[best.findIndex((rows) => basket.filter((row) => rows.includes(row)).length === most)]
      expect(own.filter((row) => !basket.includes(row))).toEqual([])
    }
    expect(placed).toBeGreaterThanOrEqual(78)
    // by the registry
    const outcome = await attack(
      'embedding-groups',
      await targetOf(model, gradients, { batchSize: 16, criterion: 'binaryCrossEntropy' }),
    )
    expect(outcome.status).toBe('partial')
    expect(outcome.found.sequences!.map(sorted)).toEqual(found.filter((_, g) => groups[g].rows.length > 1).map(sorted))
    tf.dispose([ids, target, gradients, weights, model.weights])
  })

  it.each([
    ['float32', 24, 1e-4],
    ['float16', 11, 5e-3],
    ['bfloat16', 8, 3e-2],
  ])('tells users apart of whom the model says nearly the same, in %s', (_, bits, apart) => {
    const [users, items, width] = [6, 5, 16]
    const baskets = Array.from({ length: users }, (_, u) => Array.from({ length: items }, (_, i) => items * u + i))
    const rounded = (v: number) => {
      const step = 2 ** (Math.floor(Math.log2(Math.abs(v))) + 1 - bits)
      return Math.round(v / step) * step
    }
    for (let seed = 1; seed <= 25; seed++) {
      const common = uniform(width, 0.5, 1, seed)
      const data = baskets.flatMap((basket, u) => {
        const own = uniform(width, -2 * apart, 2 * apart, 100 * seed + u)
        // how often an item is in the basket
        return basket.flatMap((_, i) => [...common].map((v, k) => rounded((1 + (i % 3)) * v * (1 + own[k]))))
      })
      const { groups } = embeddingGroups({ data: Float32Array.from(data), width })
      expect(
        groups.map(({ rows }) => rows).sort((a, b) => a[0] - b[0]),
        `seed ${seed}`,
      ).toEqual(baskets)
    }
  })

  it('has nothing to group where nothing was looked up', () => {
    expect(embeddingGroups({ data: new Float32Array(12), width: 4 })).toEqual({ groups: [], shared: [] })
    expect(() => embeddingGroups({ data: Float32Array.of(1, NaN), width: 2 })).toThrow('row 0 of the table has NaN')
    expect(() => embeddingGroups({ data: new Float32Array(4), width: 2 }, 1)).toThrow('tolerance is 1')
  })
})
