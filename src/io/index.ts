export { writeFileAtomic } from './atomic'
export type { FlattenOrder } from './flatten-order'
export type { Float32Tensor, NamedTensors } from './float32-tensor'
export { encodeGif, type GifOptions } from './gif'
export { decodeImage, type Image, readImage } from './image'
export { parseTensorsJson } from './json-tensors'
export type { TensorSpec } from './layer-groups'
export type { ReadLimits } from './limits'
export { parseMsgpack } from './msgpack'
export { parseNpy, writeNpy } from './npy'
export { parseNpz, writeNpz } from './npz'
export { encodePng } from './png'
export {
  type ConvertedTensors,
  fromPyTorch,
  type LayoutDecision,
  type LayoutOptions,
  type TensorTargets,
  toPyTorch,
} from './pytorch'
export { readTensors } from './read-tensors'
export { resize, squareCrop, toSquare } from './resample'
export { parseSafetensors, type SafetensorsFile, type SafetensorsTensor } from './safetensors'
export type { SafetensorsData, SafetensorsDtype } from './safetensors-dtype'
export { writeSafetensors } from './safetensors-write'
export { gallery, type StripOptions, strip } from './strip'
export type { TensorToWrite } from './tensor-to-write'
export { type ModelArtifacts, type ModelHandler, modelFromFile, readTfjsWeights, type WeightSpec } from './tfjs-model'
