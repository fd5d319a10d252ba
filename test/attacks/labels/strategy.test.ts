import { expect, it } from 'vitest'
import { joint, known, type LabelContext } from '../../../src/attacks/labels/strategy'

const context: LabelContext = { batchSize: 2, classes: 3, criterion: 'crossEntropy', head: {} }

it('joint labels are unknowns of the search', () => {
  expect(joint().decide(context)).toEqual({ kind: 'joint' })
})

it('known labels are copied', () => {
  const labels = [2, 0]
  const strategy = known(labels)
  labels[0] = 1
  expect(strategy.decide(context)).toEqual({ kind: 'known', labels: [2, 0] })
})
