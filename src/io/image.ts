import { readFileSync, statSync } from 'node:fs'
import { DlgError } from '../errors'
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
  if (!(bytes instanceof Uint8Array)) {
    throw new DlgError('invalid-data', `${name}: bytes is ${typeof bytes}, should be a Uint8Array`)
  }
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
  let bytes: Uint8Array
  try {
    const stat = statSync(path)
    // Before reading: a pipe would block, and a device may never end.
    if (!stat.isFile()) {
      throw new DlgError('invalid-file', `${path}: is ${stat.isDirectory() ? 'a directory' : 'not a file'}`)
    }
    if (stat.size > MAX_FILE_BYTES) {
      throw new DlgError('invalid-file', `${path}: has ${stat.size} bytes, should be at most ${MAX_FILE_BYTES}`)
    }
    bytes = readFileSync(path)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file' : `cannot be read: ${message}`
    throw new DlgError('invalid-file', `${path}: ${reason}`, { cause })
  }
  return decodeImage(bytes, path)
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte)
}
