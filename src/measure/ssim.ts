import { ssim as ssimOfBytes } from 'ssim.js'
import { DlgError } from '../errors/dlg-error'
import { checkImage, type Image, toByte } from '../io/pictures/raster'

export type { Image }

const WINDOW = 11

/**
 * The mean structural similarity of two images of one size (Wang et al., 2004): 1 when they are equal, at least -1.
 *
 * On luma (0.299 R + 0.587 G + 0.114 B) in 8 bits, values clamped to [0, 1] first; Gaussian window of 11x11 with
 * σ = 1.5, whole windows only; K₁ = 0.01, K₂ = 0.03, L = 255; no downsampling. NaN when either image has a NaN.
 *
 * @throws DlgError `invalid-data` when the sizes differ or a side is below 11 pixels.
 */
export function ssim(a: Image, b: Image): number {
  checkImage(a, 'ssim: first image')
  checkImage(b, 'ssim: second image')
  if (a.width !== b.width || a.height !== b.height) {
    throw new DlgError(
      'invalid-data',
      `ssim: ${a.width}x${a.height} and ${b.width}x${b.height} must be images of one size`,
    )
  }
  if (Math.min(a.width, a.height) < WINDOW) {
    throw new DlgError('invalid-data', `ssim: ${a.width}x${a.height} must be at least ${WINDOW}x${WINDOW}`)
  }
  // Rounding to bytes would turn a diverged reconstruction into a black image.
  if (a.data.some(Number.isNaN) || b.data.some(Number.isNaN)) return Number.NaN
  return ssimOfBytes(toRgba(a), toRgba(b), {
    ssim: 'fast',
    rgb2grayVersion: 'original',
    downsample: false,
    windowSize: WINDOW,
    k1: 0.01,
    k2: 0.03,
    bitDepth: 8,
  }).mssim
}

function toRgba({ width, height, data }: Image) {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255)
  for (let i = 0; i < data.length; i++) rgba[Math.floor(i / 3) * 4 + (i % 3)] = toByte(data[i])
  return { width, height, data: rgba }
}

/**
 * The structural similarity of two samples in a range, where they are pictures, [height, width, 1 or 3], of at least 11x11
 * pixels; undefined for other data.
 */
export function pictureSsim(
  a: Float32Array,
  b: Float32Array,
  [height, width, channels, ...more]: readonly number[],
  [low, high]: readonly [number, number],
): number | undefined {
  const picture = more.length === 0 && Math.min(height, width) >= WINDOW && (channels === 1 || channels === 3)
  if (!picture) return undefined
  // gray is the same in all channels
  const image = (values: Float32Array): Image => ({
    width,
    height,
    data: Float32Array.from({ length: width * height * 3 }, (_, i) => {
      return (values[channels === 3 ? i : Math.floor(i / 3)] - low) / (high - low)
    }),
  })
  return ssim(image(a), image(b))
}
