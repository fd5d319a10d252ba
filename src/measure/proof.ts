import * as tf from '@tensorflow/tfjs-core'
import { gradientList, type gradientsOf } from '../client/gradients-of'
import type { Model } from '../client/model/model'
import { type NamedGradients, type SharedGradients, weightTensors } from '../client/shared/read-gradients'
import { tensorValues } from '../client/shared/tensor-values'
import { traceExample } from '../client/trace-example'
import type { TrainingOptions } from '../client/training-options'
import { invalid, number, requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { sameShape } from '../graph'
import { normOf } from '../numbers/norms'
import type { Values } from '../numbers/values'
import { isDetermined } from './determined'

/** Whether what was recovered has the shared gradient. */
export interface Proof {
  /** ‖g − g*‖ / ‖g*‖ over all shared tensors. */
  readonly residual: number
  /** Whether the residual is at most the tolerance, and the data are not known to be undetermined. */
  readonly proven: boolean
  /**
   * Whether the data are determined by what was shared: none of their numbers, and no combination that was looked at, moves freely.
   * Undefined where that was not examined: above the tolerance, for inputs of whole numbers, or with `determined: false`.
   */
  readonly determined?: boolean
}

/** Data with their labels or targets, as {@link gradientsOf} takes them. */
export interface Recovered {
  /** [batch, ...inputShape] */
  readonly data: Parameters<typeof gradientsOf>[1]
  /** Class indices, or targets of the shape of the output. */
  readonly labels: Parameters<typeof gradientsOf>[2]
}

/** Options of `proofOf`. The options of the client's training are among them. */
export interface ProofOptions extends TrainingOptions {
  /** Default 1e-4: float32 gradients of the same data differ by about 1e-6. */
  tolerance?: number
  /**
   * Whether to examine, after the residual, that the data are determined by what was shared. Costs at most 200 evaluations of a
   * second derivative. Default true.
   */
  determined?: boolean
}

/** Residual up to which float32 gradients are the same. */
export const TOLERANCE = 1e-4

/**
 * Computes the gradient of what was recovered and compares it with the shared one.
 *
 * A proof says that these data explain the gradient, and that no other data near them do. Behind dead or saturated units, any data
 * explain it, and nothing is proven. That there is no second solution far away is not examined.
 *
 * @param shared by name, where tensors that were not shared are left out; or a list in the order of the trained weights
 * @throws DlgError as {@link gradientsOf}; `invalid-gradients` where the shared ones do not fit; `invalid-option`
 */
export async function proofOf(
  model: Model,
  recovered: Recovered,
  shared: SharedGradients,
  options: ProofOptions = {},
): Promise<Proof> {
  requireObject('what was recovered', recovered, '{data, labels}')
  requireObject('options', options, 'an object', 'invalid-option')
  const { data, labels } = recovered
  const { tolerance, determined: examines = true, ...training } = options
  if (typeof examines !== 'boolean') throw invalid(`determined is ${show(examines)}; it must be true or false`)
  const found = await gradientList(model, data, labels, training)
  try {
    const names = found.map(([name]) => name)
    const named = byName(shared, names)
    const proof = await compare(Object.fromEntries(found), named, tolerance)
    if (!proof.proven || !examines) return proof
    const determined = await isDetermined(
      await traceExample(model, data, labels, training),
      await sharedBy(names, named),
    )
    return determined === undefined ? proof : { ...proof, proven: determined, determined }
  } finally {
    tf.dispose(found.map(([, gradient]) => gradient))
  }
}

/** Shared gradients by the position of their weight. */
async function sharedBy(names: readonly string[], shared: NamedGradients): Promise<Map<number, Values>> {
  const read = Object.entries(shared).map(
    async ([name, tensor]): Promise<[number, Values]> => [
      names.indexOf(name),
      await tensorValues(tensor, `gradient '${name}'`, Float64Array),
    ],
  )
  return new Map((await Promise.all(read)).sort(([a], [b]) => a - b))
}

function byName(given: SharedGradients, names: readonly string[]): NamedGradients {
  const shared = weightTensors(given)
  if (!Array.isArray(shared)) return shared as NamedGradients
  if (shared.length !== names.length)
    throw new DlgError('invalid-gradients', `${shared.length} gradients for ${names.length} trained weights`)
  return Object.fromEntries(names.map((name, i) => [name, shared[i]]))
}

/**
 * The proof of a gradient that was recomputed. Tensors that were not shared are left out.
 *
 * @throws DlgError `invalid-gradients` for a shared tensor that is unknown, of another shape, disposed or not finite, and
 * where all of them are zero; `invalid-option`
 */
export async function compare(found: tf.NamedTensorMap, shared: NamedGradients, tolerance = TOLERANCE): Promise<Proof> {
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  if (typeof shared !== 'object' || shared === null || shared instanceof tf.Tensor)
    throw new DlgError('invalid-gradients', 'gradients must be a list or a map of tensors')
  const pairs = await Promise.all(
    Object.entries(shared).map(async ([name, tensor]) => {
      const values = await tensorValues(tensor, `gradient '${name}'`, Float64Array)
      return { values, recomputed: await recomputedOf(found, name, tensor.shape) }
    }),
  )
  if (pairs.length === 0) throw new DlgError('invalid-gradients', 'no gradient was shared: there is nothing to prove')
  const norm = normOf(pairs.map(({ values }) => values))
  if (norm === 0) throw new DlgError('invalid-gradients', 'every shared gradient is zero: there is nothing to prove')
  const residual = normOf(pairs.map(({ values, recomputed }) => values.map((v, i) => recomputed[i] - v))) / norm
  return { residual, proven: residual <= tolerance }
}

/** The gradient that a shared one is held against. @throws DlgError `invalid-gradients` for a name or a shape that the model does not have */
export async function recomputedOf(found: tf.NamedTensorMap, name: string, shape: readonly number[]) {
  if (!Object.hasOwn(found, name))
    throw new DlgError(
      'invalid-gradients',
      `shared gradient '${name}' is of no trained weight; the model has ${Object.keys(found).join(', ')}`,
    )
  if (!sameShape(shape, found[name].shape))
    throw new DlgError(
      'invalid-gradients',
      `shared gradient '${name}' has shape [${shape.join(', ')}]; the weight has [${found[name].shape.join(', ')}]`,
    )
  return found[name].data()
}
