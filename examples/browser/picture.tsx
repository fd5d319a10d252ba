import { useLayoutEffect, useRef } from 'preact/hooks'

/** Numbers in [0, 1], three a pixel, as RGBA bytes. */
export function rgba(pixels: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const data = new Uint8ClampedArray((pixels.length / 3) * 4)
  for (let i = 0; i < pixels.length / 3; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = 255 * pixels[3 * i + c]
    data[4 * i + 3] = 255
  }
  return data
}

interface PictureProps {
  readonly side: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
  /** For who does not see it. */
  readonly label: string
  readonly class?: string
}

/** A square picture. */
export function Picture({ side, data, label, ...rest }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useLayoutEffect(() => {
    canvas.current?.getContext('2d')?.putImageData(new ImageData(data, side, side), 0, 0)
  }, [side, data])
  return <canvas ref={canvas} width={side} height={side} role="img" aria-label={label} {...rest} />
}

/** What a canvas is saved as. */
export async function pngOf(pixels: Float32Array, side: number, scale: number): Promise<Blob> {
  const small = new OffscreenCanvas(side, side)
  small.getContext('2d')!.putImageData(new ImageData(rgba(pixels), side, side), 0, 0)
  const large = new OffscreenCanvas(side * scale, side * scale)
  const context = large.getContext('2d')!
  context.imageSmoothingEnabled = false
  context.drawImage(small, 0, 0, large.width, large.height)
  return large.convertToBlob({ type: 'image/png' })
}

/** Saves a file, as if a link to it had been followed. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
