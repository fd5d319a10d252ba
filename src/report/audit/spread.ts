import type { Judgement } from '../../audit'
import { median } from '../../numbers/median'

/** Some numbers in three: error bars go from `low` to `high`. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly count: number
}

/** PSNR above which nobody cares how much higher it is, in dB. */
const MOST = 80

/** How close the closest attack came to each sample under a defence, in dB; undefined where nothing was measured. */
export function closestUnder({ rows, control }: Judgement, description: string): Spread | undefined {
  const best = new Map<string, number>()
  for (const { trials } of [...rows, ...control].filter((row) => row.description === description))
    for (const { sample, psnr } of trials.flatMap(({ measured = [] }) => measured))
      best.set(sample, Math.max(best.get(sample) ?? 0, Math.min(psnr, MOST)))
  return spreadOf([...best.values()])
}

/** @returns undefined of nothing */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  return { median: median(values), low: Math.min(...values), high: Math.max(...values), count: values.length }
}

/** A spread in words, such as `12.0 dB (9.1 to 70.2)`. */
export function spreadWords({ median, low, high, count }: Spread): string {
  const range = count > 1 ? ` (${low.toFixed(1)} to ${high.toFixed(1)})` : ''
  return `${median.toFixed(1)} dB${range}`
}
