import { describe, expect, it } from 'vitest'
import { encodeGif } from '../../../src/io'
import { psnr } from '../../../src/metrics'
import { thrown } from '../thrown'
import { decodeGif } from './gif-decoder'
import { image, levels, randomImage } from './random-image'

const few = (seed: number) => image(9, 5, (x, y, c) => ((x * 3 + y * 5 + c + seed) % 7) / 6)

describe('encodeGif', () => {
  it('keeps frames of few colours exactly, with their delays, looping for ever', () => {
    const frames = [few(0), few(1), image(9, 5, () => 0.5)]
    const gif = decodeGif(encodeGif(frames, { delayMs: 70, holdMs: 1500 }))
    expect([gif.width, gif.height, gif.loops]).toEqual([9, 5, 0])
    expect(gif.frames.map((frame) => frame.delay)).toEqual([70, 70, 1500])
    expect(gif.frames.map((frame) => frame.rgb)).toEqual(frames.map((frame) => levels(frame.data)))
  })

  it('holds the last frame longer by default, also when it is the only one', () => {
    expect(decodeGif(encodeGif([few(0), few(1)])).frames.map((frame) => frame.delay)).toEqual([100, 2000])
    expect(decodeGif(encodeGif([few(0)])).frames.map((frame) => frame.delay)).toEqual([2000])
    expect(decodeGif(encodeGif([few(0), few(1)], { delayMs: 5000 })).frames[1].delay).toBe(5000)
  })

  it('reduces 1024 colours to 256 with little loss, enlarged by nearest neighbour', () => {
    const smooth = image(32, 32, (x, y, c) => [x / 31, y / 31, (x + y) / 62][c])
    const gif = decodeGif(encodeGif([smooth, randomImage(32, 32, 3)], { scale: 3 }))
    expect([gif.width, gif.height, gif.frames.length]).toEqual([96, 96, 2])
    const large = image(96, 96, (x, y, c) => smooth.data[(Math.floor(y / 3) * 32 + Math.floor(x / 3)) * 3 + c])
    const shown = gif.frames[0].rgb.map((level) => level / 255)
    expect(psnr(shown, large.data)).toBeGreaterThan(30)
    for (let i = 0; i < shown.length; i++) {
      const [row, column, c] = [Math.floor(i / 288), Math.floor((i % 288) / 3), i % 3]
      expect(shown[i]).toBe(shown[(Math.floor(row / 3) * 3 * 96 + Math.floor(column / 3) * 3) * 3 + c])
    }
  })

  it('clamps values and shows NaN as black', () => {
    const frame = { width: 2, height: 1, data: new Float32Array([-1, 2, Number.NaN, 0.5, 1, 0]) }
    expect(decodeGif(encodeGif([frame])).frames[0].rgb).toEqual([0, 255, 0, 128, 255, 0])
  })

  it.each<[string, () => unknown, RegExp]>([
    ['no frames', () => encodeGif([]), /there must be at least one frame/],
    [
      'frames of two sizes',
      () => encodeGif([few(0), image(5, 9, () => 0)]),
      /frame 1 is 5x9; it must be 9x5 as the first/,
    ],
    ['a malformed frame', () => encodeGif([few(0), { ...few(0), height: 4 }]), /gif: frame 1: data is 135 values/],
    ['a scale of 0', () => encodeGif([few(0)], { scale: 0 }), /scale 0 must be a positive whole number/],
    ['a fractional scale', () => encodeGif([few(0)], { scale: 1.5 }), /scale 1.5 must be/],
    ['a delay of 0', () => encodeGif([few(0)], { delayMs: 0 }), /delayMs 0 must be from 10 to 655350/],
    ['a delay that is NaN', () => encodeGif([few(0)], { delayMs: Number.NaN }), /delayMs NaN must be/],
    ['a hold of 11 minutes', () => encodeGif([few(0)], { holdMs: 660_000 }), /holdMs 660000 must be/],
    ['a side above 65535', () => encodeGif([few(0)], { scale: 8000 }), /9x5 times 8000 must be at most 65535/],
  ])('refuses %s', (_, call, message) => {
    const error = thrown(call)
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })
})
