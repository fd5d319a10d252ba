import { type Node, range, sizeOf } from '../../graph'
import type { Builder } from './builder'

/** From this many pairs of channels on, one large matrix product is faster than a convolution with filters as large as y. */
const LARGE = 2048

/** Whether the gradient of a filter is better made by unfolding. */
export const unfolds = (node: Node<'convFilterGrad'>): boolean =>
  node.attributes.groups === 1 && node.shape[0] * node.shape[1] >= LARGE

/**
 * ∂⟨y, conv(x, w)⟩/∂w as Y · Xᵀ, where the rows of X [C·taps, N·places] are x as each tap of the filter sees it. The
 * product lies in the order of the filter, so nothing is transposed; what is taken from it is taken off in the same kernel.
 */
export function unfoldedFilterGrad(b: Builder, node: Node<'convFilterGrad'>): string {
  const { strides, dilations, padLow, padHigh } = node.attributes
  const [x, y] = node.inputs
  const [batch, channels, ...space] = x.shape
  const [outputs, , ...filter] = node.shape
  const size = y.shape.slice(2)
  const spatial = range(space.length).map((i) => i + 2)
  const places = batch * sizeOf(size)

  const first = (name: string, shape: readonly number[]) =>
    batch === 1 ? b.reshape(name, [shape[1], shape[0], ...shape.slice(2)]) : b.transpose(name, [1, 0, ...spatial])
  const padded = [...padLow, ...padHigh].some((p) => p > 0)
    ? b.emit('Pad', [b.value(x), b.integers([0, 0, ...padLow, 0, 0, ...padHigh])])
    : b.value(x)
  const source = first(padded, [batch, channels, ...space.map((n, i) => n + padLow[i] + padHigh[i])])
  const views = taps(filter).map((tap) => {
    const starts = tap.map((t, i) => t * dilations[i])
    const ends = starts.map((s, i) => s + (size[i] - 1) * strides[i] + 1)
    return b.emit('Slice', [source, b.integers(starts), b.integers(ends), b.integers(spatial), b.integers(strides)])
  })
  const columns = views.length === 1 ? views[0] : b.emit('Concat', views, { axis: 1 })
  const unfolded = b.reshape(columns, [channels * sizeOf(filter), places])
  const rows = b.reshape(first(b.value(y), y.shape), [outputs, places])
  const known = node.inputs[2]
  const product = known
    ? b.emit('Gemm', [rows, unfolded, b.value(known)], {
        transB: 1,
        beta: Float32Array.of(-1),
      })
    : b.emit('Gemm', [rows, unfolded], { transB: 1 })
  return b.reshape(product, node.shape)
}

/** Every position of a filter, in row-major order. */
const taps = (filter: readonly number[]): number[][] =>
  filter.reduce<number[][]>((all, n) => all.flatMap((tap) => range(n).map((i) => [...tap, i])), [[]])
