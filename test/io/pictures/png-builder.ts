import { deflateSync } from 'node:zlib'

/** Bitwise CRC-32 (PNG specification, annex D), independent of any library. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

export function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length)
  out.writeUInt32BE(data.length, 0)
  out.write(type, 4, 'latin1')
  out.set(data, 8)
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length)
  return out
}

export interface PngParts {
  width: number
  height: number
  depth?: number
  colourType?: number
  interlace?: number
  /** Filtered scanlines, each with its filter's byte. */
  raw: Uint8Array | number[]
  /** Chunks between IHDR and IDAT. */
  extra?: Buffer[]
}

/** A PNG file from its parts, well-formed or not. */
export function buildPng({
  width,
  height,
  depth = 8,
  colourType = 2,
  interlace = 0,
  raw,
  extra = [],
}: PngParts): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([depth, colourType, 0, 0, interlace], 8)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    ...extra,
    chunk('IDAT', deflateSync(Uint8Array.from(raw))),
    chunk('IEND', new Uint8Array()),
  ])
}
