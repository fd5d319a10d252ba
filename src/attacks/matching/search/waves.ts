import type { Optimizer, OptimizerState } from '../../../optim'
import { OPPONENTS } from '../objective/prior'

/** Sizes of each of the images that a point begins with. */
export type ImageShape = readonly [height: number, width: number, channels: number]

/** How far colour moves beside brightness. */
const COLOR = 0.5

/** State of {@link overWaves}, around the state `inner` over the numbers of the waves. */
export interface WavesState<S extends OptimizerState = OptimizerState> extends OptimizerState {
  readonly inner: S
}

/**
 * An optimizer that moves the waves of images in place of their pixels.
 *
 * An image is x = Bz. The columns of B are the waves of the discrete cosine transform in opponent colours, each times
 * w = c / (1 + f), where f counts its half-waves over the image, and half as much for colour. Steps of one size for all of z move
 * coarse shapes further than fine ones, as photographs have them. c makes them as large in pixels as steps of that size for all
 * pixels. The gradient by z is Bᵀ times the gradient by x. What is behind the data stays as it is.
 *
 * @param data how many numbers, the first ones, are images of this shape
 */
export function overWaves<S extends OptimizerState>(
  optimizer: Optimizer<S>,
  shape: ImageShape,
  data: number,
): Optimizer<WavesState<S>> {
  const size = shape[0] * shape[1] * shape[2]
  const { weights, waves, pixels } = transform(shape)
  const each = (point: Float64Array, change: (image: Float64Array) => Float64Array): Float64Array => {
    const out = point.slice()
    for (let at = 0; at < data; at += size) out.set(change(point.subarray(at, at + size)), at)
    return out
  }
  const toWaves = (point: Float64Array) => each(point, (x) => waves(x).map((v, i) => v / weights[i]))
  const toPixels = (point: Float64Array) => each(point, (z) => pixels(z.map((v, i) => v * weights[i])))
  const byWaves = (gradient: Float64Array) => each(gradient, (g) => waves(g).map((v, i) => v * weights[i]))

  const shown = (inner: S): WavesState<S> => {
    const { iteration, evaluations, stopped, trial } = inner
    return { point: toPixels(inner.point), iteration, evaluations, stopped, trial, inner }
  }
  return {
    name: `overWaves(${optimizer.name})`,
    patience: optimizer.patience,
    init: (point) => shown(optimizer.init(toWaves(point))),
    restart(state, point, scale) {
      const at = toWaves(point)
      return shown(optimizer.restart?.(state.inner, at, scale) ?? optimizer.init(at))
    },
    step(state, { value, gradient }) {
      const stepped = optimizer.step(state.inner, { value, gradient: byWaves(gradient) })
      return stepped instanceof Promise ? stepped.then(shown) : shown(stepped)
    },
  }
}

/** The orthonormal transform of one image to its waves and back, and the weight of each wave. */
function transform([height, width, channels]: ImageShape) {
  const [down, across] = [cosines(height), cosines(width)]
  const colors = channels === 3 ? OPPONENTS : Array.from({ length: channels }, (_, i) => unit(channels, i))
  const back = [down, across, colors].map(transposed)
  const side = Math.sqrt(height * width)
  const raw = new Float64Array(height * width * channels)
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let k = 0; k < channels; k++) {
        const halfWaves = side * Math.hypot(i / height, j / width)
        raw[(i * width + j) * channels + k] = (channels === 3 && k > 0 ? COLOR : 1) / (1 + halfWaves)
      }
  const norm = Math.sqrt(raw.reduce((sum, v) => sum + v * v, 0) / raw.length)
  return {
    weights: raw.map((v) => v / norm),
    waves: (image: Float64Array) => along(along(along(image, 2, colors), 1, across), 0, down),
    pixels: (image: Float64Array) => along(along(along(image, 2, back[2]), 1, back[1]), 0, back[0]),
  }

  /** A matrix times the image along one of its axes. */
  function along(image: Float64Array, axis: number, matrix: readonly ArrayLike<number>[]): Float64Array {
    const out = new Float64Array(image.length)
    const length = [height, width, channels][axis]
    const stride = [width * channels, channels, 1][axis]
    for (let block = 0; block < image.length; block += length * stride)
      for (let k = 0; k < length; k++)
        for (let n = 0; n < length; n++) {
          const by = matrix[k][n]
          const [to, from] = [block + k * stride, block + n * stride]
          for (let i = 0; i < stride; i++) out[to + i] += by * image[from + i]
        }
    return out
  }
}

const unit = (size: number, at: number): number[] => Array.from({ length: size }, (_, i) => (i === at ? 1 : 0))

const transposed = (matrix: readonly ArrayLike<number>[]): number[][] =>
  Array.from(matrix, (_, i) => matrix.map((row) => row[i]))

/** √(2/n) cos(π(j + ½)k/n), its first row √(1/n): the discrete cosine transform, orthonormal. */
const cosines = (size: number): number[][] =>
  Array.from({ length: size }, (_, k) =>
    Array.from(
      { length: size },
      (_, j) => Math.sqrt((k === 0 ? 1 : 2) / size) * Math.cos((Math.PI * (j + 0.5) * k) / size),
    ),
  )
