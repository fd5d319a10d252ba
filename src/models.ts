/**
 * Models out of files: ONNX, as torch.onnx.export, tf2onnx and the converters of scikit-learn write it.
 *
 * @module dlg-ts/models
 */

export { modelFromOnnx, type OnnxModel, type OnnxModelOptions } from './models/onnx/model-from-onnx'
export type { ExternalData } from './models/onnx/tensor-values'
