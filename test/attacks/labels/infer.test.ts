import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { infer } from '../../../src/attacks/labels/infer'
import type { LabelContext, LabelDecision, LabelInference } from '../../../src/attacks/labels/strategy'
import { atOnce, inSteps } from '../../../src/numbers/steps'
import { thrown } from '../../io/thrown'
import { numbers } from '../matching/tiny'

interface Batch {
  labels: number[]
  /** Scores [batch, classes] and features [batch, width] at the last layer. */
  scores: Float32Array
  features: Float32Array
}

/** The gradient of the last layer in closed form: (p − q)·h and p − q, mean over the batch, in float32 as it is shared. */
function head({ labels, scores, features }: Batch, classes: number, target = oneHot(labels, classes)) {
  const batch = labels.length
  const width = features.length / batch
  const weight = new Float64Array(width * classes)
  const bias = new Float64Array(classes)
  for (let i = 0; i < batch; i++) {
    const row = scores.subarray(i * classes, (i + 1) * classes)
    const total = row.reduce((sum, v) => sum + Math.exp(v), 0)
    for (let c = 0; c < classes; c++) {
      const error = (Math.exp(row[c]) / total - target[i * classes + c]) / batch
      bias[c] += error
      for (let j = 0; j < width; j++) weight[j * classes + c] += error * features[i * width + j]
    }
  }
  return { weight: Float32Array.from(weight), bias: Float32Array.from(bias) }
}

function oneHot(labels: readonly number[], classes: number): Float32Array {
  const out = new Float32Array(labels.length * classes)
  labels.forEach((label, i) => {
    out[i * classes + label] = 1
  })
  return out
}

/** What the rules decide, all at once. */
function decided(context: LabelContext): LabelDecision {
  const decision = infer().decide(context)
  return inSteps(decision) ? atOnce(decision) : decision
}

const decide = (
  head: LabelContext['head'],
  classes: number,
  batchSize = 1,
  criterion = 'crossEntropy',
): LabelDecision => decided({ head, classes, batchSize, criterion })

/** @param confidence 1/2 where the layer's own values are not known, so that nothing can be tested */
const inferred = (labels: number[], rule: string, confidence = 0.5): LabelDecision => ({
  ...{ kind: 'known', labels, inferred: { rule, confidence } },
})

const refusal = (...args: Parameters<typeof decide>): string => {
  const error = thrown(() => decide(...args))
  expect(error.code).toBe('labels')
  expect(error.message).toContain("use labels: 'joint' or give the labels")
  return error.message
}

const seeds = fc.integer({ min: 1, max: 1e6 })

/** A batch of random scores, by no means confident, and features of either sign. */
const batchOf = (labels: number[], classes: number, seed: number, spread = 2): Batch => ({
  labels,
  scores: numbers(labels.length * classes, seed, -spread, spread),
  features: numbers(labels.length * 7, seed + 1, -1, 1),
})

describe('one sample', () => {
  it('is the class with a negative bias gradient', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(), seeds, (classes, any, seed) => {
        const label = any % classes
        const { bias } = head(batchOf([label], classes, seed), classes)
        expect(decide({ bias }, classes)).toEqual(inferred([label], 'bias-signs'))
      }),
    )
  })

  it('is the class opposed to all others, without a bias and for features of either sign', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 50 }), fc.nat(), seeds, (classes, any, seed) => {
        const label = any % classes
        const { weight } = head(batchOf([label], classes, seed), classes)
        expect(decide({ weight }, classes)).toEqual(inferred([label], 'row-products'))
      }),
    )
  })

  it('is found among classes whose probability underflows', () => {
    const { weight } = head(
      { labels: [2], scores: Float32Array.of(3, -200, 1, 2), features: Float32Array.of(1, -2) },
      4,
    )
    expect([...weight].filter((v, i) => i % 4 === 1 && v !== 0)).toEqual([])
    expect(decide({ weight }, 4)).toEqual(inferred([2], 'row-products'))
  })

  it('is refused without a bias for two classes: which is which depends on the sign of the features', () => {
    const { weight } = head(batchOf([1], 2, 5), 2)
    expect(refusal({ weight }, 2)).toMatch('2 classes have a weight gradient opposed to all others')
  })
})

