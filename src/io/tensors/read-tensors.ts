import { DlgError } from '../../errors/dlg-error'
import { isWhole } from '../../numbers/stored-dtype'
import { ignores, maximumBytes, type ReadOptions } from '../bytes/limits'
import { checkBytes, isRecord, quote } from '../bytes/untrusted'
import { nameOf, readBytes } from '../files/disk'
import { openHdf5 } from './hdf5'
import { parseJson } from './json-tensors'
import { openMsgpack } from './msgpack'
import { openNpy } from './npy'
import { openNpz } from './npz'
import { openSafetensors } from './safetensors'
import { dtypes, type SafetensorsDtype } from './safetensors-dtype'
import { type NamedTensors, readAll, type StoredTensor, toFloat32 } from './stored-tensor'
import { detectFormat, isSafetensors, refuseByExtension, refuseBySignature, type TensorFormat } from './tensor-format'
import { openTree } from './tensor-tree'
import { openTfjsWeights } from './tfjs-model'

/**
 * Reads the tensors of a file in any of these formats, told apart by content first and extension second: safetensors,
 * `.npy`, `.npz`, JSON, msgpack, HDF5 as h5py and Keras write it, and tfjs's `model.json`, which needs a path, because its
 * weights lie beside it.
 *
 * All come as float32: floats are rounded, booleans are 0 and 1, integers must fit exactly. `dtype` says what each was in
 * the file. A `.npy` array has its file's name, or `array`. A tensor that cannot be read refuses the file unless `ignore`
 * names it. Python pickles, among them PyTorch's `.pt`, `.pth` and `.bin`, are never read; the message tells how to
 * convert them.
 *
 * @param source a file's bytes, or in Node its path.
 * @returns the tensors by name, in the file's order. As gradients: the Map itself, or `[...tensors.values()]`
 * in the order of the weights.
 * @throws DlgError `invalid-file` naming what is wrong and what would be right; `invalid-data` when `source` is neither;
 * `invalid-option` for a wrong `maximumBytes` or `ignore`.
 */
export function readTensors(source: string | Uint8Array, options: ReadOptions = {}): NamedTensors {
  return readAll(openTensors(source, options))
}

/** A tensor that was not read, because it can be no gradient. */
export interface LeftOut {
  readonly name: string
  /** The element type as the file calls it. */
  readonly type: string
}

/**
 * Like {@link readTensors}, for a file of gradients or weights: only tensors of floats are read.
 *
 * Tensors of booleans and whole numbers (masks, counters, position ids), and those of an element type that is not read, are
 * left out and reported. What they hold cannot refuse the file.
 */
export function readFloatTensors(
  source: string | Uint8Array,
  options: ReadOptions = {},
): { readonly tensors: NamedTensors; readonly leftOut: readonly LeftOut[] } {
  const tensors: NamedTensors = new Map()
  const leftOut: LeftOut[] = []
  for (const stored of openTensors(source, options)) {
    const { name, type, refusal, read } = stored
    if (refusal || isWhole(stored)) leftOut.push({ name, type })
    else tensors.set(name, read())
  }
  return { tensors, leftOut }
}

/** The tensors that are not ignored, one after the other, none of them read yet. @throws DlgError as {@link readTensors} */
export function* openTensors(source: string | Uint8Array, options: ReadOptions): Generator<StoredTensor> {
  maximumBytes(0, options)
  const ignored = ignores(options.ignore)
  const path = typeof source === 'string' ? source : undefined
  const bytes = typeof source === 'string' ? readBytes(source) : source
  const name = path ?? 'tensors'
  checkBytes(bytes, name)
  // Two bytes of a signature are also what many sound files begin with, so structure is asked first.
  if (!isSafetensors(bytes)) refuseBySignature(bytes, name)
  const format = detectFormat(bytes, name)
  if (format === undefined) throw unknownFormat(bytes, name)
  for (const tensor of openers[format]({ bytes, name, path, options, ignored })) {
    if (!ignored(tensor.name)) yield tensor
  }
}

function unknownFormat(bytes: Uint8Array, name: string): DlgError {
  refuseByExtension(name)
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return new DlgError(
    'invalid-file',
    `${name}: ${bytes.length === 0 ? 'is empty' : `starts with ${start}, which no known format does`}; it must be ${Object.keys(openers).join(', ')} or a tfjs model.json`,
  )
}

interface Source {
  readonly bytes: Uint8Array
  /** What the error messages call it. */
  readonly name: string
  readonly path: string | undefined
  readonly options: ReadOptions
  readonly ignored: (name: string) => boolean
}

const openers: Readonly<Record<TensorFormat, (source: Source) => Iterable<StoredTensor>>> = {
  safetensors: floatsOfSafetensors,
  npy: ({ bytes, name, path }) => [
    { name: path === undefined ? 'array' : nameOf(path).replace(/\.npy$/i, ''), ...openNpy(bytes, name) },
  ],
  npz: ({ bytes, name, options, ignored }) => openNpz(bytes, options, name, ignored),
  json: openJson,
  msgpack: ({ bytes, name }) => openMsgpack(bytes, name),
  hdf5: ({ bytes, name, options }) => openHdf5(bytes, options, name),
}

function floatsOfSafetensors({ bytes, name }: Source): StoredTensor[] {
  return openSafetensors(bytes).tensors.map(({ name: key, dtype: type, read }) => {
    const dtype = Object.hasOwn(dtypes, type) ? dtypes[type as SafetensorsDtype].stored : undefined
    const refusal = dtype === undefined ? refusalOf(read) : undefined
    return {
      name: key,
      type,
      ...(dtype && { dtype }),
      ...(refusal && { refusal }),
      read: () => {
        const { shape, data } = read()
        // What already is float32 is kept, so that nothing is held twice.
        if (data instanceof Float32Array) return { shape, data, dtype }
        const float32 = new Float32Array(data.length)
        for (let i = 0; i < data.length; i++) {
          float32[i] = toFloat32(data[i], type !== 'F64', `${name}: tensor ${quote(key)}`, i)
        }
        return { shape, data: float32, dtype }
      },
    }
  })
}

/** The error for a tensor of an unknown type, with the way out. */
function refusalOf(read: () => unknown): DlgError | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return error as DlgError
  }
}

function openJson({ bytes, name, path }: Source): StoredTensor[] {
  const tree = parseJson(bytes, name)
  if (!isRecord(tree) || !('weightsManifest' in tree)) return openTree(tree, name)
  if (path !== undefined) return openTfjsWeights(path)
  throw new DlgError(
    'invalid-file',
    `${name}: is a tfjs model.json; it must be given by its path, in Node: the weights lie beside it`,
  )
}
