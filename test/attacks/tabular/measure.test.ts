import { describe, expect, it } from 'vitest'
import { pooled } from '../../../src/attacks/tabular/pool'
import { placed } from '../../../src/attacks/tabular/schema'
import { encodeTable, measureTable, type TableSchema } from '../../../src/tabular'
import { records, SCHEMA } from './tables'

describe('measureTable', () => {
  const originals = records(4, 7)
  const sure = originals.map((row) => Object.fromEntries(Object.keys(row).map((name) => [name, 1])))

  it('pairs records in any order, and counts all as right', () => {
    const measured = measureTable(originals, { records: [...originals].reverse(), confidence: sure }, SCHEMA)
    expect(measured).toMatchObject({ cells: 1, rows: 1, certainHalf: 1 })
    expect(measured.records.map(({ slot }) => slot)).toEqual([3, 2, 1, 0])
  })

  it('takes a number within 0.319 standard deviations, and a word that is the same', () => {
    const [first, ...others] = originals
    const age = first.age as number
    const changed = (row: object) => measureTable(originals, { records: [{ ...first, ...row }, ...others] }, SCHEMA)
    // the standard deviation of age is 12: 3.828 years
    expect(changed({ age: age + 3 }).cells).toBe(1)
    expect(changed({ age: age + 4 })).toMatchObject({ cells: 23 / 24, rows: 3 / 4, certainHalf: undefined })
    expect(changed({ age: age + 4 }).records[0].right).toMatchObject({ age: false, town: true })
    expect(changed({ town: ['Ulm', 'Bern'].find((town) => town !== first.town)! }).cells).toBe(23 / 24)
    expect(
      measureTable(originals, { records: [{ ...first, age: age + 3 }, ...others] }, SCHEMA, { tolerance: 0.1 }).cells,
    ).toBe(23 / 24)
  })

  it('counts cells that are as sure as each other by what any choice of them gets', () => {
    const schema: TableSchema = { columns: [{ kind: 'categorical', name: 'a', categories: ['x', 'y'] }] }
    const half = (sure: readonly number[]) =>
      measureTable(
        ['x', 'y', 'y', 'y'].map((a) => ({ a })),
        { records: ['x', 'x', 'x', 'y'].map((a) => ({ a })), confidence: sure.map((a) => ({ a })) },
        schema,
      ).certainHalf
    expect(half([0.5, 0.5, 0.5, 0.5])).toBe(0.5)
    // one is surer, and right; the other place goes to one of three, of which one is right
    expect(half([0.9, 0.5, 0.5, 0.5])).toBeCloseTo((1 + 1 / 3) / 2, 12)
    expect(() => half([Number.NaN, 1, 1, 1])).toThrow('must be a finite number')
  })

  it('takes no level for the next one, however many there are', () => {
    const levels = Array.from({ length: 16 }, (_, i) => `l${i}`)
    const schema: TableSchema = { columns: [{ kind: 'ordinal', name: 'o', levels }] }
    expect(measureTable([{ o: 'l3' }], { records: [{ o: 'l4' }] }, schema)).toMatchObject({ cells: 0, rows: 0 })
    expect(measureTable([{ o: 'l3' }], { records: [{ o: 'l3' }] }, schema)).toMatchObject({ cells: 1, rows: 1 })
  })

  it('counts the surer half alone, and a guess without a gradient', () => {
    const [first, ...others] = originals
    const wrong = { ...first, town: ['Ulm', 'Bern'].find((town) => town !== first.town)! }
    const unsure = [{ ...sure[0], town: 0.1 }, ...sure.slice(1)]
    expect(measureTable(originals, { records: [wrong, ...others], confidence: unsure }, SCHEMA).certainHalf).toBe(1)
    // by hand: the guess has the first record's words, and no number in its tolerance but its own
    const reference = [first]
    const right = originals.flatMap((row) => [
      ...['smokes', 'colour', 'town', 'size'].map((name) => row[name] === first[name]),
      Math.abs((row.age as number) - (first.age as number)) <= 0.319 * 12,
      Math.abs((row.weight as number) - (first.weight as number)) <= 0.319 * 15,
    ])
    const { baseline } = measureTable(originals, { records: originals }, SCHEMA, { reference })
    expect(baseline).toBe(right.filter(Boolean).length / 24)
  })

  it.each([
    [[], { records: originals }, 'invalid-data', /originals are \[\]/],
    [originals, { records: originals.slice(1) }, 'invalid-data', /3 records were found for 4 originals/],
    [originals, { records: originals, confidence: sure.slice(1) }, 'invalid-option', /one entry for each record/],
    [originals, { records: [{}, ...originals.slice(1)] }, 'invalid-data', /record 0 of the found records has no 'age'/],
  ])('refuses what does not fit', (given, found, code, message) => {
    expect(() => measureTable(given, found as never, SCHEMA)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })
})

describe('pooling', () => {
  const columns = placed(SCHEMA)
  const trial = (seeds: readonly number[], relativeLoss: number, labels: readonly number[] = [0, 0, 0]) => ({
    ...{
      table: Float64Array.from(
        encodeTable(
          SCHEMA,
          seeds.map((seed) => records(1, seed)[0]),
        ),
      ),
      labels,
      targets: [],
      relativeLoss,
    },
  })

  it('aligns trials that have the rows in another order, and is sure where they agree', () => {
    const pool = pooled([trial([3, 1, 2], 2e-3), trial([1, 2, 3], 1e-3), trial([2, 3, 1], 3e-3)], columns, 3)
    expect([...pool.table]).toEqual([...trial([1, 2, 3], 0).table])
    expect(pool.confidence.every((v) => v > 0.999999)).toBe(true)
  })

  it('does not take a row for one of another class', () => {
    const pool = pooled([trial([1, 2], 1e-3, [0, 1]), trial([2, 1], 1e-3, [0, 1])], columns, 2)
    expect(Math.min(...pool.confidence)).toBeLessThan(0.6)
  })

  it('has means of probabilities and medians of numbers, with the stated confidence', () => {
    const [a, b, c] = [trial([5], 1e-3, [0]), trial([5], 2e-3, [0]), trial([5], 3e-3, [0])]
    const age = a.table[0]
    b.table[0] = age + 0.319
    c.table[0] = age - 0.319
    // colour: two trials say the first category, one the second
    for (const [i, { table }] of [a, b, c].entries()) table.set(i < 2 ? [1, 0, 0] : [0, 1, 0], 4)
    const pool = pooled([a, b, c], columns, 1)
    expect(pool.table[0]).toBe(age)
    expect([...pool.table.subarray(4, 7)]).toEqual([expect.closeTo(2 / 3, 12), expect.closeTo(1 / 3, 12), 0])
    // spread² is 2/3 · 0.319²
    expect(pool.confidence[0]).toBeCloseTo(1 / (1 + 2 / 3), 9)
    const entropy = -(2 / 3) * Math.log(2 / 3) - (1 / 3) * Math.log(1 / 3)
    expect(pool.confidence[4]).toBeCloseTo(1 - entropy / Math.log(3), 9)
  })

  it('leaves out trials that are far worse than the best', () => {
    const pool = pooled([trial([1], 1e-6, [0]), trial([2], 1e-2, [0])], columns, 1)
    expect([...pool.table]).toEqual([...trial([1], 0).table])
  })
})
