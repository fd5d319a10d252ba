import { expect, it } from 'vitest'
import { exitCode } from '../../src/cli/command'
import { verdictOf } from '../../src/measure/verdict'

it.each([
  ['converged', true, 0, 'converged'],
  ['converged', false, 1, 'FAILED (converged to other data with this gradient)'],
  ['stalled', true, 1, 'FAILED (stalled), best so far'],
  ['diverged', false, 1, 'FAILED (diverged), best so far'],
  ['aborted', true, 130, 'interrupted, NOT converged, best so far'],
] as const)('%s, alike: %s', (status, alike, code, word) => {
  const verdict = verdictOf(status, alike)
  expect(verdict).toEqual({ word, failed: code !== 0, interrupted: status === 'aborted' })
  expect(exitCode(verdict)).toBe(code)
})
