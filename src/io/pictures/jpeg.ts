import { decode, type RawImageData } from 'jpeg-js'
import { DlgError } from '../../errors/dlg-error'
import { checkDimensions, type ImageLimits } from './dimensions'
import { exifOrientation, orient } from './exif'
import { type Image, MAX_PIXELS } from './raster'

/** What the decoder may allocate: 50 megapixels without chroma subsampling take 900 MB. */
const MAX_MEMORY_MB = 1024
/**
 * Every scan walks over all blocks of its components, and a few bytes can say that they are all empty. Encoders write some
 * ten; the most that refine anything are 14 of each of a component's coefficients, which nobody does.
 */
const MAX_SCANS = 100
/** A block of 64 pixels costs at least a bit, so a file of n bytes cannot hold more than 512 n; kept well above it. */
const MAX_PIXELS_PER_BYTE = 4096

/** Decodes a JPEG that starts with SOI, and turns it upright as its EXIF orientation says; see `decodeImage`. */
export function decodeJpeg(bytes: Uint8Array, name: string, limits: ImageLimits): Image {
  const { width, height, orientation } = scanSegments(bytes, name)
  checkDimensions({ width, height, fileBytes: bytes.length }, limits, name)
  if (width * height > bytes.length * MAX_PIXELS_PER_BYTE) {
    throw new DlgError(
      'invalid-file',
      `${name}: corrupt JPEG, claims ${width}x${height} pixels, too many for a file of ${bytes.length} bytes`,
    )
  }
  let decoded: RawImageData<Uint8Array>
  try {
    // Tolerant: strict decoding fails on sound gray files whose restart interval does not divide the block count.
    // What tolerance would hide, a file that ends early, scanSegments has ruled out.
    decoded = decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: true,
      maxResolutionInMP: MAX_PIXELS / 1e6,
      maxMemoryUsageInMB: MAX_MEMORY_MB,
    })
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: corrupt or unsupported JPEG: ${(cause as Error).message}`, { cause })
  }
  const data = new Float32Array(decoded.data.length)
  for (let i = 0; i < data.length; i++) data[i] = decoded.data[i] / 255
  return orient({ width: decoded.width, height: decoded.height, data }, orientation)
}

interface Frame {
  readonly width: number
  readonly height: number
}

/** Walks the markers from SOI to EOI, without decoding, to learn the size and that the file is whole. */
function scanSegments(bytes: Uint8Array, name: string): Frame & { orientation: number } {
  const corrupt = (what: string) => new DlgError('invalid-file', `${name}: ${what}`)
  let frame: Frame | undefined
  let orientation = 1
  let scans = 0
  let offset = 2
  for (;;) {
    offset = nextMarker(bytes, offset)
    if (offset >= bytes.length) throw corrupt('truncated JPEG, has no end-of-image marker')
    const marker = bytes[offset++]
    if (marker === 0xd9) break
    const length = (bytes[offset] << 8) | bytes[offset + 1]
    const segment = bytes.subarray(offset + 2, offset + length)
    if (length < 2 || segment.length !== length - 2) throw corrupt('truncated JPEG, ends inside a segment')
    offset += length
    if (marker === 0xda && ++scans > MAX_SCANS) {
      throw corrupt(`this JPEG has more than ${MAX_SCANS} scans, the most that are decoded; save it again as baseline`)
    }
    if (isStartOfFrame(marker)) {
      if (frame) throw corrupt('corrupt JPEG, has more than one frame')
      frame = readFrame(marker, segment, corrupt)
    } else if (marker === 0xe1) {
      orientation = exifOrientation(segment) ?? orientation
    }
  }
  if (!frame) throw corrupt('corrupt JPEG, has no frame header')
  return { ...frame, orientation }
}

/** The offset of the next marker's code, past entropy-coded data with its stuffed zeros and restart markers. */
function nextMarker(bytes: Uint8Array, from: number): number {
  for (let i = from; i < bytes.length - 1; i++) {
    if (bytes[i] !== 0xff) continue
    const code = bytes[i + 1]
    const standsAlone = code <= 0x01 || (code >= 0xd0 && code <= 0xd7)
    if (!standsAlone && code !== 0xff) return i + 1
  }
  return bytes.length
}

/** SOF0 to SOF15; C4, C8 and CC in between are other segments. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function readFrame(marker: number, segment: Uint8Array, corrupt: (what: string) => DlgError): Frame {
  if (marker > 0xc2)
    throw corrupt('this JPEG is lossless, hierarchical or arithmetic; it must be baseline or progressive')
  if (segment.length < 6) throw corrupt('corrupt JPEG, its frame header is too short')
  const [precision, heightHigh, heightLow, widthHigh, widthLow] = segment
  if (precision !== 8) throw corrupt(`this JPEG has ${precision}-bit samples; it must have 8`)
  const components = segment[5]
  if (components < 1 || components > 4) throw corrupt(`this JPEG has ${components} components, must have 1 to 4`)
  return { width: (widthHigh << 8) | widthLow, height: (heightHigh << 8) | heightLow }
}
