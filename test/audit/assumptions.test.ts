import { tensor2d } from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { infer, joint, known } from '../../src'
import { attacks } from '../../src/attacks'
import { assumptionsOf } from '../../src/audit/assumptions'
import type { AuditSettings } from '../../src/audit/options'

const soft = tensor2d([[0.5, 0.5]])

it.each<[labels: unknown, said: 'given' | 'not given']>([
  ...[undefined, 'joint', 'infer', infer(), joint(), ['infer', joint()], { a: 'infer', b: joint() }].map(
    (labels) => [labels, 'not given'] as [unknown, 'not given'],
  ),
  ...[
    [1],
    Int32Array.of(1),
    known([1]),
    { targets: [[0, 1]] },
    soft,
    [[1, 0]],
    ['infer', known([1])],
    { a: [1], b: 'infer' },
  ].map((labels) => [labels, 'given'] as [unknown, 'given']),
])('an attacker with labels %j is said to have them %s', (labels, said) => {
  const settings = { training: {} } as AuditSettings
  const chosen = { attack: attacks['gradient-matching'], options: { labels } }
  expect(assumptionsOf(settings, chosen, undefined, 'adaptive').labels).toBe(said)
})
