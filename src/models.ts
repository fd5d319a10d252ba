/**
 * Models out of files: ONNX, as torch.onnx.export, tf2onnx and the converters of scikit-learn write it; graph models of TensorFlow.js; and what models
 * of Keras 3 need.
 *
 * @module dlg-ts/models
 */

export { registerKerasLayers, type TfjsLayers } from './models/keras-layers'
export { modelFromOnnx, type OnnxModel, type OnnxModelOptions } from './models/onnx/model-from-onnx'
export type { ExternalData } from './models/onnx/tensor-values'
export {
  type GraphModelArtifacts,
  type GraphModelOptions,
  type GraphWeightSpec,
  modelFromGraphModel,
  type TfjsGraphModel,
} from './models/tensorflow/model-from-graph-model'
