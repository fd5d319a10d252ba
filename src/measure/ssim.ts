import { ssim as ssimOfBytes } from 'ssim.js'
import { DlgError } from '../errors/dlg-error'
import { checkImage, type Image, toByte } from '../io/pictures/raster'

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
      `ssim: ${a.width}x${a.height} and ${b.width}x${b.height} should be images of one size`,
    )
  }
  if (Math.min(a.width, a.height) < WINDOW) {
    throw new DlgError('invalid-data', `ssim: ${a.width}x${a.height} should be at least ${WINDOW}x${WINDOW}`)
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
