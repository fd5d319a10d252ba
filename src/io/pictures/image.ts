import { DlgError } from '../../errors/dlg-error'
import { checkBytes, startsWith } from '../bytes/untrusted'
import { readBytes } from '../files/read-bytes'
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
 * than 50 megapixels; `invalid-data` when `bytes` is not a Uint8Array.
 */
export function decodeImage(bytes: Uint8Array, name = 'image'): Image {
  checkBytes(bytes, name)
  if (startsWith(bytes, PNG_SIGNATURE)) return decodePng(bytes, name)
  if (startsWith(bytes, JPEG_SIGNATURE)) return decodeJpeg(bytes, name)
  throw new DlgError('invalid-file', `${name}: neither PNG nor JPEG by its first bytes (${bytes.length} bytes in all)`)
}

/**
 * Reads and decodes an image file; see {@link decodeImage}.
 *
 * @throws DlgError `invalid-file` naming the path when it is missing, not a file, unreadable or not a sound image.
 */
export function readImage(path: string): Image {
  return decodeImage(readBytes(path, MAX_FILE_BYTES), path)
}
