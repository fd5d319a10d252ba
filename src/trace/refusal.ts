import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'

type Layer = LayersModel['layers'][number]

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
