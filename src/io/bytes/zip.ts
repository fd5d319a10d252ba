import { DlgError } from '../../errors/dlg-error'
import { quote } from './untrusted'
import { inflateRaw } from './zlib'

/** The reversed polynomial of ISO 3309, which zip uses; node:zlib has the sum only from Node 20.15 on. */
const POLYNOMIAL = 0xedb88320

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1
  return remainder
})

export function crc32(bytes: Uint8Array): number {
  let remainder = 0xffffffff
  for (let i = 0; i < bytes.length; i++) remainder = (remainder >>> 8) ^ TABLE[(remainder ^ bytes[i]) & 0xff]
  return ~remainder >>> 0
}

const LOCAL_SIGNATURE = 0x04034b50
const CENTRAL_SIGNATURE = 0x02014b50
const END_SIGNATURE = 0x06054b50
const LOCAL_BYTES = 30
const CENTRAL_BYTES = 46
const END_BYTES = 22
/** The end record is last, but for a comment of at most this length. */
const MAX_COMMENT_BYTES = 0xffff

/** A member of a zip archive, as the directory at the archive's end describes it. */
export interface ZipMember {
  readonly name: string
  /** 0 stored, 8 deflated. */
  readonly method: number
  readonly encrypted: boolean
  readonly crc: number
  /** As it is said to be once inflated. */
  readonly size: number
  /** As it lies in the archive. */
  readonly packed: Uint8Array
  /** Where its bytes begin in the archive, with its local header. */
  readonly begin: number
  readonly end: number
}

/**
 * Lists a zip archive without unpacking anything.
 *
 * Sizes come from the central directory: the local headers of a streamed archive, and those of numpy, leave them out.
 *
 * @throws DlgError `invalid-file` when a record is missing, damaged or points outside the archive.
 */
export function readZipDirectory(bytes: Uint8Array, name: string): ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = findEnd(view, name)
  const count = view.getUint16(end + 10, true)
  let offset = view.getUint32(end + 16, true)
  if (count === 0xffff || offset === 0xffffffff) {
    throw invalid(name, 'is a zip64 archive; it must be below 4 GiB with fewer than 65535 members')
  }
  const members: ZipMember[] = []
  for (let i = 0; i < count; i++) {
    if (offset + CENTRAL_BYTES > end || view.getUint32(offset, true) !== CENTRAL_SIGNATURE) {
      throw invalid(name, `corrupt zip, its directory lists ${count} members but has no entry ${i}`)
    }
    const nameBytes = view.getUint16(offset + 28, true)
    const next =
      offset + CENTRAL_BYTES + nameBytes + view.getUint16(offset + 30, true) + view.getUint16(offset + 32, true)
    if (next > end) throw invalid(name, `corrupt zip, entry ${i} of its directory ends outside it`)
    members.push(readMember(view, offset, nameBytes, name))
    offset = next
  }
  checkApart(members, name)
  return members
}

/**
 * Each byte of an archive belongs to one member at most, so that unpacking costs what the file has.
 *
 * Members that share a stream would unpack it each: a file of a megabyte could cost seconds (Fifield, "A better zip bomb",
 * WOOT 2019).
 */
function checkApart(members: readonly ZipMember[], name: string): void {
  const ordered = members.toSorted((a, b) => a.begin - b.begin)
  for (let i = 1; i < ordered.length; i++) {
    const [before, member] = [ordered[i - 1], ordered[i]]
    if (member.begin < before.end) {
      throw invalid(
        name,
        `corrupt zip, members ${quote(before.name)} and ${quote(member.name)} share bytes; each must have its own`,
      )
    }
  }
}

function findEnd(view: DataView, name: string): number {
  const last = view.byteLength - END_BYTES
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
    // The comment must reach to the end of the file, or the signature is part of a comment.
    if (view.getUint32(at, true) === END_SIGNATURE && view.getUint16(at + 20, true) === last - at) return at
  }
  throw invalid(name, 'truncated zip, its directory at the end is missing')
}

function readMember(view: DataView, entry: number, nameBytes: number, name: string): ZipMember {
  const text = new Uint8Array(view.buffer, view.byteOffset + entry + CENTRAL_BYTES, nameBytes)
  const member = new TextDecoder().decode(text)
  const packedBytes = view.getUint32(entry + 20, true)
  const local = view.getUint32(entry + 42, true)
  if (local + LOCAL_BYTES > view.byteLength || view.getUint32(local, true) !== LOCAL_SIGNATURE) {
    throw invalid(name, `corrupt zip, member ${quote(member)} is not where the directory says`)
  }
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  if (start + packedBytes > view.byteLength) {
    throw invalid(name, `truncated zip, member ${quote(member)} ends outside it`)
  }
  return {
    name: member,
    method: view.getUint16(entry + 10, true),
    encrypted: (view.getUint16(entry + 8, true) & 1) === 1,
    crc: view.getUint32(entry + 16, true),
    size: view.getUint32(entry + 24, true),
    packed: new Uint8Array(view.buffer, view.byteOffset + start, packedBytes),
    begin: local,
    end: start + packedBytes,
  }
}

function invalid(name: string, message: string): DlgError {
  return new DlgError('invalid-file', `${name}: ${message}`)
}

/**
 * A member's bytes. Allocates no more than the size that the directory declares, which the caller has checked.
 *
 * @throws DlgError `invalid-file` when the member is encrypted, packed by another method than deflate, larger or smaller
 * than declared, or its checksum differs.
 */
export function unpackMember(member: ZipMember, name: string): Uint8Array {
  const subject = `${name}: member ${quote(member.name)}`
  if (member.encrypted)
    throw new DlgError('invalid-file', `${subject} is encrypted; it must be stored without a password`)
  if (member.method !== 0 && member.method !== 8) {
    throw new DlgError('invalid-file', `${subject} is packed by method ${member.method}; it must be stored or deflated`)
  }
  const bytes = member.method === 0 ? member.packed : inflate(member, subject)
  if (bytes.length !== member.size) {
    throw new DlgError('invalid-file', `${subject} has ${bytes.length} bytes, the directory says ${member.size}`)
  }
  if (crc32(bytes) !== member.crc) throw new DlgError('invalid-file', `${subject} is corrupt, its checksum differs`)
  return bytes
}

function inflate({ packed, size }: ZipMember, subject: string): Uint8Array {
  let bytes: Uint8Array | undefined
  try {
    bytes = inflateRaw(packed, size)
  } catch (cause) {
    throw new DlgError('invalid-file', `${subject} is corrupt: ${(cause as Error).message}`, { cause })
  }
  if (bytes) return bytes
  throw new DlgError('invalid-file', `${subject} inflates to more than the ${size} bytes that the directory says`)
}
