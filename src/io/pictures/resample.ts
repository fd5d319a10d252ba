import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkImage, type Image, isLength, MAX_PIXELS } from './raster'

/**
 * Cuts the largest square from the centre; of an odd remainder, the extra row or column goes from the far side.
 *
 * @throws DlgError `invalid-data` when the image's size and data do not agree.
 */
export function squareCrop(image: Image): Image {
  checkImage(image)
  const size = Math.min(image.width, image.height)
  const left = Math.floor((image.width - size) / 2)
  const top = Math.floor((image.height - size) / 2)
  const data = new Float32Array(size * size * 3)
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * image.width + left) * 3
    data.set(image.data.subarray(from, from + size * 3), y * size * 3)
  }
  return { width: size, height: size, data }
}

/**
 * Resamples to `width` x `height`, each axis by itself.
 *
 * An axis that shrinks takes the area average: a target pixel is the mean of what it covers, source pixels on its
 * border counting by the covered share. At whole ratios this is PIL's `Image.BOX` (which at others counts a pixel on
 * the border either whole or not at all). An axis that grows is linear between pixel centres, and constant beyond the
 * outer ones, as PIL's `Image.BILINEAR`.
 *
 * @param width target width in pixels; likewise `height`.
 * @throws DlgError `invalid-data` when a target size is not a positive whole number, or the result would exceed 50
 * megapixels.
 */
export function resize(image: Image, width: number, height: number): Image {
  checkImage(image)
  if (!isLength(width) || !isLength(height) || width * height > MAX_PIXELS) {
    throw new DlgError(
      'invalid-data',
      `resize: target ${show(width)}x${show(height)} must be positive whole numbers, at most ${MAX_PIXELS / 1e6} megapixels`,
    )
  }
  const columns = axisTaps(image.width, width)
  const rows = axisTaps(image.height, height)
  // Double precision between the passes, so that the result is rounded once.
  const narrowed = new Float64Array(width * image.height * 3)
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, weights } = columns[x]
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let k = 0; k < weights.length; k++) sum += weights[k] * image.data[(y * image.width + first + k) * 3 + c]
        narrowed[(y * width + x) * 3 + c] = sum
      }
    }
  }
  const data = new Float32Array(width * height * 3)
  const stride = width * 3
  for (let y = 0; y < height; y++) {
    const { first, weights } = rows[y]
    for (let i = 0; i < stride; i++) {
      let sum = 0
      for (let k = 0; k < weights.length; k++) sum += weights[k] * narrowed[(first + k) * stride + i]
      data[y * stride + i] = sum
    }
  }
  return { width, height, data }
}

/**
 * The centre square, resampled to `size` x `size`: what a model with square input is fed.
 *
 * @throws DlgError `invalid-data` as {@link resize}.
 */
export function toSquare(image: Image, size: number): Image {
  return resize(squareCrop(image), size, size)
}

/** What one target pixel takes from an axis: `weights[k]` of source pixel `first + k`, summing to 1. */
interface Taps {
  readonly first: number
  readonly weights: readonly number[]
}

function axisTaps(from: number, to: number): Taps[] {
  const ratio = from / to
  return Array.from({ length: to }, (_, i) =>
    ratio > 1 ? areaTaps((i * from) / to, ((i + 1) * from) / to, from) : linearTaps((i + 0.5) * ratio - 0.5, from),
  )
}

function areaTaps(begin: number, end: number, from: number): Taps {
  const first = Math.floor(begin)
  const last = Math.min(Math.ceil(end), from)
  const weights = Array.from({ length: last - first }, (_, k) => {
    const covered = Math.min(end, first + k + 1) - Math.max(begin, first + k)
    return covered / (end - begin)
  })
  return { first, weights }
}

function linearTaps(centre: number, from: number): Taps {
  const clamped = Math.min(Math.max(centre, 0), from - 1)
  const first = Math.floor(clamped)
  const share = clamped - first
  return share === 0 ? { first, weights: [1] } : { first, weights: [1 - share, share] }
}
