import { DlgError } from '../../errors/dlg-error'
import { crc32 } from './crc32'
import { quote } from './untrusted'
import type { ZipMember } from './zip-directory'
import { inflateRaw } from './zlib'

/**
 * A member's bytes. Allocates no more than the size that the directory declares, which the caller has checked.
 *
 * @throws DlgError `invalid-file` when the member is encrypted, packed by another method than deflate, larger or smaller
 * than declared, or its checksum differs.
 */
export function unpackMember(member: ZipMember, name: string): Uint8Array {
  const subject = `${name}: member ${quote(member.name)}`
  if (member.encrypted)
    throw new DlgError('invalid-file', `${subject} is encrypted, should be stored without a password`)
  if (member.method !== 0 && member.method !== 8) {
    throw new DlgError('invalid-file', `${subject} is packed by method ${member.method}, should be stored or deflated`)
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
