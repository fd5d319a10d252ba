/** Repeats something for about `ms` milliseconds, at least twice. */
export async function timed(ms: number, what: () => Promise<unknown>): Promise<{ count: number; ms: number }> {
  const began = performance.now()
  let count = 0
  do {
    await what()
    count++
  } while (count < 2 || performance.now() - began < ms)
  return { count, ms: performance.now() - began }
}

/** The middle of a list; the mean of the two in the middle of an even one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
