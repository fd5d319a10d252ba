import city from './photographs/city.jpg'
import flower from './photographs/flower.jpg'
import mountains from './photographs/mountains.jpg'

/** Side of the square that the network sees, in pixels. */
export const SIDE = 32

/** Photographs that come along, CC0. */
export const BUILT_IN: Readonly<Record<string, { readonly words: string; readonly url: string }>> = {
  flower: { words: 'Flower', url: flower },
  mountains: { words: 'Mountains', url: mountains },
  city: { words: 'City', url: city },
}

/** The centre square of a picture as SIDE × SIDE × 3 numbers in [0, 1]. */
export async function readPhoto(file: Blob): Promise<Float32Array> {
  const whole = await createImageBitmap(file)
  const side = Math.min(whole.width, whole.height)
  const [x, y] = [(whole.width - side) / 2, (whole.height - side) / 2]
  const size = { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: 'high' } as const
  const small = await createImageBitmap(whole, x, y, side, side, size)
  const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d')!
  context.drawImage(small, 0, 0)
  const { data } = context.getImageData(0, 0, SIDE, SIDE)
  return Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)] / 255)
}

export const fetchPhoto = async (name: string): Promise<Float32Array> => {
  const { url } = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : BUILT_IN.flower
  return readPhoto(await (await fetch(url)).blob())
}

/** The photo and as many others as a batch has: the built-in ones, and then the photo's mirror image. */
export async function batchOf(photo: string, own: Float32Array | undefined, count: number): Promise<Float32Array[]> {
  const first = own ?? (await fetchPhoto(photo))
  const others = Object.keys(BUILT_IN).filter((name) => own !== undefined || name !== photo)
  const rest = await Promise.all(others.slice(0, count - 1).map(fetchPhoto))
  return [first, ...rest, mirrored(first)].slice(0, count)
}

const mirrored = (pixels: Float32Array): Float32Array =>
  pixels.map((_, i) => {
    const [row, column, channel] = [Math.floor(i / (3 * SIDE)), Math.floor(i / 3) % SIDE, i % 3]
    return pixels[3 * (row * SIDE + SIDE - 1 - column) + channel]
  })
