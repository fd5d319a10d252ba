/** Row-major strides of a shape, in elements. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1]
  return strides
}

/** Visits the elements of a strided array in row-major order of `shape`, giving where each is stored. */
export function walk(shape: readonly number[], strides: readonly number[], visit: (source: number) => void): void {
  const total = shape.reduce((a, b) => a * b, 1)
  const index = new Array<number>(shape.length).fill(0)
  let source = 0
  for (let visited = 0; visited < total; visited++) {
    visit(source)
    // An odometer: the last axis turns fastest, and one that comes round takes the one before it along.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]
      if (++index[axis] < shape[axis]) break
      source -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
}
