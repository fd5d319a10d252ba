import { DlgError } from '../../errors/dlg-error'
import { MAX_PIXELS } from './raster'

/** Limits before a picture is decoded. */
export interface ImageLimits {
  /**
   * The most pixels that are decoded, at most 50 million; a pixel takes 12 bytes once decoded, and up to 30 on the way.
   * Default: 16 million, or 64 for each byte of the file where that is more, so that a small file cannot cost much.
   */
  readonly maximumPixels?: number
}

/** Any picture of this size is decoded, however few bytes it has: a blank page is an honest file. */
const FREE_PIXELS = 16_000_000
const PIXELS_PER_BYTE = 64

interface Claim {
  readonly width: number
  readonly height: number
  readonly fileBytes: number
}

/**
 * Refuses what a file's header claims before anything of that size is allocated.
 *
 * @throws DlgError `invalid-file` for no pixels or too many; `invalid-option` for a wrong `maximumPixels`.
 */
export function checkDimensions({ width, height, fileBytes }: Claim, limits: ImageLimits, name: string): void {
  const { maximumPixels = MAX_PIXELS } = limits
  if (!Number.isSafeInteger(maximumPixels) || maximumPixels < 1 || maximumPixels > MAX_PIXELS) {
    throw new DlgError(
      'invalid-option',
      `maximumPixels is ${maximumPixels}; it must be a whole number from 1 to ${MAX_PIXELS}`,
    )
  }
  if (width === 0 || height === 0) {
    throw new DlgError('invalid-file', `${name}: the image is ${width}x${height}; it must have pixels`)
  }
  const pixels = width * height
  if (pixels > maximumPixels) {
    throw new DlgError(
      'invalid-file',
      `${name}: the image is ${width}x${height}; it must be at most ${maximumPixels / 1e6} megapixels; shrink it first`,
    )
  }
  if (limits.maximumPixels === undefined && pixels > Math.max(FREE_PIXELS, fileBytes * PIXELS_PER_BYTE)) {
    throw new DlgError(
      'invalid-file',
      `${name}: the image claims ${width}x${height} pixels, too many for a file of ${fileBytes} bytes: above ${FREE_PIXELS / 1e6} megapixels a byte may stand for ${PIXELS_PER_BYTE} pixels at most; if you trust the file, pass maximumPixels: ${pixels}`,
    )
  }
}
