import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors/dlg-error'
import { fromPyTorch, type LayoutOptions, type NamedTensors } from '../io'

const UNNAMED = /^(arr_)?\d+$/
const OF_PYTORCH =
  /(^|\.)(weight|bias|running_mean|running_var|num_batches_tracked|(weight|bias)_[ih]h_l\d+(_reverse)?)$/

/** Whether tensors are a list without names, or a state dict of PyTorch: what has neither names of Keras nor of tfjs. */
export const needsAssigning = (tensors: NamedTensors): boolean => {
  const names = [...tensors.keys()]
  return names.length > 0 && (names.every((name) => UNNAMED.test(name)) || names.every((name) => OF_PYTORCH.test(name)))
}

/**
 * Gives a model the weights of a state dict of PyTorch, or of a list: in the order of Keras's `get_weights()` where that fits all shapes, else in
 * PyTorch's, as Flower sends them.
 *
 * @throws DlgError `invalid-file` for a list that fits neither order, or both; what `fromPyTorch` throws
 */
export function assignWeights(model: LayersModel, tensors: NamedTensors, layout: LayoutOptions, path: string): void {
  const byLayer = model.layers.flatMap((layer) => layer.weights)
  const list = [...tensors.values()]
  const isList = [...tensors.keys()].every((name) => UNNAMED.test(name))
  const same = (a: readonly (number | null)[], b: readonly number[]) =>
    a.length === b.length && a.every((n, i) => n === b[i])
  const inKeras =
    isList && list.length === byLayer.length && list.every(({ shape }, i) => same(byLayer[i].shape, shape))
  const torch = inPyTorch(model, tensors, layout, path, isList && !inKeras)
  if (
    inKeras &&
    torch &&
    byLayer.some(({ name, shape }, i) => differs(torch.get(name)?.data, list[i].data) && shape.length > 1)
  )
    throw new DlgError(
      'invalid-file',
      `${path}: is a list without names whose shapes fit Keras's order and PyTorch's, and these give different weights; save it with names: np.savez(f, **{w.path: a for w, a in zip(model.weights, arrays)}) in Keras, np.savez(f, **dict(zip(net.state_dict().keys(), arrays))) in PyTorch`,
    )
  const named = inKeras ? new Map(byLayer.map(({ name }, i) => [name, list[i]] as const)) : torch
  const values = model.weights.map(({ name, shape }) => {
    const found = named?.get(name)
    if (!found) throw new DlgError('invalid-file', `${path}: has no weight for '${name}' of the model`)
    return tf.tensor(found.data, shape as number[])
  })
  model.setWeights(values)
  tf.dispose(values)
}

function inPyTorch(
  model: LayersModel,
  tensors: NamedTensors,
  layout: LayoutOptions,
  path: string,
  isLast: boolean,
): ReturnType<typeof fromPyTorch>['tensors'] | undefined {
  const isState = [...tensors.keys()].some((name) => !UNNAMED.test(name))
  try {
    return fromPyTorch(tensors, model, { ...layout, values: 'weights' }).tensors
  } catch (cause) {
    if (!(cause instanceof DlgError) || !(isState || isLast)) return undefined
    const what = isState
      ? 'is a state dict of PyTorch'
      : "is a list without names that does not fit Keras's get_weights()"
    throw new DlgError(
      'invalid-file',
      `${path}: ${what}, and as PyTorch's weights: ${cause.message} (on the command line: --layout pytorch --map FILE)`,
      { cause },
    )
  }
}

const differs = (a: ArrayLike<number> | undefined, b: ArrayLike<number>): boolean =>
  a !== undefined && Array.prototype.some.call(b, (v: number, i) => v !== a[i])
