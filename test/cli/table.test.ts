import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../../src/io'
import { encodeTable, readTable, type TableRecord, tableSchema } from '../../src/tabular'
import { mlp, records, SCHEMA } from '../attacks/tabular/tables'
import { gradientFile, writeModel } from './model-files'
import { dlg, readJson, scratch } from './terminal'

const folder = scratch()

const csvOf = (rows: readonly TableRecord[]): string =>
  [Object.keys(rows[0]), ...rows.map((row) => Object.values(row))].map((line) => line.join(',')).join('\n')

describe('dlg table', () => {
  const rows = records(3, 60)
  let model: LayersModel

  beforeEach(async () => {
    await tf.setBackend('cpu')
    model = mlp(11, 'relu', [60, 20], 3)
    await writeModel(model, folder.at('model.json'))
    const x = tf.tensor2d(encodeTable(SCHEMA, rows), [3, 11])
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(await gradientFile(model, x, [0, 1, 1])))
    x.dispose()
    writeFileSync(folder.at('schema.json'), JSON.stringify(SCHEMA))
    writeFileSync(folder.at('rows.csv'), csvOf(rows))
  })
  afterEach(() => model.dispose())

  const files = () => ['--model', folder.at('model.json'), '--gradients', folder.at('g.safetensors')]
  const table = (...argv: string[]) =>
    dlg(['table', ...files(), '--batch-size', '3', '--out', folder.at('out'), '--runtime', 'reference', ...argv])

  it('gives records with a proof, and measures them against the true ones', async () => {
    const { code, stdout } = await table('--schema', folder.at('schema.json'), '--original', folder.at('rows.csv'))
    expect(stdout).toMatch(/^proven: these records stand in the gradient of the first layer/)
    expect(stdout).toMatch(/^town +\w+ +\w+ +\w+$/m)
    expect(stdout).toMatch(/^labels [01] [01] [01]$/m)
    expect(stdout).toMatch(/^right: 100\.0 % of the cells .* 100\.0 % of the records$/m)
    expect(code).toBe(0)
    const found = readTable(readFileSync(folder.at('out/records.csv'), 'utf8'), SCHEMA)
    expect(found.map(({ age, town }) => `${age} ${town}`).sort()).toEqual(
      rows.map(({ age, town }) => `${age} ${town}`).sort(),
    )
    expect(tableSchema(readFileSync(folder.at('out/schema.json'), 'utf8'))).toEqual(SCHEMA)
    expect(readFileSync(folder.at('out/records.html'), 'utf8')).toMatch(/^<table>/)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      ...{ command: 'table', status: 'proven', method: 'span', measured: { cells: 1 }, labels: expect.any(Array) },
      files: ['records.csv', 'records.html', 'schema.json', 'result.json'],
    })
  })

  it('infers the schema from a table', async () => {
    // the client's own encoder is not that of this table, so that nothing matches
    writeFileSync(folder.at('train.csv'), csvOf(records(200, 1)))
    const { code, stdout, stderr } = await table(
      ...['--csv', folder.at('train.csv'), '--encoders', 'size=ordinal,smokes=binary', '--restarts', '1'],
      ...['--iterations', '5', '--json', '--search-only'],
    )
    expect([code, stderr]).toEqual([1, ''])
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', method: 'search', options: { iterations: 5 } })
    // records.csv and result.json say the same of each cell
    const { confidence } = JSON.parse(stdout)
    const [, ...lines] = readFileSync(folder.at('out/records.csv'), 'utf8').trim().split('\n')
    const written = lines.map((line) => line.split(',').slice(-Object.keys(confidence[0]).length).map(Number))
    expect(written).toEqual(
      confidence.map((cells: object) => Object.values(cells).map((sure) => Number(sure.toFixed(3)))),
    )
    const { columns } = tableSchema(readFileSync(folder.at('out/schema.json'), 'utf8'))
    expect(columns.map(({ kind }) => kind)).toEqual(SCHEMA.columns.map(({ kind }) => kind))
  })

  it('says which columns of numbers are read as words, and names one label as one', async () => {
    const age = (record: object, i: number) => ({ ...record, age: ['31,5', '', 44][i] ?? 3 })
    const quoted = (rows: readonly TableRecord[]) => csvOf(rows.map(age)).replace('31,5', '"31,5"')
    writeFileSync(folder.at('train.csv'), quoted(records(8, 1)))
    const { stderr } = await table('--csv', folder.at('train.csv'))
    expect(stderr).toMatch(
      /train\.csv: 'age' is read as one-hot over its words, because record 0 has '31,5', which is no number/,
    )
    const named = await table('--csv', folder.at('train.csv'), '--encoders', 'age=one-hot')
    expect(named.stderr).not.toContain('one-hot over')
  })

  it('points from an attack by name to this command', async () => {
    const { code, stderr } = await dlg(['attack', ...files(), '--attack', 'tableak'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('use dlg table, with --schema or --csv')])
  })

  it.each([
    [[], /no schema given; give --schema with a JSON file, or --csv/],
    [['--schema', 'SCHEMA', '--csv', 'ROWS'], /--schema and --csv given/],
    [['--schema', 'SCHEMA', '--exclude', 'age'], /--exclude belongs to --csv/],
    [['--schema', 'ROWS'], /rows\.csv: the schema is no JSON/],
    [['--schema', 'none.json'], /none\.json: cannot be read/],
    [['--csv', 'ROWS', '--encoders', 'age'], /--encoders is 'age'; it must be pairs/],
    [['--csv', 'ROWS', '--encoders', 'age=log'], /rows\.csv: encoders\.age is 'log'; it must be/],
    [['--csv', 'ROWS', '--exclude', 'income'], /rows\.csv: the table has no column 'income'/],
    [['--csv', 'ROWS', '--exclude', 'age,colour,smokes'], /the schema has \d+ inputs; the model reads \[11\]/],
    [['--schema', 'SCHEMA', '--original', 'SCHEMA'], /schema\.json: /],
    [['--schema', 'SCHEMA', '--restarts', '0'], /--restarts is '0'/],
    [['--schema', 'SCHEMA', 'rows.csv'], /'rows\.csv' is not an option/],
  ])('%j is refused in one line', async (argv, message) => {
    const paths: Record<string, string> = { SCHEMA: folder.at('schema.json'), ROWS: folder.at('rows.csv') }
    const { code, stdout, stderr } = await table(...argv.map((word) => paths[word] ?? word))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd()).not.toContain('\n')
  })

  it('marks every cell of records that do not re-create what was shared', async () => {
    const { code, stdout } = await table('--schema', folder.at('schema.json'), '--search-only', '--budget', '6')
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^CUT: /)])
    const cells = stdout.split('\n').filter((line) => /^(age|weight|size|smokes|colour|town) /.test(line))
    expect(cells).toHaveLength(6)
    for (const line of cells) expect(line).toMatch(/^\w+( +[\w.-]+\?\??){3}$/)
  })
})
