import { fill, uniformValue } from './leaves'
import type { ConvGeometry, Node, Shape } from './node'
import { broadcastShapes } from './shape'

/** Product of the last two axes, [..., m, k] · [..., k, n], with NumPy broadcasting over the others. */
export function matMul(a: Node, b: Node): Node {
  const [m, k] = a.shape.slice(-2)
  const [rows, n] = b.shape.slice(-2)
  if (a.shape.length < 2 || b.shape.length < 2 || k !== rows) throw new Error(`matMul: [${a.shape}] · [${b.shape}]`)
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n]
  if (uniformValue(a) === 0 || uniformValue(b) === 0) return fill(a.graph, 0, shape)
  return a.graph.intern('matMul', [a, b], {}, shape)
}

/** Size along each spatial axis of the result of a convolution. */
export const convOutputSize = (input: Shape, filter: Shape, g: ConvGeometry): number[] =>
  input.map((n, i) => {
    const extent = (filter[i] - 1) * g.dilations[i] + 1
    return Math.floor((n + g.padLow[i] + g.padHigh[i] - extent) / g.strides[i]) + 1
  })

const geometry = (g: ConvGeometry): ConvGeometry => ({
  strides: [...g.strides],
  padLow: [...g.padLow],
  padHigh: [...g.padHigh],
  dilations: [...g.dilations],
  groups: g.groups,
})

/** Cross-correlation of x [N, C, …] with the filter w [O, C / groups, …]. */
export function conv(x: Node, w: Node, g: ConvGeometry): Node {
  const [batch, channels, ...space] = x.shape
  const [outputs, perGroup, ...filter] = w.shape
  const size = convOutputSize(space, filter, g)
  if (channels !== perGroup * g.groups || outputs % g.groups !== 0 || size.some((n) => n < 1))
    throw new Error(`conv: [${x.shape}] with filter [${w.shape}] in ${g.groups} groups`)
  const shape = [batch, outputs, ...size]
  if (uniformValue(x) === 0 || uniformValue(w) === 0) return fill(x.graph, 0, shape)
  return x.graph.intern('conv', [x, w], geometry(g), shape)
}

/** ∂⟨y, conv(x, w)⟩/∂x for x of `shape`. */
export function convInputGrad(y: Node, w: Node, g: ConvGeometry, shape: Shape): Node {
  if (uniformValue(y) === 0 || uniformValue(w) === 0) return fill(y.graph, 0, shape)
  return y.graph.intern('convInputGrad', [y, w], geometry(g), [...shape])
}

/** ∂⟨y, conv(x, w)⟩/∂w for w of `shape`. */
export function convFilterGrad(x: Node, y: Node, g: ConvGeometry, shape: Shape): Node {
  if (uniformValue(x) === 0 || uniformValue(y) === 0) return fill(x.graph, 0, shape)
  return x.graph.intern('convFilterGrad', [x, y], geometry(g), [...shape])
}
