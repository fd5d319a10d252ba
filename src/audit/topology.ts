import type { DataType } from '@tensorflow/tfjs-core'
import type { OpenModel } from '../client/model/model'
import { operationsOfLoss } from '../client/model/operations'
import { targetOptions } from '../client/target-options'
import type { AuditSettings } from './options'

/**
 * What makes one model or loss another, beside the weights. The source of a function is not enough: all models out of ONNX files have one
 * function, and a function that makes losses gives all of them one source.
 */
export function topologyOf({ model, training, data }: AuditSettings, opened: OpenModel): unknown {
  const settings = targetOptions(training)
  // layers that draw random numbers are in the list of layers
  const layers = 'layers' in model ? model.toJSON(undefined, false) : undefined
  const traced = { ...settings, training: settings.training && !layers }
  // nobody says whether what was shared is of numbers or of token ids
  const types: readonly DataType[] = data ? [data.x.dtype] : ['float32', 'int32']
  for (const type of types) {
    try {
      return [layers, operationsOfLoss(opened, traced, type)]
    } catch {
      // the client's own step says what is wrong
    }
  }
  return layers ?? ('apply' in model ? model.apply : (model as { readonly build: unknown }).build)
}
