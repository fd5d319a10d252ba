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

/** Pairs reconstructions with their originals, and measures them as pictures: values outside [0, 1] cannot be seen. */
export function pair(secrets: readonly Secret[], data: Float32Array, labels: readonly number[]): Sample[] {
  const { width } = secrets[0].image
  const seen = clamped(data, width).data
  const { samples } = measureSamples(
    secrets.map(({ image }) => image.data),
    seen,
    { shape: [width, width, 3] },
  )
  return samples.map(({ slot, reconstruction, mse, psnr, ssim, alike, closer }, i) => {
    const { source, image, label } = secrets[i]
    const picture = { width, height: width, data: reconstruction }
    return {
      ...{ source, original: image, reconstruction: picture, slot, mse, psnr, alike, closer },
      label: { original: label, recovered: labels[slot] },
      // NaN for pictures of less than 11x11 pixels, which have none
      ssim: ssim ?? Number.NaN,
    }
  })
}

/** A square picture of numbers in HWC order, as far as they can be seen. */
export const clamped = (data: Float32Array, size: number): Image => ({
  width: size,
  height: size,
  data: data.map((v) => Math.min(Math.max(v, 0), 1)),
})
