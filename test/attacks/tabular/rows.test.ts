import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import { recordRows } from '../../../src/attacks/tabular/rows'
import { placed } from '../../../src/attacks/tabular/schema'
import type { Span } from '../../../src/attacks/tabular/span'
import { random } from '../../../src/numbers/random'
import { decodeTable, encodeTable, type TableRecord, type TableSchema } from '../../../src/tabular'
import { records, SCHEMA } from './tables'

const WIDE: TableSchema = {
  columns: [
    ...SCHEMA.columns,
    ...['street', 'trade', 'hobby'].map((name) => ({
      ...{ kind: 'categorical' as const, name, categories: Array.from({ length: 12 }, (_, i) => `${name} ${i}`) },
    })),
  ],
}

function wide(count: number, seed: number): TableRecord[] {
  const from = random(seed, 0x77)
  return records(count, seed).map((record) => ({
    ...record,
    ...Object.fromEntries(
      ['street', 'trade', 'hobby'].map((name) => [name, `${name} ${Math.floor(from.uniform() * 12)}`]),
    ),
  }))
}

/** The span of records and a 1 beside each, behind a layer that is no ReLU, as an orthonormal basis from their Gram matrix. */
function spanned(schema: TableSchema, rows: readonly TableRecord[]): Omit<Span, 'layer' | 'traced'> {
  const values = encodeTable(schema, rows)
  const width = values.length / rows.length
  const extended = rows.map((_, i) => [...values.subarray(i * width, (i + 1) * width), 1])
  const x = new Matrix(extended)
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(x.mmul(x.transpose()), {
    assumeSymmetric: true,
  })
  const basis = Matrix.diag(realEigenvalues.map((v) => 1 / Math.sqrt(v)))
    .mmul(eigenvectorMatrix.transpose())
    .mmul(x)
  const column = (j: number): Float64Array => Float64Array.from(basis.getColumn(j))
  return {
    ...{ rank: rows.length, one: column(width), noise: 1e-7 },
    inputs: Array.from({ length: width }, (_, j) => column(j)),
    ...{ hasRelu: false, gradient: nothing, weights: nothing, units: new Float64Array(0), rest: 1e-7 },
  }
}

const nothing = { weight: new Float64Array(0), bias: new Float64Array(0) }

const never = async (): Promise<boolean> => false

describe('records in the span of a batch', () => {
  it.each([1, 2, 5, 8, 12, 16])(
    '%i rows are all found, and what else is found is a combination of them',
    async (count) => {
      const rows = wide(count, count)
      const { rows: found, whole } = await recordRows(spanned(WIDE, rows), placed(WIDE), never)
      expect(whole).toBe(true)
      const decoded = found.map((row) => decodeTable(WIDE, [...row])[0])
      for (const { weight, ...row } of rows) {
        const same = decoded.filter(
          ({ weight: other, ...record }) =>
            JSON.stringify(record) === JSON.stringify(row) && Math.abs((other as number) - (weight as number)) < 1e-2,
        )
        expect(same).toHaveLength(1)
      }
    },
  )

  it('a batch that its categories do not fix is not called whole', async () => {
    // two towns and two colours: four equations for six rows
    const rows = records(6, 3).map((row, i) => ({
      ...row,
      town: i < 3 ? 'Ulm' : 'Bern',
      colour: i % 2 ? 'red' : 'blue',
      smokes: 'no',
    }))
    const noInteger = {
      columns: SCHEMA.columns.map((column) =>
        column.kind === 'numeric' ? { kind: 'numeric' as const, name: column.name } : column,
      ),
    }
    const { rows: found, whole } = await recordRows(spanned(noInteger, rows), placed(noInteger), never)
    expect(whole).toBe(false)
    expect(found).toEqual([])
  })

  it('ends when it is told to', async () => {
    const { whole } = await recordRows(spanned(WIDE, wide(12, 1)), placed(WIDE), async () => true)
    expect(whole).toBe(false)
  })
})