describe('a batch', () => {
  it('of distinct labels is the set of negative bias gradients, when no class has most of the soft-max', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), seeds, (batch, seed) => {
        // ∂b_c < 0 is sure where Σᵢ p_ic < 1
        const classes = 40
        const labels = Array.from({ length: batch }, (_, i) => (seed + 7 * i) % classes)
        const { bias } = head(batchOf(labels, classes, seed, 0.5), classes)
        const found = labels.sort((a, b) => a - b)
        expect(decide({ bias }, classes, batch)).toEqual(inferred(found, 'bias-signs'))
      }),
    )
  })

  it('of repeated labels is refused', () => {
    const { bias } = head(batchOf([3, 3], 10, 1), 10)
    expect(refusal({ bias }, 10, 2)).toMatch('1 class has a negative bias gradient for 2 samples: labels repeat')
  })

  it('larger than said is refused', () => {
    const { bias, weight } = head(batchOf([3, 5, 7], 10, 1), 10)
    expect(refusal({ bias }, 10)).toMatch('3 classes have a negative bias gradient for 1 sample: more samples')
    expect(refusal({ weight }, 10)).toMatch('the sample is not alone')
  })

  it('whose layer is not finite is refused: nothing explains the gradient', () => {
    const { bias, weight } = head(batchOf([3, 3], 10, 1), 10)
    const layer = { weight: weight.map(() => Number.NaN), bias: new Float32Array(10) }
    const error = thrown(() => decided({ head: { bias, weight }, layer, classes: 10, batchSize: 2 }))
    expect(error).toMatchObject({ code: 'labels', message: expect.stringContaining('no counts of them explain') })
  })

  /** What is read of a batch of positive features through a last layer of 12 of them. */
  const readOf = (labels: number[], classes: number, seed: number): LabelDecision | 'refused' => {
    const [width, batchSize] = [12, labels.length]
    const [weight, bias] = [numbers(width * classes, seed, -0.3, 0.3), numbers(classes, seed + 100, -0.3, 0.3)]
    const features = numbers(batchSize * width, seed + 200, 0, 2)
    const scores = Float32Array.from({ length: batchSize * classes }, (_, at) => {
      const [i, c] = [Math.floor(at / classes), at % classes]
      return features
        .subarray(i * width, (i + 1) * width)
        .reduce((sum, h, j) => sum + h * weight[j * classes + c], bias[c])
    })
    try {
      return decided({ head: head({ labels, scores, features }, classes), layer: { weight, bias }, classes, batchSize })
    } catch (error) {
      expect(error).toMatchObject({ code: 'labels' })
      return 'refused'
    }
  }
  const isRight = (decision: LabelDecision, labels: readonly number[]): boolean =>
    decision.kind === 'known' && decision.labels.join() === [...labels].sort((a, b) => a - b).join()
  const draws = Array.from({ length: 20 }, (_, i) => i + 1)

  it.each(['distinct', 'random'])(
    'of which nearly all classes have as many samples is read by the whole layer: %s labels',
    (kind) => {
      const [classes, batchSize] = [10, 8]
      const read = draws.map((seed) => {
        const order = numbers(classes, seed * 17)
        const distinct = [...order.keys()].sort((a, b) => order[a] - order[b]).slice(0, batchSize)
        const labels =
          kind === 'distinct' ? distinct : Array.from(order.slice(0, batchSize), (v) => Math.floor(v * classes))
        return { labels, decision: readOf(labels, classes, seed) }
      })
      const known = read.flatMap(({ labels, decision }) => (decision === 'refused' ? [] : [isRight(decision, labels)]))
      expect(known.filter((right) => right).length).toBeGreaterThanOrEqual(19)
      expect(known.every((right) => right)).toBe(true)
    },
  )

  it.each([
    [2, 8],
    [3, 9],
  ])('of %i classes, which all occur, is refused where ∂b does not tell: ∂W fits any counts', (classes, batchSize) => {
    const read = draws.map((seed) => {
      const labels = Array.from(numbers(batchSize, seed * 17), (v) => Math.floor(v * classes))
      return { labels, decision: readOf(labels, classes, seed) }
    })
    const refused = read.filter(({ decision }) => decision === 'refused').length
    expect(refused).toBeGreaterThanOrEqual(3)
    for (const { labels, decision } of read)
      if (decision !== 'refused' && !isRight(decision, labels))
        expect(decision.kind === 'known' && decision.inferred!.confidence).toBeLessThanOrEqual(0.5)
  })

  it('without a bias is counted from sums of rows, where features are not negative', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 4 }), seeds, (labels, seed) => {
        // scores of one probability and features of about one sum; in larger batches even equal sums may be counted wrongly
        const classes = 10
        const features = numbers(labels.length * 7, seed, 0.9, 1.1)
        const { weight } = head({ labels, scores: new Float32Array(labels.length * classes), features }, classes)
        const decision = decide({ weight }, classes, labels.length)
        expect(decision).toMatchObject({ kind: 'known', labels: [...labels].sort((a, b) => a - b) })
        expect((decision as { inferred: LabelInference }).inferred.rule).toBe('LLG')
      }),
    )
  })

  it('without a bias and of samples that differ has nine labels in ten right, and says how sure it is', () => {
    let right = 0
    const confidence: { sure: number[]; unsure: number[] } = { sure: [], unsure: [] }
    for (let seed = 1; seed <= 100; seed++) {
      const labels = Array.from(numbers(8, seed * 31), (v) => Math.floor(v * 10))
      const features = numbers(8 * 32, seed, 0, 1)
      const { weight } = head({ labels, scores: numbers(80, seed + 1, -0.5, 0.5), features }, 10)
      const decision = decide({ weight }, 10, 8)
      if (decision.kind !== 'known') throw new Error('nothing was counted')
      const count = (list: readonly number[], c: number) => list.filter((label) => label === c).length
      const hits = [...labels.keys(), 8, 9].reduce(
        (n, c) => n + Math.min(count(labels, c), count(decision.labels, c)),
        0,
      )
      right += hits
      confidence[hits === 8 ? 'sure' : 'unsure'].push(decision.inferred!.confidence)
    }
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length
    expect(right / 800).toBeGreaterThanOrEqual(0.9)
    expect(mean(confidence.sure)).toBeGreaterThan(mean(confidence.unsure))
  })

  it('without a bias and with features of either sign is refused where the sums make no sense', () => {
    const { weight } = head(batchOf([3, 5], 10, 1), 10)
    expect(refusal({ weight: weight.map(Math.abs) }, 10, 2)).toMatch('there are none, or more than samples')
  })
})

describe('what the rules do not cover is refused', () => {
  it('soft labels', () => {
    const soft = Float32Array.of(0.4, 0.6, 0, 0)
    const { bias } = head({ labels: [1], scores: new Float32Array(4), features: Float32Array.of(1) }, 4, soft)
    expect(refusal({ bias }, 4)).toMatch(
      '2 classes have a negative bias gradient for 1 sample: more samples were averaged, or the labels were soft',
    )
  })

  it('an update with the opposite sign', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 50 }), seeds, (classes, seed) => {
        const { bias } = head(batchOf([1], classes, seed), classes)
        expect(refusal({ bias: bias.map((v) => -v) }, classes)).toMatch('opposite sign, −learningRate · gradient')
      }),
    )
  })

  it('another loss', () => {
    const { bias } = head(batchOf([1], 4, 1), 4)
    expect(refusal({ bias }, 4, 1, 'meanSquaredError')).toMatch('the training loss is meanSquaredError')
  })

  it('a model that does not end in a dense layer', () => {
    expect(refusal({}, 4)).toMatch('does not end in a dense layer')
  })

  it('a bias that is not one number a class', () => {
    expect(refusal({ bias: Float32Array.of(-1) }, 4)).toMatch('does not end in a dense layer')
  })
})
