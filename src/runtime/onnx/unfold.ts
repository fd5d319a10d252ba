import { type Node, range, sizeOf } from '../../graph'
import type { Builder } from './builder'

/**
 * ∂⟨y, conv(x, w)⟩/∂w as Y · Xᵀ, where the rows of X [C·taps, N·places] are x as each tap of the filter sees it. The
 * product lies in the order of the filter, so nothing is transposed; what is taken from it is taken off in the same kernel.
 */
export function unfoldedFilterGrad(b: Builder, node: Node<'convFilterGrad'>): string {
  const [x, y] = node.inputs
  const [batch, channels] = x.shape
  const [outputs, , ...filter] = node.shape
  const places = batch * sizeOf(y.shape.slice(2))
  const taps = channels * sizeOf(filter)
  const unfolded = b.reshape(views(b, node), [taps, places])
  const rows = b.reshape(channelsFirst(b, y), [outputs, places])
  const known = node.inputs[2]
  const product = known
    ? b.emit('Gemm', [rows, unfolded, b.valueAs(known, [outputs, taps])], { transB: 1, beta: Float32Array.of(-1) })
    : b.emit('Gemm', [rows, unfolded], { transB: 1 })
  return b.reshape(product, node.shape)
}

/** [N, C, …] → [C, N, …] */
const channelsFirst = (b: Builder, node: Node): string =>
  node.shape[0] === 1 ? b.value(node) : b.transpose(b.value(node), [1, 0, ...range(node.shape.length).slice(2)])

/**
 * [C, taps, N, places]: what each tap of the filter sees of each channel. It is a convolution of each channel for itself with
 * filters that are 1 at one tap, so every number is exactly one of x. Samples lie along an axis of their own, which the filter does
 * not cover.
 */
function views(b: Builder, node: Node<'convFilterGrad'>): string {
  const { strides, dilations, padLow, padHigh } = node.attributes
  const [x] = node.inputs
  const [batch, channels, ...space] = x.shape
  const [, , ...filter] = node.shape
  const count = sizeOf(filter)
  /** A list of one entry for each spatial axis, and one in front for samples. */
  const axes = (list: readonly number[], own: number) => (batch === 1 ? [...list] : [own, ...list])
  const [taps] = b.once(`taps of ${channels} [${axes(filter, 1)}]`, () => {
    const ones = Array.from({ length: channels * count * count }, (_, i) => (i % (count * count) % (count + 1) === 0 ? 1 : 0)) // biome-ignore format: one line
    return [b.floats(ones, [channels * count, 1, ...axes(filter, 1)])]
  })
  const source = batch === 1 ? b.value(x) : b.reshape(channelsFirst(b, x), [1, channels, batch, ...space])
  return b.emit('Conv', [source, taps], {
    strides: axes(strides, 1),
    dilations: axes(dilations, 1),
    pads: [...axes(padLow, 0), ...axes(padHigh, 0)],
    group: channels,
    kernel_shape: axes(filter, 1),
  })
}
