import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { roundedPart } from '../numbers/rounded-part'
import { checkFolder, writeFiles } from '../report/files'
import {
  deepLeakageFromTable,
  type MeasuredTable,
  measureTable,
  readTable,
  type TableLeakage,
  type TableSchema,
  tableCsv,
  tableHtml,
  tableText,
} from '../tabular'
import { EXIT } from './command'
import { inFlags } from './in-flags'
import { mixedColumns } from './mixed-columns'
import { readModel } from './read-files'
import { onnxAdvice, useBackend } from './runtime'
import { sharedGradient } from './shared-gradient'
import { readSchema, TABLE_OPTIONS, type TableAttack } from './table-options'
import { paint, type Terminal, visible } from './terminal'
import { version } from './version'

const FILES = ['records.csv', 'records.html', 'schema.json', 'result.json'] as const

/** Largest text of a table or a schema: 64 MB. */
const MOST_BYTES = 2 ** 26

/** Milliseconds between two lines of progress. */
const LINE = 1000

/** Reads the records behind a gradient that somebody shared. @returns the exit code */
export async function attackTable(options: TableAttack, terminal: Terminal): Promise<number> {
  checkFolder(options.out, FILES)
  const schema = readSchema(options.schema, textOf)
  if ('csv' in options.schema)
    for (const line of mixedColumns(textOf(options.schema.csv), schema, options.schema.infer))
      terminal.stderr.write(`dlg: ${visible(`${options.schema.csv}: ${line}`)}\n`)
  const originals = options.original === undefined ? undefined : readOriginals(options.original, schema)
  await useBackend(options.backend)
  const model = await readModel(options.model, { ...options.files, shared: options.files })
  try {
    const shared = sharedGradient(model, options.files, (line) => terminal.stderr.write(`dlg: ${visible(line)}\n`))
    const { batchSize = 1, runtime } = options.options
    if (originals && originals.length !== batchSize)
      throw new DlgError(
        'invalid-file',
        `${options.original}: has ${countOf(originals.length, 'record')}; --batch-size is ${batchSize}`,
      )
    await onnxAdvice(runtime, terminal)
    let told = performance.now()
    const leak = await deepLeakageFromTable(model, shared, schema, {
      ...options.options,
      signal: terminal.signal,
      onProgress({ words }) {
        if (performance.now() - told < LINE) return
        told = performance.now()
        terminal.stderr.write(`${visible(words)}\n`)
      },
    })
    return finish(leak, originals && measureTable(originals, leak, schema), schema, options, terminal)
  } finally {
    model.dispose()
  }
}

/** @throws DlgError `invalid-file` */
function textOf(path: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new DlgError('invalid-file', `${path}: cannot be read: ${(cause as Error).message}`, { cause })
  }
  if (bytes.length <= MOST_BYTES) return bytes.toString('utf8')
  throw new DlgError('invalid-file', `${path}: has ${bytes.length} bytes; a table must have at most ${MOST_BYTES}`)
}

function readOriginals(path: string, schema: TableSchema) {
  const text = textOf(path)
  try {
    return readTable(text, schema)
  } catch (cause) {
    if (cause instanceof DlgError) throw new DlgError(cause.code, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}

/** Writes the files and the lines. */
function finish(
  leak: TableLeakage,
  measured: MeasuredTable | undefined,
  schema: TableSchema,
  options: TableAttack,
  terminal: Terminal,
): number {
  const open = leak.status === 'undetermined'
  const matched = leak.status === 'proven' || leak.status === 'matched' || open
  const unlike = matched && measured !== undefined && measured.rows < 1
  const { inputs, ...found } = leak
  const { out, json, options: given, ...others } = options
  const report = visible(
    `${JSON.stringify(
      {
        ...{ command: 'table', ...found, ...(measured && { measured }), options: { ...others, ...given } },
        versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
        files: FILES,
      },
      null,
      2,
    )}\n`,
  )
  writeFiles(out, {
    'records.csv': tableCsv(leak),
    'records.html': tableHtml(leak),
    'schema.json': `${JSON.stringify(schema, null, 2)}\n`,
    'result.json': report,
  })
  const plain = matched && !open ? leak.status : leak.status.toUpperCase()
  const said = unlike ? 'UNLIKE (other records with this gradient)' : plain
  const word = paint(terminal, 'stdout', matched && !unlike ? 'green' : 'red', said)
  const width = (terminal.stdout.isTTY && terminal.stdout.columns) || 100
  const lines = [
    `: ${inFlags(leak.reason, TABLE_OPTIONS)}, by ${leak.method} in ${(leak.milliseconds / 1000).toFixed(1)} s`,
    tableText(leak, width),
    ...(leak.labels.length > 0 ? [`${leak.labels.length > 1 ? 'labels' : 'label'} ${leak.labels.join(' ')}`] : []),
    ...(measured ? [measuredLine(measured)] : []),
    FILES.map((name) => `${out}/${name}`).join(' '),
  ]
  terminal.stdout.write(json ? report : `${word}${visible(lines.join('\n'))}\n`)
  if (leak.status === 'cut' && terminal.signal.aborted) return EXIT.interrupted
  return matched && !unlike ? EXIT.converged : EXIT.failed
}

/** Only all is 100 %, and only nothing is 0 %. */
const percent = (part: number): string => `${(100 * roundedPart(part, 3)).toFixed(1)} %`

const measuredLine = ({ cells, rows, certainHalf = cells, baseline }: MeasuredTable): string =>
  `right: ${percent(cells)} of the cells (${percent(certainHalf)} of the surer half, ${percent(baseline)} by guessing), ${percent(rows)} of the records`
