/** A square of RGBA bytes. */
export interface SquarePicture {
  readonly side: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
}

/** Colours of numbers below and above zero, which is gray. */
const [BELOW, ZERO, ABOVE] = [
  [47, 128, 237],
  [127, 127, 133],
  [242, 133, 36],
]

/**
 * Numbers as a picture, one a pixel: blue below zero and orange above. Gradients range over many orders of magnitude, so the colour
 * is the rank of the absolute value's logarithm between 10⁻⁴ and 10 times the root mean square.
 */
export function signedPicture(numbers: Float32Array): SquarePicture {
  const side = Math.ceil(Math.sqrt(numbers.length))
  const data = new Uint8ClampedArray(4 * side * side)
  const size = Math.sqrt(numbers.reduce((sum, v) => sum + v * v, 0) / numbers.length) || 1
  for (const [i, value] of numbers.entries()) {
    const strength = Math.min(1, Math.max(0, (Math.log10(Math.abs(value) / size) + 4) / 5))
    const far = value < 0 ? BELOW : ABOVE
    for (let c = 0; c < 3; c++) data[4 * i + c] = ZERO[c] + strength * (far[c] - ZERO[c])
    data[4 * i + 3] = 255
  }
  return { side, data }
}
