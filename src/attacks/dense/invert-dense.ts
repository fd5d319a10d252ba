import { number } from '../../errors/checks'
import { largest } from '../../numbers/norms'
import { atOnce, type Steps } from '../../numbers/steps'
import { type DenseGradient, inputWidth } from './dense-gradient'

/** The input of a dense layer with bias, read from its gradient. */
export interface DenseInput {
  /** [in]; undefined where the bias gradient is zero, or next to it. */
  readonly input: Float64Array | undefined
  /** ‖∂W − x̂ ∂bᵀ‖ / ‖∂W‖: 0 where all neurons agree on the input, Infinity where there is none. */
  readonly deviation: number
  /**
   * `agreed`: two neurons or more agree on the input. `unconfirmed`: only one has a gradient, which may be that of a
   * mixture as well. `mixture`: the deviation is above the tolerance, so that it is a mean over several. `silent`: no
   * neuron has a gradient to divide by.
   *
   * None of these is a proof: one layer's gradient does not say how many samples it averages, nor how often its weights are
   * used. `exactData` recomputes the gradient of what was found, and `proofOf` does so by hand.
   */
  readonly status: 'agreed' | 'unconfirmed' | 'mixture' | 'silent'
}

/** Deviation up to which rounding of float32 gradients explains it: 1e-7 to 1e-6 were measured. */
export const AGREEMENT = 1e-5

/** Numbers of the input between two looks at the clock. */
const ROWS = 64

/** Part of the largest bias gradient from which a neuron confirms another: below, it could disagree within the tolerance. */
const CONFIRMS = 1e-3

/**
 * The input of a dense layer, in closed form, from the gradient of one sample (Geiping et al. 2020, proposition 3.1).
 *
 * z = x W + b gives ∂W_i = x ∂b_i for every neuron i: each one that is not silent gives the input as ∂W_i / ∂b_i. Here
 * they are weighed by ∂b_i², which is the least-squares solution x̂ = ∂W ∂b / ‖∂b‖². How far they disagree tells mixtures:
 * with several samples every neuron usually gives another mixture. Mixtures agree all the same where every neuron weighs the
 * samples in one proportion: before one output or two classes, or where the samples share a label and the model says nearly
 * the same of each. A layer that is used twice agrees on a wrong input too. One neuron alone agrees with itself, and tells nothing.
 *
 * @param tolerance greatest deviation at which the neurons agree, in (0, 1). Default 1e-5.
 * @throws DlgError `invalid-gradients`, `invalid-option`
 */
export const invertDense = (gradient: DenseGradient, tolerance = AGREEMENT): DenseInput =>
  atOnce(denseInput(gradient, tolerance))

/** {@link invertDense} in steps. @throws DlgError as it */
export function* denseInput(gradient: DenseGradient, tolerance: number): Steps<DenseInput> {
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const width = inputWidth(gradient)
  const { weight, bias } = gradient
  const neurons = bias.length
  const most = largest(bias) || 1
  // a power of two near the largest entry, so that squares of tiny gradients do not vanish
  const unit = 2 ** Math.min(1023, -Math.ceil(Math.log2(most)))
  let squares = 0
  for (let i = 0; i < neurons; i++) squares += (bias[i] * unit) ** 2
  // a bias gradient next to nothing beside the weight's is no divisor
  const divides = squares > 0 && Number.isFinite((largest(weight) / most) ** 2)
  if (!divides) return { input: undefined, deviation: Infinity, status: 'silent' }
  const input = new Float64Array(width)
  for (let j = 0; j < width; j++) {
    let sum = 0
    for (let i = 0; i < neurons; i++) sum += weight[j * neurons + i] * unit * (bias[i] * unit)
    input[j] = sum / squares
    if (j % ROWS === 0) yield
  }
  let [difference, norm] = [0, 0]
  for (let j = 0; j < width; j++) {
    for (let i = 0; i < neurons; i++) {
      const value = weight[j * neurons + i] * unit
      difference += (value - input[j] * bias[i] * unit) ** 2
      norm += value ** 2
    }
    if (j % ROWS === 0) yield
  }
  // a zero input has a zero gradient, and every neuron says so
  const deviation = norm > 0 ? Math.sqrt(difference / norm) : 0
  if (!(deviation <= tolerance)) return { input, deviation, status: 'mixture' }
  const confirming = bias.filter((v) => Math.abs(v) > CONFIRMS * most).length
  return { input, deviation, status: confirming > 1 ? 'agreed' : 'unconfirmed' }
}
