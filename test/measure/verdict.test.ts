import { describe, expect, it } from 'vitest'
import { exitCode } from '../../src/cli/command'
import { closenessOf } from '../../src/measure/verdict'
import { ALIKE, baselines, MARGIN, type Status, verdictOf } from '../../src/metrics'
import { thrown } from '../io/thrown'

const [like, near, far] = [
  { alike: true, closer: true },
  { alike: false, closer: true },
  { alike: false, closer: false },
]

describe('verdictOf', () => {
  it.each([
    ['converged', [like], 'recovered', 0, 'converged'],
    ['converged', undefined, 'matched', 0, 'matched the gradient'],
    ['converged', [far], 'unlike', 1, 'FAILED (converged to other data with this gradient)'],
    ['converged', [like, near], 'unlike', 1, 'FAILED (converged to other data with this gradient)'],
    ['stalled', undefined, 'failed', 1, 'FAILED (stalled), best so far'],
    ['stalled', [far, far], 'failed', 1, 'FAILED (stalled), best so far'],
    ['diverged', [far], 'failed', 1, 'FAILED (diverged), best so far'],
    ['stalled', [near], 'partial', 1, 'PARTIAL (stalled), closer than every baseline, best so far'],
    ['budget', [{ alike: true }], 'partial', 1, 'PARTIAL (budget), closer than every baseline, best so far'],
    [
      'max-iterations',
      [like, far, near],
      'partial',
      1,
      'PARTIAL (max-iterations), 2 of 3 closer than every baseline, best so far',
    ],
    [
      'stalled',
      [{ alike: true, closer: false }],
      'partial',
      1,
      'PARTIAL (stalled), like the original or closer than every baseline, best so far',
    ],
    ['aborted', [like], 'interrupted', 130, 'interrupted, NOT converged, best so far'],
    ['aborted', undefined, 'interrupted', 130, 'interrupted, NOT converged, best so far'],
  ] as const)('%s, %j: %s', (status, samples, name, code, word) => {
    const verdict = verdictOf(status, samples)
    expect(verdict).toEqual({ name, word, failed: code !== 0, interrupted: status === 'aborted' })
    expect(exitCode(verdict)).toBe(code)
  })

  it('no verdict of a failure has the name of a success', () => {
    const statuses: Status[] = ['converged', 'max-iterations', 'diverged', 'stalled', 'aborted', 'budget']
    const verdicts = statuses.flatMap((s) =>
      [undefined, [like], [near], [far], [like, far]].map((c) => verdictOf(s, c)),
    )
    const names = (failed: boolean) => new Set(verdicts.filter((v) => v.failed === failed).map((v) => v.name))
    expect(names(false)).toEqual(new Set(['matched', 'recovered']))
    expect(names(true)).toEqual(new Set(['unlike', 'failed', 'partial', 'interrupted']))
    for (const { failed, word } of verdicts) expect(/^(FAILED|PARTIAL|interrupted, NOT) /.test(word)).toBe(failed)
  })

  it('refuses what is no status, and samples that do not say whether they are alike', () => {
    expect(thrown(() => verdictOf('done' as never)).message).toMatch(/^status is 'done'; it must be 'converged' or /)
    for (const samples of [[], [{}], [null], {}, [{ alike: 1 }]])
      expect(thrown(() => verdictOf('converged', samples as never)).code).toBe('invalid-data')
  })
})

describe('how close a PSNR is', () => {
  const guesses = (psnr: number) =>
    [
      { name: 'gray', mse: 1, psnr: psnr - 4 },
      { name: 'mean', mse: 1, psnr },
    ] as const

  it.each([
    [ALIKE, 12, { alike: true, closer: true }],
    [ALIKE - 0.1, 12, { alike: false, closer: true }],
    [15, 12, { alike: false, closer: true }],
    [14.9, 12, { alike: false, closer: false }],
    // a pale original: its mean is as close
    [22, 22 - MARGIN + 0.1, { alike: false, closer: false }],
    [22, 22 - MARGIN, { alike: true, closer: true }],
    // an original of one colour is its own mean
    [45, Infinity, { alike: true, closer: false }],
    [Number.NaN, 12, { alike: false, closer: false }],
  ])('%d dB beside a mean with %d dB', (psnr, mean, expected) => {
    expect(closenessOf(psnr, guesses(mean))).toEqual(expected)
  })

  it('nothing of one colour beats the mean of an original', () => {
    const original = Float32Array.from({ length: 48 }, (_, i) => Math.abs(Math.sin(i * 1.7)))
    const [, mean] = baselines(original, { shape: [4, 4, 3] })
    for (let r = 0; r <= 10; r++)
      for (let g = 0; g <= 10; g++) {
        const guess = original.map((_, i) => [r / 10, g / 10, 0.5][i % 3])
        const error = guess.reduce((sum, v, i) => sum + (v - original[i]) ** 2, 0) / 48
        expect(error).toBeGreaterThanOrEqual(mean.mse)
      }
  })
})
