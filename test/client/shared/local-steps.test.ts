import { describe, expect, it } from 'vitest'
import { gradientsIn, meanPosition, stepWeights } from '../../../src/client/shared/unroll'
import { updateOption } from '../../../src/client/shared/update-options'
import { createGraph, input, parameter, scale, sigmoid, sub, substitute } from '../../../src/graph'

const client = (update: object, samples: number) => updateOption({ learningRate: 0.1, ...update }, samples, false)!

describe('local steps', () => {
  it.each<[string, object, number, [start: number, size: number][]]>([
    ['all samples', {}, 3, [[0, 3]]],
    [
      'again and again',
      { localSteps: 2 },
      3,
      [
        [0, 3],
        [0, 3],
      ],
    ],
    [
      'batches, the last one smaller',
      { batchSize: 2 },
      3,
      [
        [0, 2],
        [2, 1],
      ],
    ],
    [
      'epochs',
      { batchSize: 2, epochs: 2 },
      4,
      [
        [0, 2],
        [2, 2],
        [0, 2],
        [2, 2],
      ],
    ],
    [
      'an epoch and a half',
      { batchSize: 2, localSteps: 3 },
      4,
      [
        [0, 2],
        [2, 2],
        [0, 2],
      ],
    ],
  ])('read %s', (_, update, samples, steps) => {
    expect(client(update, samples).steps.map(({ start, size }) => [start, size])).toEqual(steps)
  })

  it('count alike without momentum, and earlier ones more with it', () => {
    expect(stepWeights(client({ localSteps: 3 }, 1))).toEqual([1, 1, 1])
    // g₀ goes into all three steps: 1 + ½ + ¼
    expect(stepWeights(client({ localSteps: 3, momentum: 0.5 }, 1))).toEqual([1.75, 1.5, 1])
  })

  it('amount to so many gradients of all samples', () => {
    expect(gradientsIn(client({ batchSize: 2, epochs: 3 }, 4), 4, 'mean')).toBe(6)
    expect(gradientsIn(client({ batchSize: 2, epochs: 3 }, 4), 4, 'sum')).toBe(3)
    expect(gradientsIn(client({ batchSize: 2 }, 3), 3, 'sum')).toBe(1)
  })

  it('are taken on average where a straight way says', () => {
    expect(meanPosition(client({}, 1))).toBe(0)
    expect(meanPosition(client({ localSteps: 5 }, 1))).toBeCloseTo(0.4, 12)
    // gradients at 0 and 1 of 2.5, which count 1.5 and 1
    expect(meanPosition(client({ localSteps: 2, momentum: 0.5 }, 1))).toBeCloseTo(1 / 2.5 / 2.5, 12)
  })
})

describe('substitute', () => {
  it('replaces a node wherever it is used, and keeps what does not depend on it', () => {
    const graph = createGraph()
    const [x, w, v] = [input(graph, 'x', [2]), parameter(graph, 'w', [2]), parameter(graph, 'v', [2])]
    const kept = sigmoid(x)
    const [first, second] = substitute([sub(kept, scale(w, 3)), kept], new Map([[w, v]]))
    expect(first).toBe(sub(kept, scale(v, 3)))
    expect(second).toBe(kept)
  })
})
