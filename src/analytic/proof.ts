import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import { gradientsOf } from '../gradients-of'
import type { Model } from '../model/model'
import type { PlainTensor, SharedGradients } from '../read-gradients'
import type { TrainingOptions } from '../settings'

/** Whether what was recovered has the shared gradient. */
export interface Proof {
  /** ‖g − g*‖ / ‖g*‖ over all shared tensors. */
  readonly residual: number
  /** Whether the residual is at most the tolerance. */
  readonly proven: boolean
}

/** Data with their labels or targets, as {@link gradientsOf} takes them. */
export interface Recovered {
  /** [batch, ...inputShape] */
  readonly data: Parameters<typeof gradientsOf>[1]
  /** Class indices, or targets of the shape of the output. */
  readonly labels: Parameters<typeof gradientsOf>[2]
}

export interface ProofOptions extends TrainingOptions {
  /** Default 1e-4: float32 gradients of the same data differ by about 1e-6. */
  tolerance?: number
}

/** Residual up to which float32 gradients are the same. */
export const TOLERANCE = 1e-4

/**
 * Computes the gradient of what was recovered and compares it with the shared one.
 *
 * A proof says that these data explain the gradient. That they are the client's data follows where nothing else would
 * explain it, as for the exact leaks of this module.
 *
 * @throws DlgError as {@link gradientsOf}; `invalid-gradients` where the shared ones do not fit; `invalid-option`
 */
export async function proofOf(
  model: Model,
  { data, labels }: Recovered,
  shared: SharedGradients,
  { tolerance, ...training }: ProofOptions = {},
): Promise<Proof> {
  const gradients = await gradientsOf(model, data, labels, training)
  try {
    const names = Object.keys(gradients)
    if (Array.isArray(shared) && shared.length !== names.length)
      throw new DlgError('invalid-gradients', `${shared.length} gradients for ${names.length} trained weights`)
    const named = Array.isArray(shared)
      ? Object.fromEntries(names.map((name, i) => [name, shared[i]]))
      : (shared as { readonly [name: string]: tf.Tensor | PlainTensor })
    return await compare(gradients, named, tolerance)
  } finally {
    tf.dispose(gradients)
  }
}

/**
 * The proof of a gradient that was recomputed. Tensors that were not shared are left out.
 *
 * @throws DlgError `invalid-gradients` for a shared tensor that is zero everywhere, unknown or of another size
 */
export async function compare(
  found: tf.NamedTensorMap,
  shared: { readonly [name: string]: tf.Tensor | PlainTensor },
  tolerance = TOLERANCE,
): Promise<Proof> {
  if (!(tolerance > 0 && tolerance < 1))
    throw new DlgError('invalid-option', `tolerance is ${tolerance}; it must be a number in (0, 1)`)
  if (typeof shared !== 'object' || shared === null)
    throw new DlgError('invalid-gradients', 'gradients must be a list or a map of tensors')
  let [difference, norm] = [0, 0]
  for (const [name, tensor] of Object.entries(shared)) {
    if (!Object.hasOwn(found, name) || !tensor)
      throw new DlgError(
        'invalid-gradients',
        `shared gradient '${name}' is ${!tensor ? 'missing' : 'of no trained weight'}; the model has ${Object.keys(found).join(', ')}`,
      )
    const values = await found[name].data()
    const target = tensor instanceof tf.Tensor ? await tensor.data() : tensor.data
    if (target.length !== values.length)
      throw new DlgError(
        'invalid-gradients',
        `shared gradient '${name}' has ${target.length} numbers; the weight has shape [${found[name].shape}]`,
      )
    for (let i = 0; i < values.length; i++) {
      difference += (values[i] - target[i]) ** 2
      norm += target[i] ** 2
    }
  }
  if (!(norm > 0)) throw new DlgError('invalid-gradients', 'every shared gradient is zero: there is nothing to prove')
  const residual = Math.sqrt(difference / norm)
  return { residual, proven: residual <= tolerance }
}
