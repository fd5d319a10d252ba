import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeTable, encodeTable, type TableSchema, tableSchema } from '../../../src/tabular'
import { records, SCHEMA } from './tables'

const column = (fields: object) => ({
  columns: [{ kind: 'categorical', name: 'c', categories: ['a', 'b'], ...fields }],
})

describe('a schema', () => {
  it('is read from JSON text and from an object alike, and is a copy', () => {
    const read = tableSchema(JSON.stringify(SCHEMA))
    expect(read).toEqual(SCHEMA)
    expect(tableSchema(SCHEMA)).not.toBe(SCHEMA)
  })

  it.each([
    ['{"columns": [', 'invalid-file', /no JSON/],
    [{}, 'invalid-data', /at least one column/],
    [{ columns: [] }, 'invalid-data', /at least one column/],
    [{ ...SCHEMA, rows: 3 }, 'invalid-data', /no 'rows' in a schema/],
    [column({ name: '' }), 'invalid-data', /column 0 .* the name ''/],
    [column({ kind: 'one-hot' }), 'invalid-data', /column 'c' is of the kind 'one-hot'; it must be 'numeric' or/],
    [column({ mean: 3 }), 'invalid-data', /column 'c' has 'mean'/],
    [column({ categories: ['a'] }), 'invalid-data', /at least two words/],
    [column({ categories: ['a', 'b', 'a'] }), 'invalid-data', /has 'a' twice/],
    [column({ categories: undefined }), 'invalid-data', /at least two words/],
    [{ columns: [SCHEMA.columns[0], SCHEMA.columns[0]] }, 'invalid-data', /two columns are called 'age'/],
    [{ columns: [{ kind: 'numeric', name: 'n', std: 0 }] }, 'invalid-data', /std of column 'n' is 0/],
    [{ columns: [{ kind: 'numeric', name: 'n', mean: Number.NaN }] }, 'invalid-data', /mean of column 'n' is NaN/],
    [{ columns: [{ kind: 'numeric', name: 'n', range: [3, 3] }] }, 'invalid-data', /the lower first/],
    [{ columns: [{ kind: 'numeric', name: 'n', integer: 'yes' }] }, 'invalid-data', /true or false/],
    [{ columns: [{ kind: 'binary', name: 'b', values: ['a', 'b', 'c'] }] }, 'invalid-data', /must have two/],
  ])('%j is refused', (given, code, message) => {
    expect(() => tableSchema(given as TableSchema)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })
})

describe('encoding', () => {
  it('standardises numbers and levels, and spreads categories', () => {
    const [record] = records(1, 1)
    const values = encodeTable(SCHEMA, [
      { ...record, age: 52, weight: 40, size: 'large', smokes: 'yes', colour: 'blue', town: 'Bern' },
    ])
    expect([...values].map((v) => Number(v.toFixed(6)))).toEqual([1, -2, 1.25, 1, 0, 0, 1, 0, 1, 0, 0])
  })

  it('is undone by decoding, for any records', () => {
    const record = fc.record({
      age: fc.integer({ min: 18, max: 90 }),
      weight: fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      size: fc.constantFrom('small', 'medium', 'large'),
      smokes: fc.constantFrom('no', 'yes'),
      colour: fc.constantFrom('red', 'green', 'blue'),
      town: fc.constantFrom('Ulm', 'Bern', 'Graz', 'Linz'),
    })
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (rows) => {
        const decoded = decodeTable(SCHEMA, encodeTable(SCHEMA, rows))
        for (const [i, { weight, ...others }] of decoded.entries()) {
          expect({ ...rows[i], ...others }).toEqual(rows[i])
          // float32 of (weight - 70) / 15
          expect(Math.abs((weight as number) - rows[i].weight)).toBeLessThan(1e-4)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('decodes numbers to the digits that float32 leaves them', () => {
    const numeric = (fields: object): TableSchema => ({ columns: [{ kind: 'numeric', name: 'n', ...fields }] })
    const one = (column: object, z: number) => decodeTable(numeric(column), Float32Array.of(z))[0].n
    expect(one({ mean: 40, std: 12 }, 0.1)).toBe(41.2)
    expect(one({}, 1e-9)).toBe(1e-9)
    expect(one({ mean: 20230576.5, std: 308, integer: true }, 324.5 / 308)).toBe(20230901)
    expect(one({ mean: 3 }, 0)).toBe(3)
    // no digit is lost: the same float32 comes back, or its neighbour
    for (let i = 1; i < 50; i++) {
      const z = Math.fround(3 * Math.sin(i))
      const value = one({ mean: 1000 * i, std: 7.3 ** (i / 9) }, z) as number
      expect(Math.abs((value - 1000 * i) / 7.3 ** (i / 9) - z)).toBeLessThanOrEqual(2 ** -24 * Math.abs(z) + 1e-9)
    }
  })

  it('decodes what is near a record', () => {
    const near = [2.03, 0.01, 7, 0.6, 0.2, 0.5, 0.3, -3, -1, -2, -1.5]
    expect(decodeTable(SCHEMA, near)).toEqual([
      { age: 64, weight: expect.closeTo(70.15, 6), size: 'large', smokes: 'yes', colour: 'green', town: 'Bern' },
    ])
  })

  it.each([
    [[], /at least one record/],
    [[{ ...records(1, 1)[0], town: 'Wien' }], /'town' of record 0 is 'Wien'; it must be one of 'Ulm', 'Bern'/],
    [
      [{ ...records(1, 1)[0], age: 1e300 }],
      /'age' of record 0 is 1e\+300, which is .* for the model; it must be at most 3\.4e38/,
    ],
    [[{ ...records(1, 1)[0], age: '30' }], /'age' of record 0 is '30'; it must be a finite number/],
    [[{ age: 30 }], /record 0 has no 'weight'/],
  ])('refuses %j', (rows, message) => {
    expect(() => encodeTable(SCHEMA, rows as never)).toThrow(
      expect.objectContaining({ code: 'invalid-data', message: expect.stringMatching(message) }),
    )
  })
})
