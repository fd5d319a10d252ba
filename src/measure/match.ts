import { munkres } from 'munkres'

/**
 * The linear assignment of least total cost: `match(cost)[row]` is the column of each row of a square matrix.
 *
 * The Hungarian method, O(n³). A cost that is no finite number, such as the error of a sample that diverged, counts more than
 * all others together, so that the others are paired as if it were not there.
 */
export function match(cost: readonly (readonly number[])[]): number[] {
  const finite = cost.flat().filter(Number.isFinite)
  const span = finite.reduce((most, c) => Math.max(most, Math.abs(c)), 0)
  const worst = Math.min(2 * cost.length * span + 1, Number.MAX_VALUE)
  const columns = new Array<number>(cost.length)
  for (const [row, column] of munkres(cost.map((row) => row.map((c) => (Number.isFinite(c) ? c : worst)))))
    columns[row] = column
  return columns
}
