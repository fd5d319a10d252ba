import * as g from '../../../graph'
import { axisOf, type Call, type Operators } from '../call'

/** In float32, as onnxruntime computes sizes and positions: 10 · 0.7 is 7 there, though 0.7 as float32 is less. */
const { fround } = Math

/** Where output i reads, in positions of the input. */
type Positions = (i: number, from: number, to: number, scale: number) => number

const halfPixel = (i: number, scale: number): number => fround(fround((i + 0.5) / scale) - 0.5)

const POSITIONS: Readonly<Record<string, Positions>> = {
  half_pixel: (i, _from, _to, scale) => halfPixel(i, scale),
  pytorch_half_pixel: (i, _from, to, scale) => (to > 1 ? halfPixel(i, scale) : 0),
  align_corners: (i, from, to) => (to === 1 ? 0 : fround(fround(i * (from - 1)) / (to - 1))),
  asymmetric: (i, _from, _to, scale) => fround(i / scale),
}

const ROUNDING: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
}

/** Whether an operator only has scales, whose coordinates are asymmetric. */
const isOld = (call: Call): boolean => call.operator === 'Upsample' || call.opset < 11

/** Most numbers of the matrix that resizes one axis. */
const LARGEST = 2 ** 22

/** Which inputs an output at this position reads, and by which weights. */
function weights(
  call: Call,
  mode: string,
  at: number,
  scale: number,
): readonly (readonly [index: number, weight: number])[] {
  if (mode === 'nearest') {
    // before version 11 the standard leaves it open; onnxruntime rounds so
    const name = isOld(call) ? (scale < 1 ? 'ceil' : 'floor') : call.text('nearest_mode', 'round_prefer_floor')
    const round = Object.hasOwn(ROUNDING, name) ? ROUNDING[name] : undefined
    if (!round) throw call.wrong(`nearest_mode is '${name}'`)
    return [[round(at), 1]]
  }
  const low = Math.floor(at)
  const rest = at - low
  if (mode === 'linear')
    return [
      [low, 1 - rest],
      [low + 1, rest],
    ]
  // Keys 1981: the cubic convolution with the slope a
  const a = call.number('cubic_coeff_a', -0.75)
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
  return [
    [low - 1, far(rest + 1)],
    [low, near(rest)],
    [low + 1, near(1 - rest)],
    [low + 2, far(2 - rest)],
  ]
}

/** Resizing is linear and separable: each axis that changes is multiplied by a matrix of weights. */
function resize(call: Call): g.Node {
  const x = call.x()
  const rank = x.shape.length
  const old = isOld(call)
  const mode = call.text('mode', 'nearest')
  const name = old ? 'asymmetric' : call.text('coordinate_transformation_mode', 'half_pixel')
  const position = Object.hasOwn(POSITIONS, name) ? POSITIONS[name] : undefined
  if (!position || !['nearest', 'linear', 'cubic'].includes(mode))
    throw call.refuse(`resizes by mode '${mode}' at coordinates '${name}'`)
  if (call.integer('antialias', 0) || call.integer('exclude_outside', 0))
    throw call.refuse('resizes with antialias or exclude_outside')
  const axes = call.integers('axes')?.map((axis) => axisOf(call, axis, rank)) ?? g.range(rank)
  const scales = old ? (call.known(1) ?? call.attribute('scales')?.floats) : nonEmpty(call.known(2))
  const sizes = old ? undefined : nonEmpty(call.known(3))
  if ((scales ?? sizes)?.length !== axes.length) throw call.wrong('must have one scale or size for each axis')
  if (sizes && call.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    throw call.refuse('keeps the aspect ratio')
  return axes.reduce<g.Node>((y, axis, k) => {
    const from = y.shape[axis]
    const to = sizes ? sizes[k] : Math.floor(fround(from * scales![k]))
    if (!(to >= 1 && Number.isInteger(to) && from * to <= LARGEST)) throw call.wrong(`resizes ${from} to ${to}`)
    const scale = fround(scales ? scales[k] : to / from)
    if (from === to && scale === 1) return y
    const matrix = new Float64Array(from * to)
    for (let i = 0; i < to; i++)
      for (const [j, weight] of weights(call, mode, position(i, from, to, scale), scale))
        matrix[Math.min(Math.max(j, 0), from - 1) * to + i] += weight
    const swap = g.range(rank).map((i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i))
    const rows = g.transpose(y, swap)
    const flat = g.reshape(rows, [g.sizeOf(rows.shape) / from, from])
    const product = g.matMul(flat, call.constant(matrix, [from, to]))
    return g.transpose(g.reshape(product, rows.shape.with(rank - 1, to)), swap)
  }, x)
}

const nonEmpty = (values: readonly number[] | undefined) => (values && values.length > 0 ? values : undefined)

export const resizeOperators: Operators = { Resize: resize, Upsample: resize }
