import { decodeTable } from '../attacks/tabular/encode'
import { measureTable } from '../attacks/tabular/measure'
import type { TableSchema } from '../attacks/tabular/schema'
import { mse } from '../measure/psnr'
import type { MeasuredCells } from './record'

/**
 * How many cells of each record are right, and how many the commonest value of each column gets right: a guess that needs no gradient.
 *
 * @param found as the model reads them: as many as originals or not, in any order
 * @param others the other records of the audit; what is common is counted over all
 */
export function cellsOf(
  found: readonly Float32Array[],
  originals: readonly Float32Array[],
  others: readonly Float32Array[],
  table: TableSchema,
  names: readonly string[],
): MeasuredCells[] {
  const records = (rows: readonly Float32Array[]) => rows.flatMap((row) => decodeTable(table, row))
  const reference = records([...originals, ...others])
  const secret = records(originals)
  const of = table.columns.length
  const guesses = secret.map((one) =>
    Math.round(of * measureTable([one], { records: [one] }, table, { reference }).baseline),
  )
  const finite = found.map((row, slot) => ({ row, slot })).filter(({ row }) => row.every(Number.isFinite))
  const is = (i: number, slot: number, right: number): MeasuredCells => ({
    ...{ sample: names[i], slot, right, of, guess: guesses[i] },
  })
  if (finite.length === 0) return originals.map((_, i) => is(i, 0, 0))
  // an attack may find some records of a batch, or more candidates than records: each original has the nearest
  const nearest = (original: Float32Array) =>
    finite.reduce((best, one) => (mse(one.row, original) < mse(best.row, original) ? one : best))
  const chosen = finite.length === originals.length ? finite : originals.map(nearest)
  const measured = measureTable(secret, { records: records(chosen.map(({ row }) => row)) }, table, { reference })
  return measured.records.map(({ slot, right }, i) =>
    is(i, chosen[slot].slot, Object.values(right).filter(Boolean).length),
  )
}
