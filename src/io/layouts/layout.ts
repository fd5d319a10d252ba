import { rowMajorStrides, walk } from '../bytes/walk'

/**
 * How one tensor lies in PyTorch and in tfjs, as a bijection of their positions.
 *
 * PyTorch's is seen as `view`; equal blocks along its first axis change places; the axes of the view are permuted.
 */
export interface Layout {
  /** For the report, such as `OIHW → HWIO`. */
  readonly name: string
  /** A shape with PyTorch's number of values. */
  readonly view: readonly number[]
  /** tfjs's axis `i` is axis `axes[i]` of the view. */
  readonly axes: readonly number[]
  /** tfjs's block `i` is PyTorch's block `blocks[i]`. Default: as they are. */
  readonly blocks?: readonly number[]
}

export function toTfjs(data: ArrayLike<number>, layout: Layout): Float32Array {
  const result = new Float32Array(data.length)
  eachPosition(layout, (torch, tfjs) => {
    result[tfjs] = data[torch]
  })
  return result
}

/** The inverse of {@link toTfjs}. */
export function toTorch(data: ArrayLike<number>, layout: Layout): Float32Array {
  const result = new Float32Array(data.length)
  eachPosition(layout, (torch, tfjs) => {
    result[torch] = data[tfjs]
  })
  return result
}

/** Both layouts number the gates of a recurrent layer along an axis of their own, the first of the view. */
function eachPosition({ view, axes, blocks = [0] }: Layout, visit: (torch: number, tfjs: number) => void): void {
  const strides = rowMajorStrides(view)
  const size = view.reduce((a, b) => a * b, 1) / blocks.length
  let tfjs = 0
  walk(
    axes.map((axis) => view[axis]),
    axes.map((axis) => strides[axis]),
    (source) => {
      const block = Math.floor(source / size)
      visit(source + (blocks[block] - block) * size, tfjs++)
    },
  )
}

/** The layout of a tensor that both keep alike, or whose axes are merely counted otherwise. */
export function same(shape: readonly number[]): Layout {
  return { name: 'as it is', view: shape, axes: shape.map((_, axis) => axis) }
}

/** Output and input channels first, against last: `O I spatial…` to `spatial… I O`. A dense layer has no spatial axes. */
export function channelsLast(shape: readonly number[]): Layout {
  const letters = { 2: '', 3: 'L', 4: 'HW', 5: 'DHW' }[shape.length]
  const spatial = shape.map((_, axis) => axis).slice(2)
  return {
    name: letters ? `OI${letters} → ${letters}IO` : '[out, in] → [in, out]',
    view: shape,
    axes: [...spatial, 1, 0],
  }
}

/** One filter per channel and multiplier: `(C·M) 1 spatial…` to `spatial… C M`. */
export function depthwise(shape: readonly number[], multiplier: number): Layout {
  const spatial = shape.slice(2)
  const view = [shape[0] / multiplier, multiplier, ...spatial]
  return { name: '(C·M)1HW → HWCM', view, axes: [...spatial.map((_, i) => i + 2), 0, 1] }
}

/**
 * Features that were flattened: from `C spatial…` to `spatial… C`, along the input axis of a dense layer `[out, in]`, or
 * along a vector.
 */
export function flattened(shape: readonly number[], features: readonly number[]): Layout {
  const spatial = features.slice(1).map((_, i) => i + 1)
  if (shape.length === 1) return { name: 'flattened CHW → HWC', view: features, axes: [...spatial, 0] }
  const axes = [...spatial.map((axis) => axis + 1), 1, 0]
  return { name: '[out, CHW] → [HWC, out]', view: [shape[0], ...features], axes }
}
