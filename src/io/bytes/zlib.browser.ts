import { Inflate, Unzlib } from 'fflate'
import { joined } from './joined'
import type * as node from './zlib'

/**
 * A byte of DEFLATE gives at most 1032 bytes, so a pass makes at most 4 MiB, however much the whole stream would make. fflate
 * has no limit of its own.
 */
const PASS_BYTES = 4096

/** Like Node's. The checksum is for the caller: zip keeps one of each member. */
export const inflateRaw: typeof node.inflateRaw = (packed, most) => inflate(new Inflate(), packed, most)

/** Like Node's, but for the stream's own checksum, which fflate does not compare: PNG keeps one of each chunk. */
export const inflateZlib: typeof node.inflateZlib = (packed, most) => inflate(new Unzlib(), packed, most)

function inflate(stream: Inflate | Unzlib, packed: Uint8Array, most: number): Uint8Array | undefined {
  // fflate takes a stream of nothing for a whole one.
  if (packed.length === 0) throw new Error('unexpected end of file')
  const parts: Uint8Array[] = []
  let size = 0
  stream.ondata = (part) => {
    size += part.length
    parts.push(part)
  }
  for (let at = 0; at < packed.length; at += PASS_BYTES) {
    stream.push(packed.subarray(at, at + PASS_BYTES), at + PASS_BYTES >= packed.length)
    if (size > most) return undefined
  }
  return joined(parts)
}
