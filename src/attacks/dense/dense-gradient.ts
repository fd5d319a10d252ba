import { numberList, requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { Values } from '../../runtime/runtime'

/** Gradient of a dense layer z = x W + b. */
export interface DenseGradient {
  /** ∂L/∂W, [in, out] row by row. PyTorch's [out, in] is its transpose. */
  readonly weight: Values
  /** ∂L/∂b, [out] */
  readonly bias: Values
}

/** Width of the layer's input. @throws DlgError `invalid-gradients` for sizes that do not fit, or numbers that are not finite */
export function inputWidth(gradient: DenseGradient): number {
  requireObject('the gradient', gradient, '{weight, bias}', 'invalid-gradients')
  const { weight, bias } = gradient
  numberList('the weight', weight, 'invalid-gradients')
  numberList('the bias', bias, 'invalid-gradients')
  if (!(bias?.length >= 1) || !(weight?.length >= 1) || weight.length % bias.length !== 0)
    throw new DlgError(
      'invalid-gradients',
      `a dense layer's gradient has a bias [out] and a weight [in, out]; got ${bias?.length} and ${weight?.length} numbers`,
    )
  for (const [name, values] of [
    ['weight', weight],
    ['bias', bias],
  ] as const)
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i]))
        throw new DlgError(
          'invalid-gradients',
          `the ${name}'s gradient is ${values[i]} at position ${i}; it must be finite`,
        )
  return weight.length / bias.length
}

/** Fewest numbers of a bias that tell signs: of fewer, equal sizes are no wonder. */
const FEWEST = 4

/** How far sizes of one size may be apart: an adaptive optimizer adds its epsilon, and weights that moved by the step are rounded. */
const ONE_SIZE = 0.01

/**
 * Whether a gradient has signs alone: every number that is not zero has one size, as after `sign()`, or after the first step of an
 * adaptive optimizer. Quotients of such numbers are ±1, and no data.
 */
export function hasSignsAlone({ weight, bias }: DenseGradient): boolean {
  const isOneSize = (values: Values): boolean => {
    let [least, most] = [Number.POSITIVE_INFINITY, 0]
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i])
      if (size > most) most = size
      if (size > 0 && size < least) least = size
    }
    return least >= (1 - ONE_SIZE) * most
  }
  return bias.filter((v) => v !== 0).length >= FEWEST && isOneSize(bias) && isOneSize(weight)
}
