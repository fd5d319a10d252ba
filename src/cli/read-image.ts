import { DlgError } from '../errors/dlg-error'
import { type Image, readImage, toSquare } from '../io'

/** Sizes of the network's input; below, its layers and the similarity index have nothing to work on. */
export const SIZES = [12, 256] as const

/** Above, a photograph takes seconds and gigabytes to decode only to be shrunk to a thumbnail. */
const MAX_PIXELS = 16_000_000

/**
 * The centre square of a PNG or JPEG, shrunk to `size`.
 *
 * @throws DlgError `invalid-file` also when the image would have to be enlarged: there would be nothing to reconstruct
 * in the pixels between
 */
export function readSquare(path: string, size: number): Image {
  const image = readImage(path, { maximumPixels: MAX_PIXELS })
  const { width, height } = image
  if (Math.min(width, height) < size)
    throw new DlgError(
      'invalid-file',
      `${path}: the image is ${width}x${height}; it must be at least ${size}x${size} for --size ${size}`,
    )
  return toSquare(image, size)
}
