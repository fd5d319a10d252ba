import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { type AcceptedFinding, type AuditOptions, FAIL_ON, type FailOn, type Thresholds } from '../../audit'
import { AUDIT_OPTIONS } from '../../audit/options'
import {
  type Preprocessing,
  type PreprocessingOptions,
  preprocessingOption,
  requireChannels,
} from '../../client/preprocessing'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { choice, knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { readImage, toSquare } from '../../io'
import { isRecord } from '../../io/bytes/untrusted'
import { readBytes } from '../../io/files/read-bytes'
import { parseJson } from '../../io/tensors/json-tensors'
import { encodeTable, readTable, tableSchema } from '../../tabular'
import type { GradientFiles } from '../gradient-files'
import { seenOf } from '../originals'
import { type FileModel, inputsOf, readModel, tensorsOf } from '../read-files'
import { sharedGradient } from '../shared-gradient'
import { visible } from '../terminal'
import { defenceOf } from './defences'

/** What an audit file says. */
export interface AuditConfig {
  readonly options: AuditOptions
  readonly thresholds: Partial<Thresholds>
  readonly failOn: FailOn
  readonly accept: readonly AcceptedFinding[]
  dispose(): void
}

const JUDGING = ['thresholds', 'failOn', 'accept']

const wrong = (path: string, what: string): DlgError => new DlgError('invalid-file', `${path}: ${what}`)

/**
 * Reads an audit file: JSON, or a module whose default export is the options of `audit` beside `thresholds`, `failOn` and `accept`.
 * Paths in JSON are relative to the file.
 *
 * @throws DlgError `invalid-file`, `invalid-option`
 */
export async function readAuditFile(path: string): Promise<AuditConfig> {
  if (!existsSync(path)) throw wrong(path, 'there is no such file')
  if (extname(path) !== '.json') return fromModule(path)
  const json = parseJson(readBytes(path), path)
  if (!isRecord(json)) throw wrong(path, 'is no JSON object')
  knownNames(path, json, ['$schema', ...AUDIT_OPTIONS, ...JUDGING])
  if (typeof json.model !== 'string')
    throw wrong(path, `model is ${show(json.model)}; it must be the path of a model.json or an .onnx file`)
  const folder = dirname(resolve(path))
  const at = (name: string) => resolve(folder, name)
  const judging = judgingOf(path, json)
  // the names in a gradient tell which numbers of an ONNX file are weights
  const [first] = isRecord(json.updates) ? Object.entries(json.updates) : []
  const model = await readModel(at(json.model), first && { shared: filesOf(path, ...first, at) })
  try {
    const { defences, data, updates } = json
    if (defences !== undefined && !Array.isArray(defences))
      throw wrong(path, `defences is ${show(defences)}; it must be a list`)
    const { $schema: _, model: __, data: ___, updates: ____, defences: _____, ...plain } = json
    for (const name of JUDGING) delete plain[name]
    const read = data === undefined ? {} : { data: dataOf(path, data, model, preprocessingOf(json), at) }
    const shared = updates === undefined ? {} : { updates: updatesOf(path, updates, model, at) }
    const options = {
      ...plain,
      ...read,
      ...shared,
      model,
      ...(defences && { defences: defences.map((one) => (one === 'none' ? one : defenceOf(one))) }),
    } as AuditOptions
    return {
      ...judging,
      options,
      dispose() {
        model.dispose()
        tf.dispose(read.data?.x)
      },
    }
  } catch (error) {
    model.dispose()
    throw error
  }
}

/** What an audit file says of judging, without its model and data. @throws DlgError `invalid-file`, `invalid-option` */
export async function readJudging(path: string): Promise<Pick<AuditConfig, 'thresholds' | 'failOn' | 'accept'>> {
  if (extname(path) !== '.json') return fromModule(path)
  const json = parseJson(readBytes(path), path)
  if (!isRecord(json)) throw wrong(path, 'is no JSON object')
  return judgingOf(path, json)
}

async function fromModule(path: string): Promise<AuditConfig> {
  let module: { default?: unknown }
  try {
    module = await import(pathToFileURL(resolve(path)).href)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
      throw wrong(path, 'this Node reads no TypeScript; use Node 22.18 or later, or write JavaScript (.mjs)')
    throw new DlgError('invalid-file', `${path}: cannot be loaded: ${message}`, { cause })
  }
  const given = typeof module.default === 'function' ? await module.default() : module.default
  if (!isRecord(given)) throw wrong(path, 'its default export is no object; it must be the options of an audit')
  knownNames(path, given, [...AUDIT_OPTIONS, ...JUDGING])
  const options = Object.fromEntries(
    Object.entries(given).filter(([name]) => AUDIT_OPTIONS.includes(name as keyof AuditOptions)),
  )
  // what a module made is the module's
  return { ...judgingOf(path, given), options: options as unknown as AuditOptions, dispose() {} }
}

function judgingOf(
  path: string,
  given: Readonly<Record<string, unknown>>,
): Pick<AuditConfig, 'thresholds' | 'failOn' | 'accept'> {
  const { thresholds = {}, failOn = 'leaked', accept = [] } = given
  if (!isRecord(thresholds)) throw wrong(path, `thresholds is ${show(thresholds)}; it must be an object`)
  choice('failOn', failOn, FAIL_ON)
  if (!Array.isArray(accept)) throw wrong(path, `accept is ${show(accept)}; it must be a list`)
  return {
    thresholds: thresholds as Partial<Thresholds>,
    failOn: failOn as FailOn,
    accept: accept.map((one, i) => accepted(path, one, `accept entry ${i + 1}`)),
  }
}

function accepted(path: string, given: unknown, entry: string): AcceptedFinding {
  const right = 'it must be an object with defence, attack, reason and until, such as 2027-01-31'
  if (!isRecord(given)) throw wrong(path, `${entry} is ${show(given)}; ${right}`)
  knownNames(entry, given, ['defence', 'attack', 'reason', 'until'])
  const { defence = '*', attack = '*', reason, until } = given
  for (const [name, words] of Object.entries({ defence, attack, reason })) {
    if (words === undefined) throw wrong(path, `${entry} has no ${name}; ${right}`)
    if (typeof words !== 'string' || words.trim() === '')
      throw wrong(path, `${entry} has ${name} ${show(words)}; it must be words`)
  }
  if (until === undefined) throw wrong(path, `${entry} has no until; ${right}`)
  if (typeof until !== 'string' || !isDay(until))
    throw wrong(path, `${entry} ends ${show(until)}; until must be a day such as 2027-01-31`)
  return { defence, attack, reason, until } as AcceptedFinding
}

/** Whether a text is a day of the calendar, such as 2027-01-31. */
const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true

const PICTURE = /\.(png|jpe?g)$/i

/** Samples out of pictures (a folder, or a list of files), or tensors of a file; labels beside them. */
function dataOf(
  path: string,
  given: unknown,
  model: FileModel,
  preprocessing: Preprocessing,
  at: (name: string) => string,
): AuditOptions['data'] & object {
  if (!isRecord(given)) throw wrong(path, `data is ${show(given)}; it must be an object with x and labels`)
  knownNames('data', given, ['x', 'labels', 'names', 'table'])
  const { x, labels } = given
  const [input, ...others] = inputsOf(model)
  if (others.length > 0)
    throw wrong(path, `the model has ${others.length + 1} inputs; an audit file is of models with one`)
  const shape = input.shape.slice(1).map((n) => n ?? 1)
  if (given.table !== undefined) return tableOf(path, given, at)
  const pictures = picturesOf(path, x, at)
  if (pictures) {
    if (!isLabels(labels))
      throw wrong(path, `data.labels is ${show(labels)}; it must be a list with a class for each picture`)
    requireChannels(preprocessing, shape, input.name)
    const images = pictures.map((file) => pixelsOf(file, shape, preprocessing))
    return {
      x: tf.tensor(Float32Array.from(images.flatMap((image) => Array.from(image))), [images.length, ...shape]),
      labels,
      names: (given.names as string[] | undefined) ?? pictures.map((file) => file.slice(at('.').length + 1)),
    }
  }
  if (typeof x !== 'string')
    throw wrong(path, `data.x is ${show(x)}; it must be a file of tensors, a folder of pictures, or a list of pictures`)
  const tensors = tensorsOf(at(x))
  const named =
    tensors.get(input.name) ?? tensors.get('x') ?? (tensors.size === 1 ? [...tensors.values()][0] : undefined)
  if (!named) throw wrong(x, `has no tensor '${input.name}' or 'x'`)
  const inFile = tensors.get('labels') ?? tensors.get('y')
  const classes = isLabels(labels) ? labels : inFile && Array.from(inFile.data)
  if (!classes) throw wrong(path, `data has no labels; give a list of classes, or a tensor 'labels' in ${x}`)
  return {
    x: tf.tensor(Float32Array.from(named.data), [...named.shape]),
    labels: classes,
    ...(given.names !== undefined && { names: given.names as string[] }),
  }
}

/** Records out of a CSV file, encoded by a schema. */
function tableOf(
  path: string,
  { x, labels, names, table }: Readonly<Record<string, unknown>>,
  at: (name: string) => string,
): AuditOptions['data'] & object {
  if (typeof table !== 'string' || typeof x !== 'string')
    throw wrong(
      path,
      `data has x ${show(x)} and table ${show(table)}; they must be a CSV file and the JSON file of its schema`,
    )
  if (!isLabels(labels))
    throw wrong(path, `data.labels is ${show(labels)}; it must be a list with a class for each record`)
  const text = (name: string) => new TextDecoder().decode(readBytes(at(name)))
  const schema = tableSchema(text(table))
  const records = readTable(text(x), schema)
  const values = encodeTable(schema, records)
  return {
    x: tf.tensor(values, [records.length, values.length / records.length]),
    ...{ labels, table: schema },
    ...(names !== undefined && { names: names as string[] }),
  }
}

const isLabels = (labels: unknown): labels is number[] =>
  Array.isArray(labels) && labels.every((label) => Number.isInteger(label))

/** The pictures that `x` names; undefined where it names a file of tensors. */
function picturesOf(path: string, x: unknown, at: (name: string) => string): string[] | undefined {
  if (Array.isArray(x)) {
    if (x.every((file) => typeof file === 'string' && PICTURE.test(file))) return x.map(at)
    throw wrong(path, `data.x is ${show(x)}; a list must be of pictures, PNG or JPEG`)
  }
  if (typeof x !== 'string' || !existsSync(at(x)) || !statSync(at(x)).isDirectory()) return undefined
  const files = readdirSync(at(x))
    .filter((file) => PICTURE.test(file))
    .sort()
  if (files.length === 0) throw wrong(path, `${x} has no pictures, PNG or JPEG`)
  return files.map((file) => join(at(x), file))
}

/** How pictures become numbers: by `training.preprocessing`, or over `dataRange`. */
function preprocessingOf({ training, dataRange }: Readonly<Record<string, unknown>>): Preprocessing {
  const given = isRecord(training) ? training.preprocessing : undefined
  if (given !== undefined) return preprocessingOption(given as PreprocessingOptions)
  // what is no range is told with the other options
  const [low, high] = Array.isArray(dataRange) ? dataRange : [0, 1]
  return { mean: [0], std: [1], range: [low, high] }
}

/** A picture as the model sees it: its centre square, shrunk to the input's size, in the numbers that the client trains on. */
function pixelsOf(file: string, shape: readonly number[], preprocessing: Preprocessing): Float32Array {
  const [height, width, channels] = shape
  if (shape.length !== 3 || height !== width || (channels !== 3 && channels !== 1))
    throw wrong(file, `is a picture, but a sample of the model is [${shape.join(', ')}]; give tensors`)
  return seenOf(toSquare(readImage(file), height).data, channels, preprocessing)
}

const UPDATE_FIELDS = ['gradients', 'before', 'after', 'layout', 'map', 'partial', 'byOrder', 'ignore'] as const

/** What clients shared, out of files, as `dlg attack` reads them. */
function updatesOf(
  path: string,
  given: unknown,
  model: FileModel,
  at: (name: string) => string,
): Record<string, SharedGradients | SharedUpdate> {
  if (!isRecord(given)) throw wrong(path, `updates is ${show(given)}; it must be an object of files by name`)
  return Object.fromEntries(
    Object.entries(given).map(([name, update]) => [
      name,
      sharedGradient(model, filesOf(path, name, update, at), (line) => process.stderr.write(`dlg: ${visible(line)}\n`)),
    ]),
  )
}

function filesOf(path: string, name: string, given: unknown, at: (name: string) => string): GradientFiles {
  const fields = typeof given === 'string' ? { gradients: given } : given
  if (!isRecord(fields))
    throw wrong(
      path,
      `update '${name}' is ${show(given)}; it must be a file of gradients, or an object with before and after`,
    )
  knownNames(`update '${name}'`, fields, UPDATE_FIELDS)
  const { gradients, before, after, layout = 'tfjs', map, partial = false, byOrder = false, ignore = [] } = fields
  const texts = [gradients, before, after, map].filter((text) => text !== undefined)
  const source =
    gradients !== undefined
      ? { gradients: at(String(gradients)) }
      : { before: at(String(before)), after: at(String(after)) }
  if (
    !texts.every((text) => typeof text === 'string') ||
    (gradients === undefined) === (before === undefined || after === undefined)
  )
    throw wrong(path, `update '${name}' must have gradients, or before and after, each the path of a file`)
  return {
    ...{
      source,
      scale: 1,
      update: undefined,
      imported: undefined,
      weights: undefined,
      layout: choice('layout', layout, ['tfjs', 'pytorch']),
    },
    ...{ map: map === undefined ? undefined : at(map as string), ordered: byOrder === true, partial: partial === true },
    ignore: ignore as string[],
  }
}
