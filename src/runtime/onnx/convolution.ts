import { type ConvGeometry, type Node, range } from '../../graph'
import { unfolds } from '../plan'
import type { Builder } from './builder'
import { unfoldedFilterGrad } from './unfold'

const pads = (low: readonly number[], high: readonly number[]): number[] => [...low, ...high]

export function conv(b: Builder, node: Node<'conv'>): string {
  const { strides, dilations, padLow, padHigh, groups } = node.attributes
  const w = node.inputs[1]
  return b.emit('Conv', node.inputs.map(b.value), {
    strides,
    dilations,
    pads: pads(padLow, padHigh),
    group: groups,
    kernel_shape: w.shape.slice(2),
  })
}

/** ConvTranspose, whose output padding makes up what ragged strides left unread. */
export function convInputGrad(b: Builder, node: Node<'convInputGrad'>): string {
  const { strides, dilations, padLow, padHigh, groups } = node.attributes
  const [y, w] = node.inputs
  const kernel = w.shape.slice(2)
  const natural = kernel.map(
    (k, i) => (y.shape[i + 2] - 1) * strides[i] + (k - 1) * dilations[i] + 1 - padLow[i] - padHigh[i],
  )
  const missing = natural.map((n, i) => node.shape[i + 2] - n)
  return b.emit('ConvTranspose', [b.value(y), b.value(w)], {
    strides,
    dilations,
    pads: pads(padLow, padHigh),
    output_padding: missing,
    group: groups,
    kernel_shape: kernel,
  })
}

/**
 * A convolution of x with y, batch and channels swapped and strides as dilations, over as much of x as the filter needs.
 */
export function convFilterGrad(b: Builder, node: Node<'convFilterGrad'>): string {
  if (unfolds(node)) return unfoldedFilterGrad(b, node)
  const gradient = asConvolution(b, node)
  const known = node.inputs[2]
  return known ? b.emit('Sub', [gradient, b.valueAs(known, node.shape)]) : gradient
}

function asConvolution(b: Builder, node: Node<'convFilterGrad'>): string {
  const g: ConvGeometry = node.attributes
  const [x, y] = node.inputs
  const [batch, channels, ...space] = x.shape
  const [outputs, perGroup, ...filter] = node.shape
  const size = y.shape.slice(2)
  const spatial = range(space.length)
  const high = spatial.map(
    (i) => (filter[i] - 1) * g.dilations[i] + (size[i] - 1) * g.strides[i] + 1 - space[i] - g.padLow[i],
  )
  const swap = [1, 0, ...spatial.map((i) => i + 2)]
  const low = g.padLow
  const start = [...low, ...high].map((p) => Math.max(-p, 0))
  const cropped = start.some((p) => p > 0) ? crop(b, b.value(x), space, low, high) : b.value(x)
  // [N, G·c, …] → [c, G·N, …]: each group's samples are the channels of its own convolution
  const left =
    g.groups === 1
      ? swapAxes(b, cropped, [batch, channels, ...cropSize(space, low, high)], swap)
      : b.reshape(
          b.transpose(b.reshape(cropped, [batch, g.groups, channels / g.groups, ...cropSize(space, low, high)]), [
            2,
            1,
            0,
            ...spatial.map((i) => i + 3),
          ]),
          [perGroup, g.groups * batch, ...cropSize(space, low, high)],
        )
  const right = swapAxes(b, b.value(y), y.shape, swap)
  const product = b.emit('Conv', [left, right], {
    strides: g.dilations,
    dilations: g.strides,
    pads: pads(
      low.map((p) => Math.max(p, 0)),
      high.map((p) => Math.max(p, 0)),
    ),
    group: g.groups,
    kernel_shape: size,
  })
  return swapAxes(b, product, [perGroup, outputs, ...filter], swap)
}

/** Swaps the first two axes; a reshape does where one of them has size 1. */
function swapAxes(b: Builder, name: string, shape: readonly number[], swap: readonly number[]): string {
  if (shape[0] === 1 && shape[1] === 1) return name
  if (shape[0] === 1 || shape[1] === 1)
    return b.reshape(
      name,
      swap.map((axis) => shape[axis]),
    )
  return b.transpose(name, swap)
}

const cropSize = (space: readonly number[], low: readonly number[], high: readonly number[]): number[] =>
  space.map((n, i) => n + Math.min(low[i], 0) + Math.min(high[i], 0))

function crop(
  b: Builder,
  name: string,
  space: readonly number[],
  low: readonly number[],
  high: readonly number[],
): string {
  const starts = space.map((_, i) => Math.max(-low[i], 0))
  const ends = space.map((n, i) => n - Math.max(-high[i], 0))
  return b.emit('Slice', [name, b.integers(starts), b.integers(ends), b.integers(space.map((_, i) => i + 2))])
}
