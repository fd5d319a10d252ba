import type { Image } from './raster'

const ORIENTATION_TAG = 0x0112

/** The orientation (1 to 8) in an APP1 segment; undefined when the segment is not EXIF, has none, or is damaged. */
export function exifOrientation(segment: Uint8Array): number | undefined {
  const isExif = String.fromCharCode(...segment.subarray(0, 6)) === 'Exif\0\0'
  if (!isExif || segment.length < 14) return undefined
  // All offsets count from the TIFF header that follows the name.
  const tiff = new DataView(segment.buffer, segment.byteOffset + 6, segment.length - 6)
  const littleEndian = tiff.getUint16(0) === 0x4949
  const directory = tiff.getUint32(4, littleEndian)
  if (directory + 2 > tiff.byteLength) return undefined
  const entries = tiff.getUint16(directory, littleEndian)
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12
    if (entry + 12 > tiff.byteLength) return undefined
    if (tiff.getUint16(entry, littleEndian) !== ORIENTATION_TAG) continue
    const orientation = tiff.getUint16(entry + 8, littleEndian)
    return orientation >= 1 && orientation <= 8 ? orientation : undefined
  }
  return undefined
}

/** Turns an image upright: orientations 5 to 8 are stored with rows and columns swapped, most are mirrored besides. */
export function orient(image: Image, orientation: number): Image {
  if (orientation === 1) return image
  const { width, height, data } = image
  const transposed = orientation >= 5
  const flipX = [2, 3, 7, 8].includes(orientation)
  const flipY = [3, 4, 6, 7].includes(orientation)
  const upright = { width: transposed ? height : width, height: transposed ? width : height }
  const turned = new Float32Array(data.length)
  for (let y = 0, to = 0; y < upright.height; y++) {
    for (let x = 0; x < upright.width; x++, to += 3) {
      // The flips are of stored columns and rows, so they apply after the swap.
      const column = transposed ? y : x
      const row = transposed ? x : y
      const from = ((flipY ? height - 1 - row : row) * width + (flipX ? width - 1 - column : column)) * 3
      turned[to] = data[from]
      turned[to + 1] = data[from + 1]
      turned[to + 2] = data[from + 2]
    }
  }
  return { ...upright, data: turned }
}
