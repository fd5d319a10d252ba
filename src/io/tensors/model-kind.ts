import { DlgError } from '../../errors/dlg-error'
import { startsWith } from '../bytes/untrusted'
import { readZipDirectory } from '../bytes/zip'
import { fileIn } from '../files/disk'
import { openHdf5 } from './hdf5'
import { isKerasWeights } from './keras-weights'
import { DISCO_MODEL, isDiscoModel } from './msgpack'
import { detectFormat, signatureOf } from './tensor-format'

const NEEDED = 'a model.json of TensorFlow.js, a .keras archive or a .onnx file is needed'

/** PyTorch has the network in its program alone. */
const BY_ONNX =
  "load it in Python and export it: torch.onnx.export(model.eval(), x, 'net.onnx'); the guide of ONNX has the arguments"

/** Where no converter makes a model. */
const REBUILD =
  'export the model that they belong to as net.onnx, or build it in TensorFlow.js, and give this file as --weights'

const BY_KERAS = "keras.models.load_model('IN').save('OUT.keras') in Keras 3"

const OF_SAVED_MODEL = `python -m tf2onnx.convert --saved-model IN --output net.onnx; the Keras model that it was made from is better, as it keeps the names of weights: model.save('net.keras')`

/**
 * Says what a file is that was given as a model and is no JSON, and what to do about it, in one sentence.
 *
 * Content comes first, structure before signatures; the name decides where the content does not tell.
 */
export function notModelJson(bytes: Uint8Array, path: string): DlgError {
  const { is, way } = kindOf(bytes, path)
  return new DlgError('invalid-file', `${path}: is ${is}; ${NEEDED}:\n${way}`)
}

interface Kind {
  readonly is: string
  /** The way to a model.json. */
  readonly way: string
}

function kindOf(bytes: Uint8Array, path: string): Kind {
  const format = detectFormat(bytes, '')
  if (format === 'safetensors') return { is: 'a safetensors file, weights without a network', way: REBUILD }
  if (format === 'npy') return { is: 'an array of numpy, without a network', way: REBUILD }
  if (format === 'npz') return archive(bytes)
  if (format === 'hdf5') return hdf5(bytes, path)
  const signature = signatureOf(bytes)
  if (signature === 'pickle') return { is: 'a Python pickle, as PyTorch writes it', way: BY_ONNX }
  if (signature === 'gzip') return { is: 'compressed with gzip', way: 'unpack it first' }
  if (signature === 'GGUF') return { is: 'GGUF, weights without a network', way: REBUILD }
  if (isDiscoModel(bytes)) return DISCO_MODEL
  return protobuf(bytes, path) ?? byName(bytes, path)
}

function archive(bytes: Uint8Array): Kind {
  const members = memberNames(bytes)
  const has = (pattern: RegExp) => members.some((member) => pattern.test(member))
  if (has(/(^|\/)archive_format$/) || has(/(^|\/)serialized_exported_program\.json$/))
    return {
      is: 'a .pt2 program of torch.export',
      way: "torch.onnx.export(torch.export.load('IN').module(), x, 'net.onnx'), or better from the module itself, which keeps the names of weights",
    }
  if (has(/(^|\/)constants\.pkl$/)) return { is: 'a TorchScript program', way: BY_ONNX }
  if (has(/(^|\/)data\.pkl$/)) return { is: 'a PyTorch file, a pickle in a zip archive', way: BY_ONNX }
  if (has(/(^|\/)saved_model\.pb$/))
    return { is: 'a SavedModel in a zip archive', way: `unpack it; then ${OF_SAVED_MODEL}` }
  if (has(/(^|\/)model\.json$/)) return { is: 'a zip archive with a model.json in it', way: 'unpack it first' }
  if (has(/(^|\/)config\.json$/) && has(/\.keras$|\.weights\.h5$/))
    return {
      is: 'a folder around a .keras archive',
      way: 'give the archive as Keras wrote it, with config.json at its top',
    }
  if (has(/\.npy$/)) return { is: 'an archive of numpy arrays, without a network', way: REBUILD }
  return { is: 'a zip archive', way: 'unpack it, and give the model.json' }
}

function hdf5(bytes: Uint8Array, path: string): Kind {
  let weights = false
  try {
    weights = isKerasWeights(openHdf5(bytes, {}, path))
  } catch {
    // damaged, or with what is not read: still HDF5
  }
  return weights
    ? {
        is: 'HDF5, the weights of Keras 3 without a network',
        way: 'give the .keras archive, or model.to_json() in a file, with this one as --weights',
      }
    : {
        is: 'HDF5, as Keras 2 saves models',
        way: `${BY_KERAS}, or: tensorflowjs_converter --input_format=keras IN.h5 FOLDER`,
      }
}

function memberNames(bytes: Uint8Array): string[] {
  try {
    return readZipDirectory(bytes, '').map(({ name }) => name)
  } catch {
    return []
  }
}

/**
 * Messages of protobuf that begin with their version, field 1: SavedModel (saved_model_schema_version is 1, then the graphs)
 * and ONNX's ModelProto (ir_version, from 3 on, then the producer or the graph).
 */
function protobuf(bytes: Uint8Array, path: string): Kind | undefined {
  const saved = { is: 'a SavedModel of TensorFlow', way: `with IN for its folder, ${OF_SAVED_MODEL}` }
  const onnx = { is: 'an ONNX model', way: 'call it net.onnx' }
  if (
    startsWith(
      bytes.subarray(4),
      [...'TFL3'].map((c) => c.charCodeAt(0)),
    )
  )
    return { is: 'a TFLite model, which has no gradients', way: 'convert the Keras model that it was made from' }
  if (/\.onnx$/i.test(path)) return onnx
  if (/\.pb$/i.test(path)) return saved
  if (bytes[0] !== 0x08) return undefined
  if (bytes[1] === 1 && bytes[2] === 0x12) return saved
  return bytes[1] >= 3 && bytes[1] < 0x20 && [0x12, 0x1a, 0x3a, 0x42].includes(bytes[2]) ? onnx : undefined
}

function byName(bytes: Uint8Array, path: string): Kind {
  if (bytes.length === 0) return { is: 'empty', way: 'write the model again' }
  if (/\.(pt|pth|ckpt|pkl|pickle)$/i.test(path)) return { is: 'by its name a Python pickle', way: BY_ONNX }
  if (/\.bin$/i.test(path)) return { is: 'by its name a shard of weights', way: 'give the one that lies beside it' }
  return {
    is: 'not JSON',
    way: "model.save of tfjs writes one; for Keras 3 model.save('net.keras'), for PyTorch torch.onnx.export",
  }
}

/** Says of a folder that was given as a model which file or which conversion is meant. */
export function folderForModel(path: string): DlgError {
  const model = fileIn(path, 'model.json')
  const way = model
    ? `give ${model}`
    : fileIn(path, 'saved_model.pb')
      ? `it is a SavedModel: with IN for it, ${OF_SAVED_MODEL}`
      : 'give the file'
  return new DlgError('invalid-file', `${path}: is a directory; ${NEEDED}: ${way}`)
}
