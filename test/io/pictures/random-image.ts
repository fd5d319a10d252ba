import type { Image } from '../../../src/io'

/** Seeded uniform numbers in [0, 1): mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export function image(width: number, height: number, value: (x: number, y: number, c: number) => number): Image {
  const data = new Float32Array(width * height * 3)
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3)
    data[i] = value(pixel % width, Math.floor(pixel / width), i % 3)
  }
  return { width, height, data }
}

export function randomImage(width: number, height: number, seed: number): Image {
  const next = uniform(seed)
  return image(width, height, next)
}

export function pixel({ data, width }: Image, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
}

/** Values as 8-bit levels. */
export function levels(values: Iterable<number>): number[] {
  return [...values].map((value) => Math.round(value * 255))
}
