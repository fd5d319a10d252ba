import type { Values } from '../runtime/runtime'

/** The last dense layer: its gradient and its own values, weight [features, classes] and bias [classes]. */
export interface DenseLayer {
  readonly weightGradient: Values
  readonly biasGradient: Values
  readonly weight: Values
  readonly bias: Values
}

/** How often each class is in a batch. */
export interface Counts {
  /** By class; they sum to the batch size. */
  readonly counts: readonly number[]
  /** ‖predicted − shared‖ / ‖shared‖ of the bias gradient: near 0 where the counts explain it. */
  readonly residual: number
}

/**
 * Counts of repeated labels from the gradient of the last layer, after iLRG (Ma et al., ICLR 2023):
 *
 * Samples of class c dominate its row, so ∂W_c / ∂b_c is their mean feature vector ĥ_c, and P_c = softmax(Wᵀĥ_c + b) what the
 * model says of them. The counts k are those for which ∂b = Σ_c k_c (P_c − 1_c) / B. They are whole numbers: a class with a
 * negative entry has at least one, the rest go one by one where they explain most, until no exchange explains more. A class
 * whose few samples do not outweigh its probability has no negative entry, and the mean of the other ĥ stands in for its own.
 *
 * @param samples what the gradient is divided by: the batch size for a mean, 1 for a sum
 */
export function labelCounts(layer: DenseLayer, batchSize: number, samples: number): Counts {
  const classes = layer.bias.length
  const every = Array.from({ length: classes }, (_, c) => c)
  const least = every.map((c) => (layer.biasGradient[c] < 0 ? 1 : 0))
  const typical = meanFeatures(
    layer,
    every.filter((c) => least[c] > 0),
  )
  /** P_c − 1_c: what one sample of a class adds. */
  const share = every.map((c) => {
    const p = probabilities(layer, least[c] > 0 ? featuresOf(layer, c) : typical)
    p[c] -= 1
    return p
  })
  const counts: number[] = [...least]
  const target = Float64Array.from(layer.biasGradient as ArrayLike<number>, (v) => v * samples)
  const rest = target.map((v) => -v)
  const add = (c: number, n: number) => {
    counts[c] += n
    for (let i = 0; i < classes; i++) rest[i] += n * share[c][i]
  }
  for (const c of every) if (least[c] > 0) for (let i = 0; i < classes; i++) rest[i] += share[c][i]

  /** Σ (rest + share of one class − share of another)². */
  const left = (to: number | undefined, from: number | undefined): number => {
    let sum = 0
    for (let i = 0; i < classes; i++) {
      const v = rest[i] + (to === undefined ? 0 : share[to][i]) - (from === undefined ? 0 : share[from][i])
      sum += v * v
    }
    return sum
  }
  for (let n = counts.reduce((a, b) => a + b, 0); n < batchSize; n++)
    add(
      every.reduce((a, b) => (left(b, undefined) < left(a, undefined) ? b : a)),
      1,
    )
  for (;;) {
    let best = { error: left(undefined, undefined) * (1 - 1e-9), to: -1, from: -1 }
    for (const from of every)
      if (counts[from] > least[from])
        for (const to of every) {
          const error = left(to, from)
          if (to !== from && error < best.error) best = { error, to, from }
        }
    if (best.to < 0) break
    add(best.to, 1)
    add(best.from, -1)
  }
  const norm = target.reduce((sum, v) => sum + v * v, 0)
  return { counts, residual: Math.sqrt(left(undefined, undefined) / norm) }
}

/** ĥ_c = ∂W_c / ∂b_c */
function featuresOf({ weightGradient, biasGradient }: DenseLayer, c: number): Float64Array {
  const classes = biasGradient.length
  return Float64Array.from(
    { length: weightGradient.length / classes },
    (_, j) => weightGradient[j * classes + c] / biasGradient[c],
  )
}

function meanFeatures(layer: DenseLayer, present: readonly number[]): Float64Array {
  const all = present.map((c) => featuresOf(layer, c))
  return all[0].map((_, j) => all.reduce((sum, h) => sum + h[j], 0) / all.length)
}

/** softmax(Wᵀh + b) */
function probabilities({ weight, bias }: DenseLayer, features: Float64Array): Float64Array {
  const classes = bias.length
  const scores = Float64Array.from(bias)
  features.forEach((h, j) => {
    for (let i = 0; i < classes; i++) scores[i] += h * weight[j * classes + i]
  })
  const top = scores.reduce((a, b) => Math.max(a, b))
  const powers = scores.map((v) => Math.exp(v - top))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((v) => v / total)
}
