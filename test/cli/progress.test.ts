import { expect, it } from 'vitest'
import { progress } from '../../src/cli/progress'

const limits = { iterations: 300, restarts: 4 }

function show(isTTY: boolean, columns: number | undefined, steps: number[]): string {
  let out = ''
  const stderr = { write: (text: string) => (out += text), isTTY, columns }
  const shown = progress({ stdout: stderr, stderr, env: {}, signal: new AbortController().signal })
  for (const iteration of steps)
    shown.show({
      stage: 'search',
      restart: 1,
      iteration,
      limits,
      evaluations: 1000 + 20 * iteration,
      loss: 5e3,
      relativeLoss: 4e-3,
      best: 3e-3,
      milliseconds: 2000 + 100 * iteration,
      data: () => new Float32Array(),
    })
  shown.end()
  return out
}

it('writes a line every 25 steps into a file', () => {
  expect(show(false, undefined, [0, 1, 24, 25, 26]).trim().split('\n')).toEqual([
    'restart 2/4 · step 0/300 · objective 4.00e-3 · best 3.00e-3 · 500 evaluations/s',
    'restart 2/4 · step 25/300 · objective 4.00e-3 · best 3.00e-3 · 333 evaluations/s · at most 28 s left in this restart',
  ])
})

it('writes one line for a step that it is told of several times', () => {
  const lines = show(false, undefined, [0, 0, 0, 24, 25, 25]).trim().split('\n')
  expect(lines.map((line) => line.split(' · ')[1])).toEqual(['step 0/300', 'step 25/300'])
})

it('rewrites one line in a terminal, no wider than that, and clears it', () => {
  const out = show(true, 40, [0, 1, 2])
  expect(out).toBe('\r\x1b[Krestart 2/4 · step 0/300 · objective 4.\r\x1b[K')
})

it('says when it looks at how certain a match is', () => {
  let out = ''
  const stderr = { write: (text: string) => (out += text), isTTY: true, columns: undefined }
  progress({ stdout: stderr, stderr, env: {}, signal: new AbortController().signal }).show({
    ...{ stage: 'certainty', restart: 0, iteration: 42, limits, evaluations: 900, milliseconds: 900 },
    ...{ loss: 1e-9, relativeLoss: 1e-13, best: 1e-13, data: () => new Float32Array() },
  })
  expect(out).toBe('\r\x1b[Kmatched at 1.00e-13: how far are the data determined?')
})
