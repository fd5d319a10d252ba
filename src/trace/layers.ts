import { dispose, mul, type Tensor, tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Node } from '../graph'
import type { Recorder } from './recorder'

type Layer = LayersModel['layers'][number]
type LayerVariable = LayersModel['weights'][number] & { write?(value: Tensor): unknown }

/** A layer and the layers inside it: nested models, wrappers, recurrent cells. */
function within(layer: Layer): Layer[] {
  const parts = layer as unknown as Record<string, Layer | Layer[] | undefined>
  const inside = ['layers', 'layer', 'forwardLayer', 'backwardLayer', 'cell', 'cells'].flatMap(
    (key) => parts[key] ?? [],
  )
  return [layer, ...inside.flatMap(within)]
}

/** Recurrent cells keep their dropout masks until the next call. */
function forgetMasks(layer: Layer): void {
  const masks = layer as unknown as Record<string, Tensor | Tensor[] | null | undefined>
  for (const key of ['dropoutMask', 'recurrentDropoutMask']) {
    if (!masks[key]) continue
    dispose(masks[key])
    masks[key] = null
  }
}

/**
 * Runs a LayersModel's forward pass under a recorder, on recorded tensors. While it runs, weights read as the given nodes, writes (moving
 * statistics of a batch norm) go nowhere, and layers announce themselves for error messages; all of it lives on the
 * instances and is taken off again.
 *
 * @param masks of dropout layers by name, each number what a feature of a sample is multiplied by, one sample after the other;
 * others draw theirs
 * @param written told of every weight that a layer writes, with what it writes
 */
export function applyLayers(
  model: LayersModel,
  recorder: Recorder,
  inputs: readonly Tensor[],
  weightNode: (weight: LayersModel['weights'][number]) => Node,
  training: boolean,
  masks: ReadonlyMap<string, Float32Array> = new Map(),
  written?: (weight: LayersModel['weights'][number], value: Node) => void,
): Node[] {
  const parts = new Set(model.layers.flatMap(within))
  const run = (override: Override): Node[] => {
    for (const layer of parts) {
      const { call } = layer
      override(layer, 'call', (...[x, options]: Parameters<typeof call>) => {
        const leave = recorder.enter(layer.name)
        try {
          const refused = refusal(layer, [x].flat()[0], options?.training === true)
          if (refused) throw recorder.failure(refused)
          const mask = options?.training === true ? masks.get(layer.name) : undefined
          if (mask) return masked([x].flat()[0], mask)
          return call.call(layer, x, options)
        } catch (cause) {
          throw recorder.failure(cause as Error)
        } finally {
          leave()
        }
      })
    }
    try {
      const outputs = model.apply(inputs.length === 1 ? inputs[0] : [...inputs], { training }) as Tensor | Tensor[]
      return [outputs].flat().map((t) => recorder.nodeOf(t))
    } finally {
      for (const layer of parts) forgetMasks(layer)
    }
  }
  return withNodes(model, recorder, weightNode, run, written)
}

/** Samples times the masks of their features; a trace on fewer samples has the first masks. */
const masked = (x: Tensor, mask: Float32Array): Tensor => mul(x, tensor(mask.subarray(0, x.size), x.shape))

/** Whether a model has regularizers, whose penalties tfjs and Keras add to the loss of a step. */
export const hasPenalties = (model: LayersModel): boolean =>
  model.layers.flatMap(within).some((layer) => ((layer as { losses?: readonly unknown[] }).losses?.length ?? 0) > 0)

/** The penalties of a model's regularizers under a recorder, scalars, as `fit` adds them to its loss. */
export const penaltiesOf = (
  model: LayersModel,
  recorder: Recorder,
  weightNode: (weight: LayersModel['weights'][number]) => Node,
): Node[] =>
  withNodes(model, recorder, weightNode, () =>
    (model as unknown as { calculateLosses(): Tensor[] }).calculateLosses().map((t) => recorder.nodeOf(t)),
  )

type Override = <T extends object>(target: T, key: keyof T & string, value: unknown) => void

/** Runs something while the weights of a model read as nodes and writes to them go nowhere. */
function withNodes<T>(
  model: LayersModel,
  recorder: Recorder,
  weightNode: (weight: LayersModel['weights'][number]) => Node,
  run: (override: Override) => T,
  written?: (weight: LayersModel['weights'][number], value: Node) => void,
): T {
  const undo: (() => void)[] = []
  const override: Override = (target, key, value) => {
    Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable: true })
    undo.push(() => delete target[key])
  }
  try {
    for (const weight of model.weights as LayerVariable[]) {
      const tensor = recorder.tensorOf(weightNode(weight))
      override(weight, 'read', () => tensor)
      override(weight, 'write', (value: Tensor) => {
        written?.(weight, recorder.nodeOf(value))
        return weight
      })
    }
    return run(override)
  } finally {
    for (const restore of undo.reverse()) restore()
  }
}

interface BatchNormalization extends Layer {
  axis: number
  scale: boolean
  center: boolean
}

const isBatchNormalization = (layer: Layer): layer is BatchNormalization =>
  layer.getClassName() === 'BatchNormalization'

/** Why a layer cannot be traced truthfully: it is no function, or tfjs-layers 4.22 itself is wrong or crashes. */
export function refusal(layer: Layer, input: Tensor, training: boolean): string | undefined {
  if (layer.stateful)
    return 'a stateful layer: its output depends on the batches before; build the model with stateful: false'
  if (!isBatchNormalization(layer)) return undefined
  const last = input.rank - 1
  if (layer.axis !== -1 && layer.axis !== last)
    return `BatchNormalization with axis ${layer.axis}: tfjs pairs its statistics with the wrong elements unless the axis is the last; transpose with tf.layers.permute around it`
  if (training && !(layer.scale && layer.center))
    return `BatchNormalization with ${layer.scale ? 'center' : 'scale'}: false in training mode: tfjs crashes on it; keep scale and center, or set training to false`
  return undefined
}
