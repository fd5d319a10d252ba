import { DlgError } from '../../errors/dlg-error'

/** The signature of HDF5, at the file's beginning. */
export const HDF5_MAGIC = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

/** No address: nothing was written. */
const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn

/** A message of an object header: what it says of the object, and where. */
export interface Message {
  readonly type: number
  /** Whether the message lies elsewhere, and only its address here. */
  readonly shared: boolean
  readonly at: number
  readonly size: number
}

/**
 * An open file. Every structure is read once: one that is named twice refuses the file, so reading costs what the file has.
 *
 * The libraries h5wasm 0.10 and jsfive 0.4 follow a B-tree whose nodes share their children for ever.
 */
export interface Hdf5 {
  readonly view: DataView
  readonly name: string
  /** @throws DlgError `invalid-file` for a structure that was read before */
  readonly once: (address: number) => void
  readonly wrong: (message: string) => DlgError
}

/** Throws RangeError where the file ends too early. */
export function openFile(bytes: Uint8Array, name: string): Hdf5 {
  const seen = new Set<number>()
  const wrong = (message: string) => new DlgError('invalid-file', `${name}: ${message}`)
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    name,
    wrong,
    once: (address) => {
      if (seen.has(address)) throw wrong(`corrupt HDF5, two places lead to byte ${address}`)
      seen.add(address)
    },
  }
}

/** An address or a length. @throws DlgError `invalid-file` when it is beyond the file */
export function offsetAt(file: Hdf5, at: number): number {
  const value = file.view.getBigUint64(at, true)
  if (value <= BigInt(file.view.byteLength)) return Number(value)
  throw file.wrong(`truncated or corrupt HDF5, byte ${at} leads to byte ${value} of ${file.view.byteLength}`)
}

/** Like {@link offsetAt}; undefined where nothing was written. */
export const addressAt = (file: Hdf5, at: number): number | undefined =>
  file.view.getBigUint64(at, true) === UNDEFINED_ADDRESS ? undefined : offsetAt(file, at)

/** @throws DlgError `invalid-file` unless these four letters stand there */
export function expectSignature(file: Hdf5, at: number, signature: string): void {
  for (let i = 0; i < signature.length; i++)
    if (file.view.getUint8(at + i) !== signature.charCodeAt(i))
      throw file.wrong(`corrupt HDF5, byte ${at} must begin with ${signature}`)
}

/** The header of the root group. Offsets and lengths of 8 bytes, no user block. */
export function rootObject(file: Hdf5): number {
  const { view } = file
  const version = view.getUint8(8)
  const old = version <= 1
  if (version > 3) throw file.wrong(`is HDF5 with a superblock of version ${version}; it must be 0 to 3`)
  const [offsets, lengths] = old ? [view.getUint8(13), view.getUint8(14)] : [view.getUint8(9), view.getUint8(10)]
  if (offsets !== 8 || lengths !== 8)
    throw file.wrong(`is HDF5 with offsets of ${offsets} and lengths of ${lengths} bytes; both must be 8`)
  const base = old ? (version === 0 ? 24 : 28) : 12
  if (offsetAt(file, base) !== 0) throw file.wrong('is HDF5 behind a user block; it must begin at byte 0')
  return offsetAt(file, old ? base + 40 : 36)
}

const CONTINUATION = 0x10

/** The messages of an object header of version 1 or 2, with those of the blocks that continue it. */
export function messagesOf(file: Hdf5, address: number): Message[] {
  file.once(address)
  return file.view.getUint8(address) === 1 ? messagesV1(file, address) : messagesV2(file, address)
}

interface Block {
  readonly at: number
  readonly end: number
}

function messagesV1(file: Hdf5, address: number): Message[] {
  const { view } = file
  const count = view.getUint16(address + 2, true)
  const first = { at: address + 16, end: address + 16 + view.getUint32(address + 8, true) }
  return messagesIn(file, first, count, (at) => ({
    type: view.getUint16(at, true),
    size: view.getUint16(at + 2, true),
    shared: (view.getUint8(at + 4) & 2) !== 0,
    at: at + 8,
  }))
}

function messagesV2(file: Hdf5, address: number): Message[] {
  const { view } = file
  expectSignature(file, address, 'OHDR')
  const flags = view.getUint8(address + 5)
  const sized = address + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0)
  const bytes = 1 << (flags & 3)
  const size = bytes === 8 ? offsetAt(file, sized) : littleEndian(view, sized, bytes)
  const order = flags & 4 ? 2 : 0
  const first = { at: sized + bytes, end: sized + bytes + size }
  return messagesIn(file, first, undefined, (at) => ({
    type: view.getUint8(at),
    size: view.getUint16(at + 1, true),
    shared: (view.getUint8(at + 3) & 2) !== 0,
    at: at + 4 + order,
  }))
}

/** @param count of messages in the older version; in the newer one each block begins with OCHK and ends with a checksum */
function messagesIn(file: Hdf5, first: Block, count: number | undefined, read: (at: number) => Message): Message[] {
  const messages: Message[] = []
  const blocks = [first]
  const least = count === undefined ? 4 : 8
  for (const { at, end } of blocks) {
    for (let next = at; next + least <= end && messages.length < (count ?? Number.POSITIVE_INFINITY); ) {
      const message = read(next)
      next = message.at + message.size
      if (next > end) throw file.wrong(`corrupt HDF5, a message at byte ${message.at} ends outside its header`)
      messages.push(message)
      if (message.type === CONTINUATION) blocks.push(continued(file, message.at, count === undefined))
    }
  }
  return messages
}

function continued(file: Hdf5, at: number, newer: boolean): Block {
  const start = offsetAt(file, at)
  const end = start + offsetAt(file, at + 8)
  file.once(start)
  if (!newer) return { at: start, end }
  expectSignature(file, start, 'OCHK')
  return { at: start + 4, end: end - 4 }
}

/** A whole number of 1, 2 or 4 bytes. */
export function littleEndian(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at)
  return bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true)
}
