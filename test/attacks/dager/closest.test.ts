import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { exactSequences } from '../../../src/analytic'
import { closest } from '../../../src/attacks/dager/closest'
import { random } from '../../../src/numbers/random'
import { bert, classGradients, randomBert, transformerOf } from '../../../src/text'

const at = (far: number, expected = 0) => ({ token: 1, position: 0, far, expected })
const fars = (places: ReturnType<typeof closest>) => places.map((list) => list.map(({ far }) => far))

describe('candidates that lie further outside than right ones', () => {
  it('are dropped beside float32 rounding', () => {
    expect(fars(closest([[at(1e-6), at(2e-5), at(4e-5)], [at(2e-6)]]))).toEqual([[1e-6, 2e-5], [2e-6]])
  })

  it('are measured by the position whose closest candidate lies furthest outside', () => {
    expect(
      fars(
        closest([
          [at(1e-6), at(9e-4)],
          [at(1e-4), at(2e-3)],
        ]),
      ),
    ).toEqual([[1e-6, 9e-4], [1e-4]])
  })

  it('stay where noise explains how far outside they are', () => {
    expect(fars(closest([[at(1e-6), at(6e-3, 2e-3), at(7e-3, 2e-3)]]))).toEqual([[1e-6, 6e-3]])
  })

  it('stay away from no candidates at all', () => {
    expect(closest([])).toEqual([])
  })

  it('include a token that is read elsewhere, beside two that are read at both positions', async () => {
    const { normal } = random(3)
    const plain = randomBert({
      vocabularySize: 200,
      hidden: 64,
      layers: 2,
      intermediate: 64,
      positions: 8,
      head: 'mean',
    })
    const norm = (mean: number, deviation: number) =>
      tf.tensor1d(Float32Array.from({ length: 64 }, () => mean + deviation * normal()))
    const weights = {
      ...plain.weights,
      'embeddings.LayerNorm.weight': norm(1, 0.05),
      'embeddings.LayerNorm.bias': norm(0, 0.003),
    }
    const model = bert(plain.config, weights, 'mean')
    const sentences = [
      [10, 20, 31, 40],
      [11, 30, 32, 41],
      [12, 22, 20, 42],
    ]
    const shared = await classGradients(model, sentences, [0, 1, 1])
    const { status, candidates } = await exactSequences(transformerOf(model), shared)
    tf.dispose([shared, weights])
    expect(status).toBe('exact')
    expect(candidates.map((list) => list.length)).toEqual([3, 3, 3, 3])
  })
})
