import { DlgError } from '../../errors/dlg-error'
import { startsWith } from '../bytes/untrusted'
import { readZipDirectory } from '../bytes/zip'
import { fileIn } from '../files/disk'
import { DISCO_MODEL, isDiscoModel } from './msgpack'
import { detectFormat, signatureOf } from './tensor-format'

const NEEDED = 'a model.json of TensorFlow.js is needed'

/** Where no converter makes a layers model. */
const REBUILD =
  'build the same network in TensorFlow.js, give it the weights (of PyTorch: fromPyTorch), and write it with model.save'

/** tfjs builds models of Keras 2 alone (tensorflow/tfjs#8494). */
const BY_KERAS_2 =
  'build it with TF_USE_LEGACY_KERAS=1 (package tf_keras), set_weights, save it as .h5, and: tensorflowjs_converter --input_format=keras IN.h5 FOLDER'

const OF_SAVED_MODEL =
  'tensorflowjs_converter --input_format=keras_saved_model --output_format=tfjs_layers_model IN FOLDER'

/**
 * Says what a file is that was given as a model and is no JSON, and what to do about it, in one sentence.
 *
 * Content comes first, structure before signatures; the name decides where the content does not tell.
 */
export function notModelJson(bytes: Uint8Array, path: string): DlgError {
  const { is, way } = kindOf(bytes, path)
  return new DlgError('invalid-file', `${path}: is ${is}; ${NEEDED}: ${way}`)
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
  const signature = signatureOf(bytes)
  if (signature === 'pickle') return { is: 'a Python pickle, as PyTorch writes it', way: REBUILD }
  if (signature === 'HDF5')
    return {
      is: 'HDF5, as Keras 2 saves models',
      way: 'tensorflowjs_converter --input_format=keras IN.h5 FOLDER',
    }
  if (signature === 'gzip') return { is: 'compressed with gzip', way: 'unpack it first' }
  if (signature === 'GGUF') return { is: 'GGUF, weights without a network', way: REBUILD }
  if (isDiscoModel(bytes)) return DISCO_MODEL
  return protobuf(bytes, path) ?? byName(bytes, path)
}

function archive(bytes: Uint8Array): Kind {
  const members = memberNames(bytes)
  const has = (pattern: RegExp) => members.some((member) => pattern.test(member))
  if (has(/(^|\/)data\.pkl$/)) return { is: 'a PyTorch file, a pickle in a zip archive', way: REBUILD }
  if (has(/(^|\/)model\.weights\.h5$/))
    return { is: 'a .keras archive of Keras 3, which tfjs does not read', way: BY_KERAS_2 }
  if (has(/(^|\/)model\.json$/)) return { is: 'a zip archive with a model.json in it', way: 'unpack it first' }
  if (has(/\.npy$/)) return { is: 'an archive of numpy arrays, without a network', way: REBUILD }
  return { is: 'a zip archive', way: 'unpack it, and give the model.json' }
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
  const onnx = { is: 'an ONNX model', way: REBUILD }
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
  if (/\.(pt|pth|ckpt|pkl|pickle)$/i.test(path)) return { is: 'by its name a Python pickle', way: REBUILD }
  if (/\.bin$/i.test(path)) return { is: 'by its name a shard of weights', way: 'give the one that lies beside it' }
  return {
    is: 'not JSON',
    way: 'model.save of tfjs writes one, and for Keras: tensorflowjs_converter --input_format=keras IN.h5 FOLDER',
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
