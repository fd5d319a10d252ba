import { basename } from 'node:path'
import { DlgError } from '../../errors/dlg-error'
import { maximumBytes, type ReadLimits } from '../bytes/limits'
import { checkBytes, isRecord, quote } from '../bytes/untrusted'
import { readBytes } from '../files/read-bytes'
import { type NamedTensors, toFloat32 } from './float32-tensor'
import { parseJson } from './json-tensors'
import { parseMsgpack } from './msgpack'
import { parseNpy } from './npy'
import { parseNpz } from './npz'
import { refuseByExtension, refuseBySignature } from './refused-formats'
import { parseSafetensors } from './safetensors'
import { detectFormat, type TensorFormat } from './tensor-format'
import { tensorsFromTree } from './tensor-tree'
import { readTfjsWeights } from './tfjs-model'

/**
 * Reads the tensors of a file in any of these formats, told apart by content first and extension second: safetensors,
 * `.npy`, `.npz`, JSON, msgpack, and tfjs's `model.json`, which needs a path, because its weights lie beside it.
 *
 * All come as float32: floats are rounded, integers must fit exactly. A `.npy` array has its file's name, or `array`.
 * Python pickles, among them PyTorch's `.pt`, `.pth` and `.bin`, are never read; the message tells how to convert them.
 *
 * @param source a path, or a file's bytes.
 * @returns the tensors by name, in the file's order. As gradients: the Map itself, or `[...tensors.values()]`
 * in the order of the weights.
 * @throws DlgError `invalid-file` naming what is wrong and what would be right; `invalid-data` when `source` is neither;
 * `invalid-option` for a wrong `maximumBytes`.
 */
export function readTensors(source: string | Uint8Array, limits: ReadLimits = {}): NamedTensors {
  maximumBytes(0, limits)
  const path = typeof source === 'string' ? source : undefined
  const bytes = typeof source === 'string' ? readBytes(source) : source
  const name = path ?? 'tensors'
  checkBytes(bytes, name)
  refuseBySignature(bytes, name)
  const format = detectFormat(bytes, name)
  if (format !== undefined) return readers[format]({ bytes, name, path, limits })
  refuseByExtension(name)
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  throw new DlgError(
    'invalid-file',
    `${name}: ${bytes.length === 0 ? 'is empty' : `starts with ${start}, which no known format does`}, should be ${Object.keys(readers).join(', ')} or a tfjs model.json`,
  )
}

interface Source {
  readonly bytes: Uint8Array
  /** What the error messages call it. */
  readonly name: string
  readonly path: string | undefined
  readonly limits: ReadLimits
}

const readers: Readonly<Record<TensorFormat, (source: Source) => NamedTensors>> = {
  safetensors: readSafetensors,
  npy: ({ bytes, name, path = 'array' }) => new Map([[basename(path).replace(/\.npy$/i, ''), parseNpy(bytes, name)]]),
  npz: ({ bytes, name, limits }) => parseNpz(bytes, limits, name),
  json: readJson,
  msgpack: ({ bytes, name }) => parseMsgpack(bytes, name),
}

function readSafetensors({ bytes, name }: Source): NamedTensors {
  const tensors: NamedTensors = new Map()
  for (const [key, { dtype, shape, data }] of parseSafetensors(bytes).tensors) {
    // What already is float32 is kept, so that nothing is held twice.
    if (data instanceof Float32Array) {
      tensors.set(key, { shape, data })
      continue
    }
    const float32 = new Float32Array(data.length)
    for (let i = 0; i < data.length; i++) {
      float32[i] = toFloat32(data[i], dtype !== 'F64', `${name}: tensor ${quote(key)}`, i)
    }
    tensors.set(key, { shape, data: float32 })
  }
  return tensors
}

function readJson({ bytes, name, path }: Source): NamedTensors {
  const tree = parseJson(bytes, name)
  if (!isRecord(tree) || !('weightsManifest' in tree)) return tensorsFromTree(tree, name)
  if (path !== undefined) return readTfjsWeights(path)
  throw new DlgError(
    'invalid-file',
    `${name}: is a tfjs model.json, should be given by its path: the weights lie beside it`,
  )
}
