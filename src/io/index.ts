/**
 * Files of tensors and pictures, and the layouts of PyTorch and tfjs.
 *
 * It runs in Node and in browsers. A browser has no files: give bytes there, since a path is refused with a DlgError
 * `invalid-file`.
 *
 * @module dlg-ts/io
 */

export { type Quantization, SIGNIFICAND_BITS, type StoredAs, type StoredDtype } from '../numbers/stored-dtype'
export type { Ignore, ReadLimits, ReadOptions } from './bytes/limits'
export { writeFileAtomic } from './files/disk'
export type { FlattenOrder } from './layouts/flatten-order'
export type { TensorSpec } from './layouts/layer-groups'
export {
  type ConventionDifference,
  type ConvertedTensors,
  fromPyTorch,
  type LayoutDecision,
  type LayoutOptions,
  type TensorTargets,
  toPyTorch,
} from './layouts/pytorch'
export type { ImageLimits } from './pictures/dimensions'
export { encodeGif, type GifOptions } from './pictures/gif'
export { decodeImage, type Image, readImage } from './pictures/image'
export { encodePng } from './pictures/png'
export { resize, squareCrop, toSquare } from './pictures/resample'
export { gallery, type StripOptions, strip } from './pictures/strip'
export { parseTensorsJson } from './tensors/json-tensors'
export {
  type ModelArtifacts,
  type ModelFileOptions,
  type ModelHandler,
  modelFromFile,
  type WeightSpec,
} from './tensors/model-from-file'
export { parseMsgpack } from './tensors/msgpack'
export { parseNpy, writeNpy } from './tensors/npy'
export { parseNpz, writeNpz } from './tensors/npz'
export { type LeftOut, readFloatTensors, readTensors } from './tensors/read-tensors'
export { parseSafetensors, type SafetensorsFile, type SafetensorsTensor } from './tensors/safetensors'
export type { SafetensorsData, SafetensorsDtype } from './tensors/safetensors-dtype'
export { writeSafetensors } from './tensors/safetensors-write'
export { coarser, type Float32Tensor, isWhole, type NamedTensors } from './tensors/stored-tensor'
export type { TensorToWrite } from './tensors/tensor-to-write'
export { readTfjsWeights } from './tensors/tfjs-model'
