import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { AuditOptions } from '../../audit'
import {
  type Preprocessing,
  type PreprocessingOptions,
  preprocessingOption,
  requireChannels,
} from '../../client/preprocessing'
import { knownNames, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { readImage, toSquare } from '../../io'
import { isRecord } from '../../io/bytes/untrusted'
import { readBytes } from '../../io/files/read-bytes'
import { encodeTable, readTable, tableSchema } from '../../tabular'
import { seenOf } from '../originals'
import { type FileModel, inputsOf, tensorsOf } from '../read-files'

/** An error about a file of an audit. */
export const wrong = (path: string, what: string): DlgError => new DlgError('invalid-file', `${path}: ${what}`)

const PICTURE = /\.(png|jpe?g)$/i

/** Samples out of pictures (a folder, or a list of files), or tensors of a file; labels beside them. */
export function dataOf(
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
    throw wrong(path, `the model has ${countOf(others.length + 1, 'input')}; an audit file is of models with one`)
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
export function preprocessingOf({ training, dataRange }: Readonly<Record<string, unknown>>): Preprocessing {
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
