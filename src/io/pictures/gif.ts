/// <reference path="./gifenc.d.ts" />
import * as gifencModule from 'gifenc'
import { knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkImage, type Image, isLength, toByte } from './raster'

// Node sees gifenc as CommonJS without named exports; bundlers take its ES build, whose default is one function.
const gifenc = 'quantize' in gifencModule ? gifencModule : (gifencModule as typeof import('gifenc')).default

/** Timing and size of a GIF. */
export interface GifOptions {
  /** How long each frame shows, in milliseconds; the format rounds to tens. Default 100. */
  readonly delayMs?: number
  /** How long the last frame shows before the loop restarts, in milliseconds. Default 2000, or `delayMs` if longer. */
  readonly holdMs?: number
  /** Each pixel becomes a square of this side. Default 1. */
  readonly scale?: number
}

/** The most pixels of all frames together, because the encoded film is held whole. */
const MOST_PIXELS = 500_000_000

/** The format stores sizes and delays (in hundredths of a second) as 16-bit numbers. */
const MAX_UINT16 = 65535

/**
 * Encodes frames of one size as an animated GIF that loops for ever.
 *
 * Frames with at most 256 colours keep them exactly; others are reduced to 256, each frame with a palette of its own.
 * Values are clamped to [0, 1] and rounded to 8 bits; NaN is black.
 *
 * @throws DlgError `invalid-data` when there is no frame, sizes differ or exceed 65535 once scaled, all frames together exceed
 * 500 megapixels, or an option is out of range; `invalid-option` for an unknown one.
 */
export function encodeGif(frames: readonly Image[], options: GifOptions = {}): Uint8Array {
  knownNames('gif options', options, ['delayMs', 'holdMs', 'scale'])
  const { delayMs = 100, scale = 1 } = options
  checkDelay('delayMs', delayMs)
  const { holdMs = Math.max(2000, delayMs) } = options
  if (!Array.isArray(frames) || frames.length === 0)
    throw new DlgError('invalid-data', `gif: frames is ${show(frames)}; there must be at least one frame`)
  checkDelay('holdMs', holdMs)
  if (!isLength(scale)) throw new DlgError('invalid-data', `gif: scale ${show(scale)} must be a positive whole number`)
  frames.forEach((frame, i) => {
    checkFrame(frame, i, frames[0], scale)
  })
  const pixels = frames[0].width * frames[0].height * scale ** 2 * frames.length
  if (pixels > MOST_PIXELS)
    throw new DlgError(
      'invalid-data',
      `gif: ${frames.length} frames of ${frames[0].width * scale}x${frames[0].height * scale} must be at most ${MOST_PIXELS / 1e6} megapixels together`,
    )

  const encoder = gifenc.GIFEncoder()
  frames.forEach((frame, i) => {
    const rgba = toRgba(frame)
    const { palette, indices } = exactPalette(rgba) ?? quantizedPalette(rgba)
    const delay = i === frames.length - 1 ? holdMs : delayMs
    const { width, height } = frame
    encoder.writeFrame(enlarge(indices, width, height, scale), width * scale, height * scale, { palette, delay })
  })
  encoder.finish()
  return encoder.bytes()
}

function checkDelay(name: string, value: number): void {
  if (typeof value === 'number' && value >= 10 && value <= MAX_UINT16 * 10) return
  throw new DlgError('invalid-data', `gif: ${name} ${show(value)} must be from 10 to ${MAX_UINT16 * 10} milliseconds`)
}

function checkFrame(frame: Image, index: number, first: Image, scale: number): void {
  checkImage(frame, `gif: frame ${index}`)
  const { width, height } = frame
  if (width !== first.width || height !== first.height) {
    throw new DlgError(
      'invalid-data',
      `gif: frame ${index} is ${width}x${height}; it must be ${first.width}x${first.height} as the first`,
    )
  }
  if (Math.max(width, height) * scale > MAX_UINT16) {
    throw new DlgError('invalid-data', `gif: ${width}x${height} times ${scale} must be at most ${MAX_UINT16} a side`)
  }
}

function toRgba({ data, width, height }: Image): Uint8Array {
  const rgba = new Uint8Array(width * height * 4).fill(255)
  for (let i = 0; i < data.length; i++) rgba[Math.floor(i / 3) * 4 + (i % 3)] = toByte(data[i])
  return rgba
}

interface Indexed {
  readonly palette: number[][]
  readonly indices: Uint8Array
}

/** The frame's own colours, when a palette holds them all; gifenc would first round them to 16 bits. */
function exactPalette(rgba: Uint8Array): Indexed | undefined {
  const found = new Map<number, number>()
  const palette: number[][] = []
  const indices = new Uint8Array(rgba.length / 4)
  for (let i = 0; i < indices.length; i++) {
    const [red, green, blue] = rgba.subarray(i * 4, i * 4 + 3)
    const colour = (red << 16) | (green << 8) | blue
    let index = found.get(colour)
    if (index === undefined) {
      if (palette.length === 256) return undefined
      index = palette.push([red, green, blue]) - 1
      found.set(colour, index)
    }
    indices[i] = index
  }
  return { palette, indices }
}

function quantizedPalette(rgba: Uint8Array): Indexed {
  const palette = gifenc.quantize(rgba, 256)
  return { palette, indices: gifenc.applyPalette(rgba, palette) }
}

function enlarge(indices: Uint8Array, width: number, height: number, scale: number): Uint8Array {
  if (scale === 1) return indices
  const large = new Uint8Array(width * scale * height * scale)
  for (let y = 0, to = 0; y < height * scale; y++) {
    const row = Math.floor(y / scale) * width
    for (let x = 0; x < width * scale; x++) large[to++] = indices[row + Math.floor(x / scale)]
  }
  return large
}
