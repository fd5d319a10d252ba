import { type ConvGeometry, type Node, type Shape, sizeOf } from '../../graph'
import { forEachIndex } from './kernel'

type Inputs = readonly Float64Array[]

/**
 * Calls `visit` once for every product of the trilinear form ⟨y, conv(x, w)⟩ with the flat positions of its three
 * factors: all three convolution primitives are this loop with another factor summed out.
 */
function forEachProduct(
  x: Shape,
  w: Shape,
  y: Shape,
  g: ConvGeometry,
  visit: (x: number, w: number, y: number) => void,
): void {
  const [batch, channels, ...space] = x
  const [outputs, perGroup, ...filter] = w
  const size = y.slice(2)
  const [area, taps, places] = [sizeOf(space), sizeOf(filter), sizeOf(size)]
  const perOutputGroup = outputs / g.groups
  // positions in one channel plane: (input place, filter tap, output place)
  const plane: [number, number, number][] = []
  forEachIndex(size, (at, place) => {
    forEachIndex(filter, (tap, k) => {
      let position = 0
      for (let i = 0; i < space.length; i++) {
        const p = at[i] * g.strides[i] + tap[i] * g.dilations[i] - g.padLow[i]
        if (p < 0 || p >= space[i]) return
        position = position * space[i] + p
      }
      plane.push([position, k, place])
    })
  })
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < perGroup; c++) {
        const channel = Math.floor(o / perOutputGroup) * perGroup + c
        const xBase = (b * channels + channel) * area
        const wBase = (o * perGroup + c) * taps
        const yBase = (b * outputs + o) * places
        for (let i = 0; i < plane.length; i++) {
          const [p, k, place] = plane[i]
          visit(xBase + p, wBase + k, yBase + place)
        }
      }
}

export const convKernels = {
  conv: (node: Node<'conv'>, [x, w]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const [sx, sw] = node.inputs.map((n) => n.shape)
    forEachProduct(sx, sw, node.shape, node.attributes, (i, j, k) => {
      out[k] += x[i] * w[j]
    })
    return out
  },
  convInputGrad: (node: Node<'convInputGrad'>, [y, w]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const [sy, sw] = node.inputs.map((n) => n.shape)
    forEachProduct(node.shape, sw, sy, node.attributes, (i, j, k) => {
      out[i] += y[k] * w[j]
    })
    return out
  },
  convFilterGrad: (node: Node<'convFilterGrad'>, [x, y, known]: Inputs) => {
    const out = known ? known.map((v) => -v) : new Float64Array(sizeOf(node.shape))
    const [sx, sy] = node.inputs.map((n) => n.shape)
    forEachProduct(sx, node.shape, sy, node.attributes, (i, j, k) => {
      out[j] += x[i] * y[k]
    })
    return out
  },
}
