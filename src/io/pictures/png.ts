import { type DecodedPng, decode, encode } from 'fast-png'
import { DlgError } from '../../errors/dlg-error'
import { joined } from '../bytes/joined'
import { inflateZlib } from '../bytes/zlib'
import { checkDimensions, type ImageLimits } from './dimensions'
import { compositeOnWhite } from './png-pixels'
import { checkImage, type Image, toByte } from './raster'

const SIGNATURE_BYTES = 8
/** The chunks that decide the pixels. Text, colour profiles and the like can only bring errors or unbounded memory. */
const NEEDED = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'])

/** Samples per pixel and allowed bit depths, by colour type (PNG specification, table 11.1). */
const COLOUR_TYPES: Readonly<Record<number, { channels: number; depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
}

interface Header {
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly colourType: number
  readonly interlaced: boolean
}

/** Decodes a PNG that starts with the signature; see `decodeImage`. */
export function decodePng(bytes: Uint8Array, name: string, limits: ImageLimits): Image {
  const chunks = splitChunks(bytes, name)
  const header = readHeader(chunks[0].data, name)
  checkDimensions({ ...header, fileBytes: bytes.length }, limits, name)
  checkImageData(chunks, header, name)
  let png: DecodedPng
  try {
    png = decode(joinChunks(bytes, chunks), { checkCrc: true })
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: corrupt PNG: ${(cause as Error).message}`, { cause })
  }
  return compositeOnWhite(png, header.colourType === 3, name)
}

/**
 * Encodes an image as an 8-bit RGB PNG. Values are clamped to [0, 1] and rounded to the nearest level; NaN is black.
 *
 * @throws DlgError `invalid-data` when the image's size and data do not agree.
 */
export function encodePng(image: Image): Uint8Array {
  checkImage(image)
  const data = new Uint8Array(image.data.length)
  for (let i = 0; i < data.length; i++) data[i] = toByte(image.data[i])
  return encode({ width: image.width, height: image.height, data, channels: 3, depth: 8 })
}

interface Chunk {
  readonly type: string
  readonly data: Uint8Array
  /** Length, type, data and checksum: the chunk as it lies in the file. */
  readonly whole: Uint8Array
}

function splitChunks(bytes: Uint8Array, name: string): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const chunks: Chunk[] = []
  let offset = SIGNATURE_BYTES
  while (chunks.at(-1)?.type !== 'IEND') {
    const end = offset + 12 + (offset + 12 <= bytes.length ? view.getUint32(offset) : 0)
    if (end > bytes.length) throw new DlgError('invalid-file', `${name}: truncated PNG, ends inside a chunk`)
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8))
    const chunk = { type, data: bytes.subarray(offset + 8, end - 4), whole: bytes.subarray(offset, end) }
    if ((type === 'IHDR') !== (offset === SIGNATURE_BYTES) || (type === 'IHDR' && chunk.data.length !== 13)) {
      throw new DlgError('invalid-file', `${name}: corrupt PNG; it must start with one IHDR chunk of 13 bytes`)
    }
    if (NEEDED.has(type)) chunks.push(chunk)
    offset = end
  }
  return chunks
}

function joinChunks(bytes: Uint8Array, chunks: readonly Chunk[]): Uint8Array {
  return joined([bytes.subarray(0, SIGNATURE_BYTES), ...chunks.map((chunk) => chunk.whole)])
}

function readHeader(data: Uint8Array, name: string): Header {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const [width, height] = [view.getUint32(0), view.getUint32(4)]
  const [depth, colourType, , , interlace] = data.subarray(8)
  if (!COLOUR_TYPES[colourType]?.depths.includes(depth)) {
    throw new DlgError('invalid-file', `${name}: corrupt PNG, has no ${depth}-bit samples of colour type ${colourType}`)
  }
  if (interlace > 0 && depth < 8) {
    throw new DlgError('invalid-file', `${name}: interlaced ${depth}-bit PNG is not read, save it without interlacing`)
  }
  return { width, height, depth, colourType, interlaced: interlace > 0 }
}

/** Inflates once under a limit, because the decoder has none: a small file can inflate to a thousand times its size. */
function checkImageData(chunks: readonly Chunk[], header: Header, name: string): void {
  const expected = rawSize(header)
  const deflated = joined(chunks.filter((chunk) => chunk.type === 'IDAT').map((chunk) => chunk.data))
  let size: number | string
  try {
    size = inflateZlib(deflated, expected)?.length ?? `more than ${expected}`
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: corrupt PNG, its image data: ${(cause as Error).message}`, { cause })
  }
  if (size !== expected) {
    throw new DlgError('invalid-file', `${name}: corrupt PNG; its image data are ${size} bytes and must be ${expected}`)
  }
}

/** Bytes of the filtered scanlines, each led by its filter's byte. */
function rawSize({ width, height, depth, colourType, interlaced }: Header): number {
  const bitsPerPixel = depth * COLOUR_TYPES[colourType].channels
  const scanlines = (w: number, h: number) => (w > 0 && h > 0 ? h * (1 + Math.ceil((w * bitsPerPixel) / 8)) : 0)
  if (!interlaced) return scanlines(width, height)
  // Adam7: first column and row, then the steps between columns and rows, of each pass.
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ]
  return passes.reduce(
    (sum, [x, y, dx, dy]) => sum + scanlines(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)),
    0,
  )
}
