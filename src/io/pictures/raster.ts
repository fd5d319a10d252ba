import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'

/** An RGB picture held as numbers: row-major HWC, three channels, values in [0, 1]. */
export interface Image {
  readonly width: number
  readonly height: number
  /** Length `width * height * 3`. */
  readonly data: Float32Array
  /** Pixels that a strip or a gallery draws stripes over, one number each: 0 is none. Other encoders do not draw them. */
  readonly hatched?: Uint8Array
}

/** The largest picture that is read or drawn, in pixels: as Float32 RGB it takes 600 MB. */
export const MAX_PIXELS = 50_000_000

/**
 * Checks that an image's size and data agree.
 *
 * @throws DlgError `invalid-data` when the size is not positive whole numbers or the data have another length.
 */
export function checkImage(image: Image, name = 'image'): void {
  const { width, height, data, hatched } = (image ?? {}) as Partial<Image>
  if (!isLength(width) || !isLength(height)) {
    throw new DlgError(
      'invalid-data',
      `${name}: size ${show(width)}x${show(height)} must be two positive whole numbers`,
    )
  }
  if (!(data instanceof Float32Array) || data.length !== width * height * 3) {
    const found = data instanceof Float32Array ? `${data.length} values` : typeof data
    throw new DlgError(
      'invalid-data',
      `${name}: data is ${found}; it must be a Float32Array of ${width}x${height}x3 = ${width * height * 3} values`,
    )
  }
  if (hatched !== undefined && !(hatched instanceof Uint8Array && hatched.length === width * height))
    throw new DlgError('invalid-data', `${name}: hatched must be a Uint8Array of ${width}x${height} numbers`)
}

/** Whether a value is a positive whole number, as a width, height or scale must be. */
export function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** The nearest of 256 levels; values outside [0, 1] are clamped and NaN is 0. */
export function toByte(value: number): number {
  return value > 0 ? Math.round(Math.min(value, 1) * 255) : 0
}
