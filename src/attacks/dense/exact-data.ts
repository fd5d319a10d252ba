import type { TracedGradient } from '../../client/model/gradient'
import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget } from '../../client/target'
import { type TargetOptions, targetOptions } from '../../client/target-options'
import { invalid } from '../../errors/checks'
import { transposed } from '../../numbers/norms'
import type { Values } from '../../runtime/runtime'
import { denseLayerIn, traceOfOne } from './first-dense'
import { type DenseInput, invertDense } from './invert-dense'

/** The data of one sample in row-major order, with their certificate. */
export interface ExactData extends DenseInput {
  readonly input: Float64Array
  /** `unconfirmed` data come from one neuron alone, and need a proof. */
  readonly status: 'exact' | 'unconfirmed'
}

/**
 * The data of one sample in closed form, where a model begins with a dense layer with bias: x̂ = ∂W ∂b / ‖∂b‖² (Geiping et al.
 * 2020, proposition 3.1). The layer is recognised by what it computes, whatever it is called.
 *
 * @param options how the client trains; the batch must be 1
 * @returns undefined where the model does not begin with such a layer, its gradient was not shared, or its neurons disagree
 * @throws DlgError `invalid-option` for a larger batch, otherwise as `deepLeakageFromGradients`
 */
export async function exactData(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: TargetOptions = {},
): Promise<ExactData | undefined> {
  const settings = targetOptions(options)
  if (settings.batchSize !== 1)
    throw invalid(`batchSize is ${settings.batchSize}; it must be 1: larger batches are for isolatedInputs`)
  const target = await openTarget(model, shared, settings)
  if (target.model.inputs.length !== 1 || target.searched.length !== 1) return undefined
  return exactDataIn(traceOfOne(target.model, settings), target.dataGradients)
}

/**
 * As {@link exactData}, of a traced model.
 *
 * @param gradients in the order of the trained weights
 */
export function exactDataIn(traced: TracedGradient, gradients: readonly Values[]): ExactData | undefined {
  const layer = denseLayerIn(traced)
  if (!layer) return undefined
  const { weight, bias } = { weight: gradients[layer.weight], bias: gradients[layer.bias] }
  const found = invertDense({
    bias,
    weight: layer.transposed ? transposed(weight, bias.length, weight.length / bias.length) : weight,
  })
  const { status, input } = found
  if (!input || (status !== 'exact' && status !== 'unconfirmed')) return undefined
  return { ...found, status, input }
}
