import { DlgError } from '../../errors/dlg-error'
import { quote } from '../bytes/untrusted'
import { type Float32Tensor, type NamedTensors, toFloat32 } from './float32-tensor'
import { halfToNumber } from './safetensors-dtype'
import { STORED_SIZES, type StoredDtype, type TfjsGroup, type TfjsWeight } from './tfjs-manifest'

const READERS: Readonly<Record<StoredDtype, (view: DataView, offset: number) => number>> = {
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

/**
 * The weights of a group out of its shards, joined and checked.
 *
 * @throws DlgError `invalid-file` when a value is no float32.
 */
export function decodeGroup({ weights }: TfjsGroup, bytes: Uint8Array, name: string): NamedTensors {
  const tensors: NamedTensors = new Map()
  let offset = 0
  for (const weight of weights) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, weight.bytes)
    tensors.set(weight.name, decodeWeight(weight, view, `${name}: weight ${quote(weight.name)}`))
    offset += weight.bytes
  }
  return tensors
}

function decodeWeight(
  { shape, dtype, stored, scale, min }: TfjsWeight,
  view: DataView,
  subject: string,
): Float32Tensor {
  const size = STORED_SIZES[stored]
  const read = READERS[stored]
  const whole = dtype === 'int32' || dtype === 'bool'
  const data = new Float32Array(view.byteLength / size)
  for (let i = 0; i < data.length; i++) {
    const value = read(view, i * size) * scale + min
    data[i] = toFloat32(whole ? Math.round(value) : value, whole, subject, i)
  }
  return { shape, data }
}
