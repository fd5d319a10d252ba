import type { DecodedPng } from 'fast-png'
import { DlgError } from '../../errors/dlg-error'
import type { Image } from './raster'

/** Turns decoded PNG samples of any kind into RGB in [0, 1]; what is transparent shows white. */
export function compositeOnWhite(png: DecodedPng, indexed: boolean, name: string): Image {
  const { width, height, channels } = png
  const samples = unpackSamples(png)
  const max = 2 ** png.depth - 1
  const data = new Float32Array(width * height * 3)

  const put = (pixel: number, red: number, green: number, blue: number, alpha: number) => {
    data[pixel * 3] = red * alpha + 1 - alpha
    data[pixel * 3 + 1] = green * alpha + 1 - alpha
    data[pixel * 3 + 2] = blue * alpha + 1 - alpha
  }

  if (indexed) {
    const palette = png.palette ?? []
    for (let i = 0; i < samples.length; i++) {
      const colour = palette[samples[i]]
      if (!colour) {
        throw new DlgError(
          'invalid-file',
          `${name}: corrupt PNG, palette index ${samples[i]} must be below ${palette.length}`,
        )
      }
      put(i, colour[0] / 255, colour[1] / 255, colour[2] / 255, (colour[3] ?? 255) / 255)
    }
    return { width, height, data }
  }

  const colours = channels < 3 ? 1 : 3
  const hasAlpha = channels % 2 === 0
  const clear = png.transparency
  for (let i = 0; i < width * height; i++) {
    const first = i * channels
    const [green, blue] = colours === 3 ? [first + 1, first + 2] : [first, first]
    const isClear =
      clear !== undefined &&
      samples[first] === clear[0] &&
      (colours === 1 || (samples[green] === clear[1] && samples[blue] === clear[2]))
    const alpha = hasAlpha ? samples[first + colours] / max : isClear ? 0 : 1
    put(i, samples[first] / max, samples[green] / max, samples[blue] / max, alpha)
  }
  return { width, height, data }
}

/** One array element per sample: below 8 bits, PNG packs samples from the high bits and pads each row to a byte. */
function unpackSamples({ width, height, depth, channels, data }: DecodedPng): ArrayLike<number> {
  if (depth >= 8) return data
  const rowSamples = width * channels
  const rowBytes = Math.ceil((rowSamples * depth) / 8)
  const samples = new Uint8Array(rowSamples * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < rowSamples; x++) {
      const bit = x * depth
      samples[y * rowSamples + x] = (data[y * rowBytes + (bit >> 3)] >> (8 - depth - (bit & 7))) & (2 ** depth - 1)
    }
  }
  return samples
}
