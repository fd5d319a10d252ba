declare module 'gifenc' {
  /** Red, green and blue, 0 to 255. */
  type Colour = number[]

  interface Encoder {
    writeFrame(
      indices: Uint8Array,
      width: number,
      height: number,
      options: { palette: Colour[]; delay: number; repeat?: number },
    ): void
    finish(): void
    bytes(): Uint8Array
  }

  interface Gifenc {
    GIFEncoder(): Encoder
    quantize(rgba: Uint8Array, maxColours: number): Colour[]
    applyPalette(rgba: Uint8Array, palette: Colour[]): Uint8Array
  }

  export const GIFEncoder: Gifenc['GIFEncoder']
  export const quantize: Gifenc['quantize']
  export const applyPalette: Gifenc['applyPalette']
  /** Node gives the whole CommonJS module; a bundler that takes the ES build gives GIFEncoder. */
  const fallback: Gifenc
  export default fallback
}
