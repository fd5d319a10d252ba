import type { Values } from '../../runtime/runtime'

/** How often each class is in a batch, from sums of rows alone. */
export interface SummedCounts {
  /** By class; they sum to the batch size. */
  readonly counts: readonly number[]
  /** How far the sums are from whole numbers of samples: the largest difference of B · s_c / Σ s from the count of a class. */
  readonly residual: number
}

/**
 * Counts of labels from the weight gradient of the last layer, LLG (Wainakh et al., "User-Level Label Leakage from Gradients
 * in Federated Learning", PETS 2022):
 *
 * With features h ≥ 0 the sum of a class's row, s_c = Σⱼ ∂W_jc, falls by about the same m for every sample of the class, m = (1 + 1/C)/B ·
 * Σ of the negative s. A class with a negative sum is present; the rest of the batch goes, one by one, to the class
 * whose sum is lowest after m is taken off for each sample it has.
 *
 * @param weightGradient [features, classes]
 */
export function summedCounts(weightGradient: Values, classes: number, batchSize: number): SummedCounts | undefined {
  const sums = new Float64Array(classes)
  weightGradient.forEach((v, i) => {
    sums[i % classes] += v
  })
  const negative = [...sums.keys()].filter((c) => sums[c] < 0)
  if (negative.length === 0 || negative.length > batchSize) return undefined
  const total = negative.reduce((sum, c) => sum + sums[c], 0)
  const impact = (total / batchSize) * (1 + 1 / classes)
  const counts = new Array<number>(classes).fill(0)
  const rest = sums.slice()
  const take = (c: number): void => {
    counts[c]++
    rest[c] -= impact
  }
  for (const c of negative) take(c)
  for (let n = negative.length; n < batchSize; n++)
    take([...rest.keys()].reduce((low, c) => (rest[c] < rest[low] ? c : low)))
  const residual = Math.max(...negative.map((c) => Math.abs((batchSize * sums[c]) / total - counts[c])))
  return { counts, residual }
}
