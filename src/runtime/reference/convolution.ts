import { type ConvGeometry, type Node, type Shape, sizeOf } from '../../graph'
import { forEachIndex } from './kernel'

type Inputs = readonly Float64Array[]

/** The products in one channel plane: the flat place of each in the input, the filter and the output. */
interface Plane {
  readonly input: Int32Array
  readonly filter: Int32Array
  readonly output: Int32Array
}

function planeOf(space: Shape, filter: Shape, size: Shape, g: ConvGeometry): Plane {
  const found: Record<keyof Plane, number[]> = { input: [], filter: [], output: [] }
  forEachIndex(size, (at, place) => {
    forEachIndex(filter, (tap, k) => {
      let position = 0
      for (let i = 0; i < space.length; i++) {
        const p = at[i] * g.strides[i] + tap[i] * g.dilations[i] - g.padLow[i]
        if (p < 0 || p >= space[i]) return
        position = position * space[i] + p
      }
      found.input.push(position)
      found.filter.push(k)
      found.output.push(place)
    })
  })
  return {
    input: Int32Array.from(found.input),
    filter: Int32Array.from(found.filter),
    output: Int32Array.from(found.output),
  }
}

/**
 * Calls `visit` with the channel planes of every sample, input channel and output channel: the products of the trilinear form
 * ⟨y, conv(x, w)⟩ of which each of the convolution primitives sums another factor out.
 */
function forEachPlane(
  x: Shape,
  w: Shape,
  y: Shape,
  g: ConvGeometry,
  visit: (plane: Plane, x: number, w: number, y: number) => void,
): void {
  const [batch, channels, ...space] = x
  const [outputs, perGroup, ...filter] = w
  const size = y.slice(2)
  const [area, taps, places] = [sizeOf(space), sizeOf(filter), sizeOf(size)]
  const perOutputGroup = outputs / g.groups
  const plane = planeOf(space, filter, size, g)
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < perGroup; c++) {
        const channel = Math.floor(o / perOutputGroup) * perGroup + c
        visit(plane, (b * channels + channel) * area, (o * perGroup + c) * taps, (b * outputs + o) * places)
      }
}

export const convKernels = {
  conv: (node: Node<'conv'>, [x, w, bias]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const [, outputs, ...size] = node.shape
    const places = sizeOf(size)
    if (bias) for (let i = 0; i < out.length; i++) out[i] = bias[Math.floor(i / places) % outputs]
    const [sx, sw] = node.inputs.map((n) => n.shape)
    forEachPlane(sx, sw, node.shape, node.attributes, ({ input, filter, output }, atX, atW, atY) => {
      for (let i = 0; i < input.length; i++) out[atY + output[i]] += x[atX + input[i]] * w[atW + filter[i]]
    })
    return out
  },
  convInputGrad: (node: Node<'convInputGrad'>, [y, w]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const [sy, sw] = node.inputs.map((n) => n.shape)
    forEachPlane(node.shape, sw, sy, node.attributes, ({ input, filter, output }, atX, atW, atY) => {
      for (let i = 0; i < input.length; i++) out[atX + input[i]] += y[atY + output[i]] * w[atW + filter[i]]
    })
    return out
  },
  convFilterGrad: (node: Node<'convFilterGrad'>, [x, y, known]: Inputs) => {
    const out = known ? known.map((v) => -v) : new Float64Array(sizeOf(node.shape))
    const [sx, sy] = node.inputs.map((n) => n.shape)
    forEachPlane(sx, node.shape, sy, node.attributes, ({ input, filter, output }, atX, atW, atY) => {
      for (let i = 0; i < input.length; i++) out[atW + filter[i]] += x[atX + input[i]] * y[atY + output[i]]
    })
    return out
  },
}
