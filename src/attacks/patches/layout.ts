import { type Node, sizeOf } from '../../graph'

/** Positions of [rows, columns] in row-major order. */
export function indices(rows: number, columns: number, at: (row: number, column: number) => number): Int32Array {
  const out = new Int32Array(rows * columns)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[row * columns + column] = at(row, column)
  return out
}

/** A product X W as positions in the tensors that the graph has. */
export interface Layout {
  readonly source: Node
  readonly kernel: Node
  readonly patches: number
  readonly numbers: number
  readonly width: number
  /** Position in the source of number j of patch t; −1 is padding. */
  inSource(t: number, j: number): number
  /** Position in the kernel of the weight of number j of a patch for output o. */
  inKernel(j: number, o: number): number
  /** Position in the product of output o of patch t. */
  inProduct(t: number, o: number): number
}

/** The product as positions, where one factor alone depends on the data; undefined for everything else, and for convolutions in groups. */
export function layoutOf(node: Node): Layout | undefined {
  if (node.op === 'matMul') return matMulLayout(node)
  return node.op === 'conv' ? convLayout(node) : undefined
}

/** XW, or WᵀXᵀ. */
function matMulLayout({ inputs: [a, b], shape }: Node<'matMul'>): Layout | undefined {
  if (a.varying === b.varying || sizeOf(shape.slice(0, -2)) !== 1) return undefined
  const [rows, columns] = shape.slice(-2)
  const numbers = a.shape[a.shape.length - 1]
  const first = a.varying
  const [patches, width] = first ? [rows, columns] : [columns, rows]
  const at = (row: number, column: number, of: number) => row * of + column
  return {
    ...{ source: first ? a : b, kernel: first ? b : a, patches, numbers, width },
    inSource: (t, j) => (first ? at(t, j, numbers) : at(j, t, patches)),
    inKernel: (j, o) => (first ? at(j, o, width) : at(o, j, numbers)),
    inProduct: (t, o) => (first ? at(t, o, width) : at(o, t, patches)),
  }
}

/** Σ over channels and the window: a patch is what one window covers. */
function convLayout({ inputs: [x, w], attributes: c, shape }: Node<'conv'>): Layout | undefined {
  if (!x.varying || w.varying || c.groups !== 1 || x.shape[0] !== 1) return undefined
  const [space, window, out] = [x.shape.slice(2), w.shape.slice(2), shape.slice(2)]
  const [taps, patches] = [sizeOf(window), sizeOf(out)]
  const numbers = x.shape[1] * taps
  return {
    ...{ source: x, kernel: w, patches, numbers, width: w.shape[0] },
    inSource(t, j) {
      const [place, tap] = [digits(t, out), digits(j % taps, window)]
      let index = Math.floor(j / taps)
      for (let axis = 0; axis < space.length; axis++) {
        const along = place[axis] * c.strides[axis] + tap[axis] * c.dilations[axis] - c.padLow[axis]
        if (along < 0 || along >= space[axis]) return -1
        index = index * space[axis] + along
      }
      return index
    },
    inKernel: (j, o) => o * numbers + j,
    inProduct: (t, o) => o * patches + t,
  }
}

/** The position along each axis of an index into a shape. */
function digits(index: number, shape: readonly number[]): number[] {
  const found = shape.map(() => 0)
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    found[axis] = rest % shape[axis]
    rest = Math.floor(rest / shape[axis])
  }
  return found
}
