import { type DenseGradient, inputWidth } from './dense-gradient'

/** The input of a dense layer with bias, out of its gradient. */
export interface DenseInput {
  /** [in]; undefined where the bias gradient is zero. */
  readonly input: Float64Array | undefined
  /** ‖∂W − x̂ ∂bᵀ‖ / ‖∂W‖: 0 where all neurons agree on the input, Infinity where there is none. */
  readonly deviation: number
  /** Whether the deviation is at most the tolerance: `exact` is the input, `mixture` a mean over several. */
  readonly status: 'exact' | 'mixture' | 'silent'
}

/** Deviation up to which rounding of float32 gradients explains it: 1e-7 to 1e-6 were measured. */
export const AGREEMENT = 1e-5

/**
 * The input of a dense layer, in closed form, from the gradient of one sample (Geiping et al. 2020, proposition 3.1).
 *
 * z = x W + b gives ∂W_i = x ∂b_i for every neuron i: each one that is not silent gives the input as ∂W_i / ∂b_i. Here
 * they are weighed by ∂b_i², which is the least-squares solution x̂ = ∂W ∂b / ‖∂b‖². How far they disagree certifies it:
 * with several samples every neuron gives another mixture. (Not so where all of them fire for the same samples in the same
 * proportion: a linear layer, or a ReLU that is never 0, before one output or two classes.)
 *
 * @param tolerance greatest deviation of an exact input. Default 1e-5.
 * @throws DlgError `invalid-gradients`
 */
export function invertDense(gradient: DenseGradient, tolerance = AGREEMENT): DenseInput {
  const width = inputWidth(gradient)
  const { weight, bias } = gradient
  const neurons = bias.length
  // a power of two near the largest entry, so that squares of tiny gradients do not vanish
  const unit = 2 ** -Math.ceil(Math.log2(largest(bias)))
  let squares = 0
  for (let i = 0; i < neurons; i++) squares += (bias[i] * unit) ** 2
  if (!(squares > 0)) return { input: undefined, deviation: Infinity, status: 'silent' }
  const input = new Float64Array(width)
  for (let j = 0; j < width; j++) {
    let sum = 0
    for (let i = 0; i < neurons; i++) sum += weight[j * neurons + i] * unit * (bias[i] * unit)
    input[j] = sum / squares
  }
  let [difference, norm] = [0, 0]
  for (let j = 0; j < width; j++)
    for (let i = 0; i < neurons; i++) {
      const value = weight[j * neurons + i] * unit
      difference += (value - input[j] * bias[i] * unit) ** 2
      norm += value ** 2
    }
  // a zero input has a zero gradient, and every neuron says so
  const deviation = norm > 0 ? Math.sqrt(difference / norm) : 0
  return { input, deviation, status: deviation <= tolerance ? 'exact' : 'mixture' }
}

function largest(values: ArrayLike<number>): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return most > 0 ? most : 1
}
