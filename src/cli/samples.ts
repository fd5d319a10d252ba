import type { Image } from '../io'
import { meanSquaredError, psnr, ssim } from '../metrics'
import { match } from './match'
import { clamped } from './pictures'

/** What the client trained on. */
export interface Secret {
  /** Where it comes from, such as a file's path. */
  readonly source: string
  readonly image: Image
  readonly label: number
}

/** An original with its reconstruction. */
export interface Sample {
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

/** Pairs reconstructions with originals so that the sum of squared errors is least, and measures them. */
export function pair(secrets: readonly Secret[], data: Float32Array, labels: readonly number[]): Sample[] {
  const size = secrets[0].image.width
  const pixels = size * size * 3
  const found = secrets.map((_, i) => clamped(data.subarray(i * pixels, (i + 1) * pixels), size))
  const slots = match(secrets.map(({ image }) => found.map((f) => meanSquaredError(f.data, image.data))))
  return secrets.map(({ source, image, label }, i) => {
    const reconstruction = found[slots[i]]
    return {
      source,
      original: image,
      reconstruction,
      slot: slots[i],
      label: { original: label, recovered: labels[slots[i]] },
      mse: meanSquaredError(reconstruction.data, image.data),
      psnr: psnr(reconstruction.data, image.data),
      ssim: ssim(reconstruction, image),
    }
  })
}

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
