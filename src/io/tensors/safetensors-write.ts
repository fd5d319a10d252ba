import { requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkTensor, requireTensorMap, type TensorToWrite } from './tensor-to-write'

/**
 * Writes tensors as a safetensors file, all as little-endian F32, in the map's order.
 *
 * Values are rounded to float32; those beyond its range become infinite. The header is padded with spaces so that the
 * data start at a multiple of 8 bytes, as the format recommends.
 *
 * @throws DlgError `invalid-data` when a shape does not fit its data, a name is `__metadata__`, or a metadata value is
 * not a string.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  requireTensorMap('safetensors', tensors)
  requireObject('safetensors: metadata', metadata, 'an object of strings')
  const entries: string[] = []
  const pairs = Object.entries(metadata)
  for (const [key, value] of pairs) {
    if (typeof value === 'string') continue
    throw new DlgError('invalid-data', `safetensors: metadata "${key}" is ${typeof value}; it must be a string`)
  }
  if (pairs.length > 0) entries.push(`"__metadata__":${JSON.stringify(metadata)}`)

  let size = 0
  for (const [name, { shape, data }] of tensors) {
    if (name === '__metadata__') {
      throw new DlgError(
        'invalid-data',
        'safetensors: no tensor can have the name __metadata__, the format reserves it',
      )
    }
    checkTensor(`safetensors: tensor "${name}"`, shape, data)
    const entry = { dtype: 'F32', shape, data_offsets: [size, size + data.length * 4] }
    // Joined as text: as an object's keys, names like "10" would move to the front.
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    size += data.length * 4
  }

  const json = new TextEncoder().encode(`{${entries.join(',')}}`)
  const start = Math.ceil((8 + json.length) / 8) * 8
  const file = new Uint8Array(start + size)
  new DataView(file.buffer).setBigUint64(0, BigInt(start - 8), true)
  file.fill(0x20, 8, start)
  file.set(json, 8)
  let offset = start
  for (const { data } of tensors.values()) {
    new Float32Array(file.buffer, offset, data.length).set(data)
    offset += data.length * 4
  }
  return file
}
