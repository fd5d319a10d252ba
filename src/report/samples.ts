import type { Image } from '../io'
import { measureSamples } from '../measure/samples'
import type { Closeness } from '../measure/verdict'

/** The data that the client trained on. */
export interface Secret {
  /** Where it comes from, such as a file's path. */
  readonly source: string
  readonly image: Image
  readonly label: number
}

/** An original with its reconstruction. */
export interface Sample extends Closeness {
  readonly source: string
  readonly original: Image
  readonly reconstruction: Image
  /** Which reconstruction it is: a gradient does not tell the order of a batch. */
  readonly slot: number
  readonly label: { readonly original: number; readonly recovered: number }
  readonly mse: number
  readonly psnr: number
  readonly ssim: number
}

/**
 * Pairs reconstructions with their originals, and measures them as pictures: values outside [0, 1] cannot be seen.
 *
 * @param undetermined marks of the numbers of `data` that what was shared does not determine; their pixels are hatched
 */
export function pair(
  secrets: readonly Secret[],
  data: Float32Array,
  labels: readonly number[],
  undetermined?: ArrayLike<number>,
): Sample[] {
  const { width } = secrets[0].image
  const seen = clamped(data, width).data
  const { samples } = measureSamples(
    secrets.map(({ image }) => image.data),
    seen,
    { shape: [width, width, 3] },
  )
  return samples.map(({ slot, reconstruction, mse, psnr, ssim, alike, closer }, i) => {
    const { source, image, label } = secrets[i]
    const hatched = undetermined && hatchedPixels(undetermined, slot, width * width, 3)
    const picture = { width, height: width, data: reconstruction, ...(hatched && { hatched }) }
    return {
      ...{ source, original: image, reconstruction: picture, slot, mse, psnr, alike, closer },
      label: { original: label, recovered: labels[slot] },
      // NaN for pictures of less than 11x11 pixels, which have none
      ssim: ssim ?? Number.NaN,
    }
  })
}

/** The pixels of one sample in which any channel is marked; undefined where none is. */
export function hatchedPixels(
  marks: ArrayLike<number>,
  slot: number,
  pixels: number,
  channels: number,
): Uint8Array | undefined {
  const first = slot * pixels * channels
  const out = Uint8Array.from({ length: pixels }, (_, i) =>
    Number(Array.from({ length: channels }, (_, c) => marks[first + i * channels + c]).some((mark) => mark !== 0)),
  )
  return out.some((mark) => mark !== 0) ? out : undefined
}

/** A square picture of numbers in HWC order, as far as they can be seen. */
export const clamped = (data: Float32Array, size: number): Image => ({
  width: size,
  height: size,
  data: data.map((v) => Math.min(Math.max(v, 0), 1)),
})
