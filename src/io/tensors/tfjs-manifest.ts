import { DlgError } from '../../errors/dlg-error'
import type { StoredAs } from '../../numbers/stored-dtype'
import { isRecord, quote } from '../bytes/untrusted'
import { halfToNumber } from './safetensors-dtype'
import { type Float32Tensor, type StoredTensor, toFloat32, valuesIn } from './stored-tensor'

/** Bytes per stored element, by the name that the manifest gives it. */
export const STORED_SIZES = { float32: 4, float16: 2, int32: 4, bool: 1, uint8: 1, uint16: 2 } as const
export type ShardDtype = keyof typeof STORED_SIZES

/** One weight of a manifest. */
export interface TfjsWeight {
  readonly name: string
  readonly shape: number[]
  /** Type of the weight in the model. */
  readonly dtype: 'float32' | 'int32' | 'bool'
  /** Type of the elements in the shards. */
  readonly stored: ShardDtype
  /** value = stored · scale + min, for the quantised types. */
  readonly scale: number
  readonly min: number
  readonly bytes: number
}

/** Weights that lie one after the other in the shards, joined. */
export interface TfjsGroup {
  /** Relative to the folder of `model.json`, below it. */
  readonly paths: string[]
  readonly weights: TfjsWeight[]
}

/** @throws DlgError `invalid-file` when the manifest is malformed or a shard would lie outside its folder. */
export function readManifest(manifest: unknown, name: string): TfjsGroup[] {
  if (!Array.isArray(manifest)) {
    throw new DlgError('invalid-file', `${name}: weightsManifest is ${quote(manifest)}; it must be a list of groups`)
  }
  const names = new Set<string>()
  const shards = new Set<string>()
  return manifest.map((group, i) => {
    if (!isRecord(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights)) {
      throw new DlgError('invalid-file', `${name}: group ${i} of the manifest must be {paths: […], weights: […]}`)
    }
    const weights = group.weights.map((weight) => readWeight(weight, name))
    for (const weight of weights) {
      if (names.has(weight.name))
        throw new DlgError('invalid-file', `${name}: has two weights named ${quote(weight.name)}`)
      names.add(weight.name)
    }
    const paths = group.paths.map((path) => checkShardPath(path, name))
    for (const path of paths) {
      // One large file named a thousand times would be read as often.
      if (shards.has(path)) throw new DlgError('invalid-file', `${name}: the manifest names ${quote(path)} twice`)
      shards.add(path)
    }
    return { paths, weights }
  })
}

/** A manifest comes with a model from elsewhere, and must not name other files of the machine. */
function checkShardPath(path: unknown, name: string): string {
  const inside =
    typeof path === 'string' &&
    path !== '' &&
    // On Windows a backslash separates too, and a colon follows a drive or names a stream.
    !/[\\:\0]/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  if (inside) return path
  throw new DlgError(
    'invalid-file',
    `${name}: the manifest names the shard ${quote(path)}; it must be a file in the folder of model.json`,
  )
}

function readWeight(weight: unknown, name: string): TfjsWeight {
  if (!isRecord(weight) || typeof weight.name !== 'string') {
    throw new DlgError('invalid-file', `${name}: a weight of the manifest is ${quote(weight)}; it must have a name`)
  }
  const subject = `${name}: weight ${quote(weight.name)}`
  const { shape, dtype } = weight
  const values = Array.isArray(shape) ? valuesIn(shape) : undefined
  if (values === undefined) {
    throw new DlgError(
      'invalid-file',
      `${subject} has shape ${quote(shape)}; it must be a list of whole numbers from 0`,
    )
  }
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'int32' && dtype !== 'bool') {
    throw new DlgError(
      'invalid-file',
      `${subject} has dtype ${quote(dtype)}; it must be float32, float16, int32 or bool`,
    )
  }
  if (dtype === 'float16') {
    const stored = { dtype: 'float32', stored: 'float16', scale: 1, min: 0 } as const
    return { name: weight.name, shape: shape as number[], ...stored, bytes: values * STORED_SIZES.float16 }
  }
  const { stored = dtype, scale, min } = readQuantization(weight.quantization, dtype, subject)
  const bytes = values * STORED_SIZES[stored]
  return { name: weight.name, shape: shape as number[], dtype, stored, scale, min, bytes }
}

