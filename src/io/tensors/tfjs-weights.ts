import { DlgError } from '../../errors/dlg-error'

import type { StoredAs } from '../../numbers/stored-dtype'

import { quote } from '../bytes/untrusted'
import { type Float32Tensor, toFloat32 } from './float32-tensor'
import { halfToNumber } from './safetensors-dtype'
import type { StoredTensor } from './stored-tensor'
import { type ShardDtype, STORED_SIZES, type TfjsGroup, type TfjsWeight } from './tfjs-manifest'

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
