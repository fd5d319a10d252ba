import { describe, expect, it } from 'vitest'
import { inferTableSchema, readTable, type TableColumn, tableCsv, tableHtml, tableText } from '../../../src/tabular'
import { records, SCHEMA } from './tables'

const CSV = 'age, sex, city, grade, income\n30, f,"Ulm, old", B, 0\n50, m, Bern, A, 1\n\n40, f, Bern, C, 1\n'

const options = {
  exclude: ['income'],
  encoders: { sex: 'binary', grade: 'ordinal' },
  categories: { grade: ['C', 'B', 'A'] },
} as const

describe('a schema out of a table', () => {
  it('has means, population standard deviations, ranges and categories of it', () => {
    expect(inferTableSchema(CSV, options)).toEqual({
      columns: [
        // mean and √(200/3) by hand
        { kind: 'numeric', name: 'age', mean: 40, std: expect.closeTo(8.16497, 5), range: [30, 50], integer: true },
        { kind: 'binary', name: 'sex', values: ['f', 'm'] },
        { kind: 'categorical', name: 'city', categories: ['Bern', 'Ulm, old'] },
        { kind: 'ordinal', name: 'grade', levels: ['C', 'B', 'A'] },
      ],
    })
  })

  it('has the columns and the encoders that are named', () => {
    const { columns } = inferTableSchema(CSV, {
      columns: ['income', 'age'],
      encoders: { age: 'min-max', income: 'one-hot' },
    })
    expect(columns).toEqual([
      { kind: 'categorical', name: 'income', categories: ['0', '1'] },
      { kind: 'numeric', name: 'age', mean: 30, std: 20, range: [30, 50], integer: true },
    ])
    expect(inferTableSchema(CSV, { columns: ['age'], encoders: { age: 'raw' } }).columns).toEqual([
      { kind: 'numeric', name: 'age', range: [30, 50], integer: true },
    ])
  })

  it('has categories, levels and values that are numbers in the order of their value, as encoders sort them', () => {
    const kinds = { g: 'one-hot', o: 'ordinal', b: 'binary', n: 'ordinal', t: 'one-hot' } as const
    const { columns } = inferTableSchema('g,o,b,n,t\n1,10,10,-1,1\n12,2,2,-2,x\n2,3,2,0,10\n', {
      encoders: kinds,
    })
    expect(columns).toEqual([
      { kind: 'categorical', name: 'g', categories: ['1', '2', '12'] },
      { kind: 'ordinal', name: 'o', levels: ['2', '3', '10'] },
      { kind: 'binary', name: 'b', values: ['2', '10'] },
      { kind: 'ordinal', name: 'n', levels: ['-2', '-1', '0'] },
      // a column with one cell that is no number is one of words
      { kind: 'categorical', name: 't', categories: ['1', '10', 'x'] },
    ])
    // what is missing stands behind the numbers
    const missing = inferTableSchema('g,o\n2,10\n10,NaN\n,3\n1,2\n', { encoders: { g: 'one-hot', o: 'ordinal' } })
    expect(missing.columns).toEqual([
      { kind: 'categorical', name: 'g', categories: ['1', '2', '10', ''] },
      { kind: 'ordinal', name: 'o', levels: ['2', '3', '10', 'NaN'] },
    ])
  })

  it.each([';', '\t', '|'])('is told the separator %j by the text', (separator) => {
    const text = `${['a', 'b'].join(separator)}\n${['1.5', 'x'].join(separator)}\n${['2', 'y'].join(separator)}`
    expect(inferTableSchema(text).columns.map(({ kind }) => kind)).toEqual(['numeric', 'categorical'])
    // a name that every object has
    expect(inferTableSchema('constructor\n1\n2').columns).toMatchObject([{ kind: 'numeric', name: 'constructor' }])
  })

  it.each([
    ['', {}, 'invalid-file', /no records/],
    ['a,b\n', {}, 'invalid-file', /no records/],
    ['a,a\n1,2', {}, 'invalid-file', /two columns of the table are called 'a'/],
    ['a,b\n1,2\n3', {}, 'invalid-file', /record 1 of the table has 1 cell; the header has 2/],
    ['a,b\n1,"2', {}, 'invalid-file', /line 2 of the table: Quoted field unterminated/],
    ['a,b\n1,2\n1,3', {}, 'invalid-file', /'a' is 1 in every record/],
    ['a,b\nx,2\nx,3', {}, 'invalid-file', /'a' is 'x' in every record/],
    ['a\n1\nx', { encoders: { a: 'standard' } }, 'invalid-file', /'a' of record 1 is 'x'; for 'standard'/],
    ['a\nx\ny\nz', { encoders: { a: 'binary' } }, 'invalid-file', /3 different words/],
    ['a\n1\n1.0', { encoders: { a: 'one-hot' } }, 'invalid-file', /'a' has '1' and '1.0', which are one number/],
    ['a\nx\ny', { encoders: { a: 'label' } }, 'invalid-option', /encoders.a is 'label'; it must be 'standard' or/],
    ['a\nx\ny', { encoders: { b: 'one-hot' } }, 'invalid-option', /no column 'b'; it has a/],
    ['a\nx\ny', { categories: { a: ['x'] } }, 'invalid-option', /categories.a has no 'y'/],
    ['a\nx\ny', { colums: ['a'] }, 'invalid-option', /no 'colums' in options/],
    ['a\nx\ny', { columns: 'a' }, 'invalid-option', /columns is 'a'; it must be a list/],
  ])('%j is refused', (text, given, code, message) => {
    expect(() => inferTableSchema(text, given as object)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })
})

describe('records of a table', () => {
  it('are read by the schema, in any order of columns', () => {
    expect(readTable(CSV, inferTableSchema(CSV, options))).toEqual([
      { age: 30, sex: 'f', city: 'Ulm, old', grade: 'B' },
      { age: 50, sex: 'm', city: 'Bern', grade: 'A' },
      { age: 40, sex: 'f', city: 'Bern', grade: 'C' },
    ])
  })

  it('have rows of empty cells, which a schema may have, and none for empty lines', () => {
    const words = (name: string): TableColumn => ({ kind: 'categorical', name, categories: ['', 'x'] })
    const schema = { columns: [words('c'), words('d')] }
    expect(readTable('\nc,d\nx,x\n,\n\nx,\n\n', schema)).toEqual([
      { c: 'x', d: 'x' },
      { c: '', d: '' },
      { c: 'x', d: '' },
    ])
    // a spreadsheet has lines of separators at its end
    expect(readTable('c;d\n;\nx;x\n;\n;\n  \n', schema)).toHaveLength(2)
    expect(() => readTable('c\nx\n\nx\n', { columns: [words('c')] })).toThrow(
      'line 3 of the table is empty, and the table has a single column',
    )
  })

  it.each([
    ['age,sex\n30,f', /no column 'city'/],
    ['age,sex,city,grade\nold,f,Bern,A', /'age' of record 0 is 'old'; it must be a number/],
    ['age,sex,city,grade\n30,f,Graz,A', /'city' of record 0 is 'Graz', which the schema does not have/],
  ])('%j is refused', (text, message) => {
    expect(() => readTable(text, inferTableSchema(CSV, options))).toThrow(
      expect.objectContaining({ code: 'invalid-file', message: expect.stringMatching(message) }),
    )
  })
})

describe('reports', () => {
  const rows = records(3, 4)
  const sure = rows.map((record, i) =>
    Object.fromEntries(Object.keys(record).map((name, c) => [name, i === 1 && c < 2 ? 0.7 - 0.3 * c : 1])),
  )

  it('as CSV give the records back, with a confidence for each cell', () => {
    const text = tableCsv({ records: rows, confidence: sure })
    const read = readTable(text, SCHEMA)
    for (const [i, { weight, ...others }] of read.entries()) {
      expect({ ...rows[i], ...others }).toEqual(rows[i])
      expect(weight).toBeCloseTo(rows[i].weight as number, 4)
    }
    expect(text.split('\n')[0]).toBe(
      'age,weight,size,smokes,colour,town,confidence of age,confidence of weight,confidence of size,confidence of smokes,confidence of colour,confidence of town',
    )
    expect(text.split('\n')[2]).toMatch(/,0\.7,0\.4,1,1,1,1$/)
  })

  it('write every digit that a number has', () => {
    const records = [{ day: 20230901, id: 37000112, part: 0.123456789 }]
    const table = { records, confidence: [{ day: 1, id: 1, part: 1 }] }
    for (const text of [tableCsv(table), tableText(table), tableHtml(table)])
      for (const value of Object.values(records[0])) expect(text).toContain(String(value))
  })

  it('call no cell certain or impossible that is not', () => {
    const table = { records: [{ a: 'x', b: 'y', c: 'z' }], confidence: [{ a: 0.9996, b: 0.0004, c: 1 }] }
    expect(tableCsv(table)).toContain('x,y,z,0.999,0.001,1\n')
    expect(tableHtml(table).match(/confidence [\d.]+/g)).toEqual([
      'confidence 0.99',
      'confidence 0.01',
      'confidence 1.00',
    ])
  })

  it('as CSV start no formula in a spreadsheet', () => {
    const text = tableCsv({ records: [{ a: '=1+1', b: 'x,"y"' }], confidence: [{ a: 1, b: 1 }] })
    expect(text).toContain(`"'=1+1","x,""y""",1,1`)
  })

  it('as text mark what is unsure, and break where the width ends', () => {
    const lines = tableText({ records: rows, confidence: sure }, 40).split('\n')
    expect(lines.every((line) => line.length <= 40)).toBe(true)
    const text = tableText({ records: rows, confidence: sure })
    expect(text).toMatch(new RegExp(`^age .*  ${rows[1].age}\\?( |$)`, 'm'))
    expect(text).toMatch(/^weight .*\d\?\?( |$)/m)
    expect(text.match(/\?/g)).toHaveLength(3)
  })

  it('mark every cell of records that do not re-create what was shared, whose confidence stays as it is', () => {
    for (const status of ['failed', 'cut'] as const) {
      const table = { records: rows, confidence: sure, status }
      expect(tableText(table).match(/\?+/g)).toHaveLength(3 * Object.keys(rows[0]).length)
      expect(tableHtml(table)).toContain('do not re-create what was shared')
      expect(tableCsv(table)).toBe(tableCsv({ records: rows, confidence: sure }))
    }
    const found = { records: rows, confidence: sure }
    expect(tableText({ ...found, status: 'matched' })).toBe(tableText(found))
    expect(tableHtml({ ...found, status: 'matched' })).toBe(tableHtml(found))
    expect(() => tableText({ ...found, status: 'sure' as never })).toThrow("the status is 'sure'; it must be one of")
  })

  it('as HTML escape what the table holds', () => {
    const html = tableHtml({ records: [{ '<a>': '"&\'' }], confidence: [{ '<a>': 0.25 }] })
    expect(html).toContain('<th>&#60;a&#62;</th>')
    expect(html).toContain('title="confidence 0.25">&#34;&#38;&#39;</td>')
  })
})