function readQuantization(
  quantization: unknown,
  dtype: TfjsWeight['dtype'],
  subject: string,
): { stored?: ShardDtype; scale: number; min: number } {
  if (quantization === undefined) return { scale: 1, min: 0 }
  const { dtype: stored, scale, min } = isRecord(quantization) ? quantization : {}
  if (stored === 'float16' && dtype === 'float32') return { stored, scale: 1, min: 0 }
  if ((stored !== 'uint8' && stored !== 'uint16') || (dtype !== 'float32' && dtype !== 'int32')) {
    throw new DlgError(
      'invalid-file',
      `${subject} is ${dtype} quantised to ${quote(stored)}; it must be float32 to float16, or float32 or int32 to uint8 or uint16`,
    )
  }
  if (typeof scale !== 'number' || typeof min !== 'number' || !Number.isFinite(scale) || !Number.isFinite(min)) {
    throw new DlgError(
      'invalid-file',
      `${subject} is quantised with scale ${quote(scale)} and min ${quote(min)}; both must be numbers`,
    )
  }
  return { stored, scale, min }
}

const READERS: Readonly<Record<ShardDtype, (view: DataView, offset: number) => number>> = {
  float32: (view, offset) => view.getFloat32(offset, true),
  float16: (view, offset) => halfToNumber(view.getUint16(offset, true)),
  int32: (view, offset) => view.getInt32(offset, true),
  bool: (view, offset) => view.getUint8(offset),
  uint8: (view, offset) => view.getUint8(offset),
  uint16: (view, offset) => view.getUint16(offset, true),
}

/** @throws DlgError `invalid-file` when the weights of a group do not account for every byte of its shards. */
export function checkGroup({ paths, weights }: TfjsGroup, bytes: Uint8Array, name: string): void {
  const needed = weights.reduce((sum, weight) => sum + weight.bytes, 0)
  if (needed === bytes.length) return
  throw new DlgError(
    'invalid-file',
    `${name}: the weights from ${quote(weights[0]?.name)} on need ${needed} bytes, but ${quote(paths)} have ${bytes.length}`,
  )
}

/** The weights of a group out of its shards, joined and checked; none of them read yet. */
export function openGroup({ weights }: TfjsGroup, bytes: Uint8Array, name: string): StoredTensor[] {
  let offset = 0
  return weights.map((weight) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, weight.bytes)
    offset += weight.bytes
    const subject = `${name}: weight ${quote(weight.name)}`
    return {
      name: weight.name,
      type: weight.stored,
      ...storedOf(weight),
      read: () => decodeWeight(weight, view, subject),
    }
  })
}

/** Quantised weights of the model's whole numbers stand for whole numbers, and not for floats. */
function storedOf({ dtype, stored, scale, min }: TfjsWeight): StoredAs {
  const quantized = stored === 'uint8' || stored === 'uint16'
  if (!quantized) return { dtype: stored }
  return dtype === 'float32' ? { dtype: stored, quantization: { scale, min } } : { dtype }
}

function decodeWeight(weight: TfjsWeight, view: DataView, subject: string): Float32Tensor {
  const { shape, dtype, stored, scale, min } = weight
  const size = STORED_SIZES[stored]
  const read = READERS[stored]
  const whole = dtype === 'int32' || dtype === 'bool'
  const data = new Float32Array(view.byteLength / size)
  for (let i = 0; i < data.length; i++) {
    const value = read(view, i * size) * scale + min
    data[i] = toFloat32(whole ? Math.round(value) : value, whole, subject, i)
  }
  return { shape, data, ...storedOf(weight) }
}
