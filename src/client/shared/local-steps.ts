import type { UpdateSettings } from './update-options'

type Steps = Pick<UpdateSettings, 'steps' | 'momentum'>

/** 1 + μ + … + μⁿ: how much of a gradient has gone into the weights n + 1 steps after it was computed. */
const spent = (momentum: number, n: number): number => (1 - momentum ** (n + 1)) / (1 - momentum)

/** How much the gradient of each local step counts in the whole update: 1 each without momentum. */
export const stepWeights = ({ steps, momentum }: Steps): number[] =>
  steps.map((_, step) => spent(momentum, steps.length - 1 - step))

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/**
 * How many gradients of all samples an update amounts to, if they were all alike: the number of steps for a mean over each
 * local batch, the number of epochs for a sum.
 */
export function gradientsIn(update: Steps, samples: number, reduction: 'mean' | 'sum'): number {
  const weights = stepWeights(update)
  if (reduction === 'mean') return total(weights)
  return total(weights.map((weight, step) => (weight * update.steps[step].size) / samples))
}

/**
 * Where on the way from the weights before (0) to those after (1) the gradients were computed, on average and if the way was
 * straight: Σ cₛ pₛ / Σ cₛ, cₛ what the gradient of step s counts and pₛ where it was computed. (S − 1) / 2S for S steps of
 * plain SGD, so that one step is exact.
 */
export function meanPosition(update: Steps): number {
  const weights = stepWeights(update)
  const length = total(weights)
  let at = 0
  const moments = weights.map((weight, step) => {
    const moment = weight * at
    at += spent(update.momentum, step)
    return moment
  })
  return total(moments) / length ** 2
}
