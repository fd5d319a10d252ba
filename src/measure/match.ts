/**
 * The linear assignment of least total cost: `match(cost)[row]` is the column of each row of a square matrix.
 *
 * Kuhn's Hungarian method with potentials: one shortest augmenting path a row, O(n³).
 */
export function match(cost: readonly (readonly number[])[]): number[] {
  const n = cost.length
  // infinite or undefined costs would leave no path
  const at = (row: number, column: number): number =>
    Number.isFinite(cost[row][column]) ? cost[row][column] : Number.MAX_SAFE_INTEGER
  const rowPotential = new Array<number>(n).fill(0)
  const columnPotential = new Array<number>(n + 1).fill(0)
  // column n is where each path begins
  const rowOf = new Array<number>(n + 1).fill(-1)
  for (let row = 0; row < n; row++) {
    const distance = new Array<number>(n).fill(Number.POSITIVE_INFINITY)
    const before = new Array<number>(n).fill(n)
    const done = new Array<boolean>(n + 1).fill(false)
    let column = n
    rowOf[n] = row
    while (rowOf[column] >= 0) {
      done[column] = true
      const from = rowOf[column]
      let [next, step] = [-1, Number.POSITIVE_INFINITY]
      for (let j = 0; j < n; j++) {
        if (done[j]) continue
        const reduced = at(from, j) - rowPotential[from] - columnPotential[j]
        if (reduced < distance[j]) {
          distance[j] = reduced
          before[j] = column
        }
        if (distance[j] < step) [next, step] = [j, distance[j]]
      }
      for (let j = 0; j <= n; j++) {
        if (done[j]) {
          rowPotential[rowOf[j]] += step
          columnPotential[j] -= step
        } else if (j < n) distance[j] -= step
      }
      column = next
    }
    for (; column !== n; column = before[column]) rowOf[column] = rowOf[before[column]]
  }
  const columns = new Array<number>(n)
  for (let j = 0; j < n; j++) columns[rowOf[j]] = j
  return columns
}
