import { DlgError } from '../../errors/dlg-error'
import { checkBytes, startsWith } from '../bytes/untrusted'
import { readBytes } from '../files/disk'
import type { ImageLimits } from './dimensions'
import { decodeJpeg } from './jpeg'
import { decodePng } from './png'
import type { Image } from './raster'

export type { Image } from './raster'

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const JPEG_SIGNATURE = [0xff, 0xd8, 0xff]
/** Above any 50-megapixel PNG (16-bit RGBA, uncompressed: 400 MB). */
const MAX_FILE_BYTES = 512 * 1024 * 1024

/**
 * Decodes a PNG or JPEG, told apart by their first bytes, to RGB in [0, 1].
 *
 * PNG: gray, RGB or palette of 1 to 16 bits per sample, with or without alpha; transparent parts show white.
 * JPEG: baseline or progressive, 8 bits, turned upright as its EXIF orientation says. Colour profiles are ignored.
 *
 * @param name what the error messages call it.
 * @throws DlgError `invalid-file` when it is another format, truncated, corrupt, or its header claims no pixels or more
 * than `limits` allow; `invalid-data` when `bytes` is not a Uint8Array; `invalid-option` for a wrong `maximumPixels`.
 */
export function decodeImage(bytes: Uint8Array, name = 'image', limits: ImageLimits = {}): Image {
  checkBytes(bytes, name)
  if (startsWith(bytes, PNG_SIGNATURE)) return decodePng(bytes, name, limits)
  if (startsWith(bytes, JPEG_SIGNATURE)) return decodeJpeg(bytes, name, limits)
  const format = otherPicture(bytes)
  throw new DlgError(
    'invalid-file',
    format === undefined
      ? `${name}: neither PNG nor JPEG by its first bytes (${bytes.length} bytes in all)`
      : `${name}: is ${format}, neither PNG nor JPEG (${bytes.length} bytes in all); convert it to one of these, for example: magick IN.${format.toLowerCase()} OUT.png`,
  )
}

/** The brands of ISO base media files, whose bytes 4 to 8 are `ftyp`: the name of the format by what follows. */
const BRANDS: Readonly<Record<string, string>> = {
  avif: 'AVIF',
  avis: 'AVIF',
  heic: 'HEIC',
  heix: 'HEIC',
  heim: 'HEIC',
  heis: 'HEIC',
  hevc: 'HEIC',
  hevx: 'HEIC',
  mif1: 'HEIC',
  msf1: 'HEIC',
}

/** Pictures that are known and not read, by their first bytes. */
function otherPicture(bytes: Uint8Array): string | undefined {
  const at = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end))
  if (at(0, 4) === 'RIFF' && at(8, 12) === 'WEBP') return 'WebP'
  if (at(4, 8) === 'ftyp' && Object.hasOwn(BRANDS, at(8, 12))) return BRANDS[at(8, 12)]
  if (at(4, 8) === 'JXL ') return 'JXL'
  if (['II*\0', 'II+\0', 'MM\0*', 'MM\0+'].includes(at(0, 4))) return 'TIFF'
  if (at(0, 4) === 'GIF8') return 'GIF'
  return at(0, 2) === 'BM' && at(6, 10) === '\0\0\0\0' ? 'BMP' : undefined
}

/**
 * Reads and decodes an image file, in Node; see {@link decodeImage}, which a browser needs.
 *
 * @throws DlgError `invalid-file` naming the path when it is missing, not a file, unreadable or not a sound image.
 */
export function readImage(path: string, limits: ImageLimits = {}): Image {
  return decodeImage(readBytes(path, MAX_FILE_BYTES), path, limits)
}
