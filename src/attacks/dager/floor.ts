import type { NamedGradients } from '../../client/shared/read-gradients'
import { type StatedPrecision, shownPrecision, storageNorm, storedOr } from '../../client/shared/rounding'
import { precisionOf, tensorValues } from '../../client/shared/tensor-values'
import { SIGNIFICAND_BITS, type StoredAs } from '../../numbers/stored-dtype'
import type { Values } from '../../numbers/values'

/** One shared tensor, with what its numbers and its owner say of how exactly it was shared. */
export interface SharedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Values
  readonly stored: StoredAs
  /** By number: the square that rounding of the weights is expected to have taken, where an update was shared. */
  readonly rounding?: (i: number) => number
}

/**
 * The shared tensors as numbers. A type that neither the tensors nor the caller state is read off the numbers: all numbers of a
 * gradient that went through bfloat16 or float16 are numbers of that type.
 *
 * @param roundingOf by name: what rounding of the weights took of each number, where an update was shared
 * @throws DlgError `invalid-gradients`
 */
export async function sharedTensors(
  shared: NamedGradients,
  precision: StatedPrecision | undefined,
  roundingOf: (name: string) => SharedTensor['rounding'] = () => undefined,
): Promise<SharedTensor[]> {
  const tensors = await Promise.all(
    Object.entries(shared).map(async ([name, tensor]) => ({
      name,
      shape: tensor.shape,
      values: await tensorValues(tensor, `gradient '${name}'`, Float32Array),
      stored: precisionOf(tensor),
      rounding: roundingOf(name),
    })),
  )
  const shown = shownPrecision(tensors.map(({ values }) => values))
  return tensors.map((tensor) => ({ ...tensor, stored: storedOr(tensor.values, tensor.stored, precision ?? shown) }))
}

/** Exponent of the smallest normal number. */
const SMALLEST = { bfloat16: -126, float16: -14 } as const

/** ‖what storing lost‖² on average, over all tensors. */
export const lostIn = (tensors: readonly SharedTensor[]): number =>
  tensors.reduce((sum, { values, stored }) => sum + storageNorm(values, stored), 0)

/** Whether numbers are coarser than float32. */
export const isCoarse = ({ dtype, quantization }: StoredAs): boolean =>
  quantization !== undefined || dtype === 'float16' || dtype === 'bfloat16'

/** Half the distance to the next number of the type. */
export function halfStep(value: number, { dtype, quantization }: StoredAs): number {
  if (quantization) return quantization.scale / 2
  const type = dtype === 'bfloat16' || dtype === 'float16' ? dtype : undefined
  if (!type) return 0
  const exponent = Math.max(SMALLEST[type], Math.floor(Math.log2(Math.abs(value) || Number.MIN_VALUE)))
  return 2 ** (exponent - SIGNIFICAND_BITS[type])
}
