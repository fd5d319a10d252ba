import type { Node } from '../../graph'
import { transposed } from '../../numbers/norms'
import type { Values } from '../../runtime/runtime'
import { firstDense } from './first-dense'
import { type DenseInput, invertDense } from './invert-dense'

/**
 * The data of one sample in closed form, where a traced model begins with a dense layer with bias.
 *
 * @param data the node of the data, [1, ...inputShape]
 * @param trained nodes of the trained weights
 * @param outputs the model's output, or its loss
 * @param gradients the shared gradients, in the order of the trained weights
 * @returns the data in row-major order with their certificate; undefined where there is no such layer, or its neurons
 * disagree. `unconfirmed` data come from one neuron alone, and need a proof.
 */
export function exactData(
  data: Node,
  trained: readonly Node[],
  outputs: readonly Node[],
  gradients: readonly Values[],
): (DenseInput & { readonly status: 'exact' | 'unconfirmed'; readonly input: Float64Array }) | undefined {
  const layer = firstDense(data, trained, outputs)
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
