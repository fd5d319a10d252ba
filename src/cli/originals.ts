import { type Preprocessing, preprocessed } from '../client/preprocessing'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { type Image, readImage } from '../io'
import { withChannelsLast } from './channels'
import { tensorsOf } from './read-files'

/** What a batch of one input must look like. */
interface Batch {
  /** [batch, ...shape of a sample]. */
  readonly shape: readonly number[]
  readonly preprocessing: Preprocessing
  /** Name of the input. */
  readonly name: string
}

const PICTURE = /\.(png|jpe?g|webp|hei[cf]|avif|tiff?|gif|bmp|jxl)$/i

/** Whether every one of the files, separated by commas, is a picture by its name. */
export const isPictureList = (given: string): boolean => given.split(',').every((path) => PICTURE.test(path))

/**
 * Reads originals as the model sees them, one sample after the other: pictures of exactly the input's size, or tensors of its shape.
 *
 * @throws DlgError `invalid-file`
 */
export function readOriginals(given: string, batch: Batch): Float32Array[] {
  const [samples, ...shape] = batch.shape
  const paths = given.split(',')
  const originals = isPictureList(given)
    ? paths.map((path) => pixels(readImage(path), path, shape, batch.preprocessing))
    : tensorRows(given, batch)
  if (originals.length === samples) return originals
  throw new DlgError('invalid-file', `--original ${given}: ${originals.length} originals for a batch of ${samples}`)
}

function pixels({ width, height, data }: Image, path: string, shape: readonly number[], preprocessing: Preprocessing) {
  const [h, w, channels] = shape
  if (shape.length !== 3 || (channels !== 1 && channels !== 3))
    throw new DlgError(
      'invalid-file',
      `${path}: is a picture, but a sample of the model is [${shape.join(', ')}]; give tensors`,
    )
  if (h !== height || w !== width)
    throw new DlgError('invalid-file', `${path}: the image is ${width}x${height}; the model's input is ${w}x${h}`)
  return seenOf(data, channels, preprocessing)
}

/** What a model sees of the colours of a picture, from 0 to 1: stretched over the range, then normalised. */
export function seenOf(data: Float32Array, channels: 1 | 3, preprocessing: Preprocessing): Float32Array {
  const [low, high] = preprocessing.range
  const seen = (levels: Float32Array) =>
    preprocessed(
      levels.map((v) => low + v * (high - low)),
      preprocessing,
    )
  if (channels === 3) return seen(data)
  // ITU-R BT.601 luma
  const gray = (i: number) => 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]
  return seen(Float32Array.from({ length: data.length / 3 }, (_, i) => gray(i)))
}

function tensorRows(path: string, { shape, name }: Batch): Float32Array[] {
  const tensors = tensorsOf(path)
  const found = tensors.size === 1 ? [...tensors.values()][0] : (tensors.get(name) ?? tensors.get('x'))
  if (!found)
    throw new DlgError(
      'invalid-file',
      `${path}: has ${countOf(tensors.size, 'tensor')}, none of them '${name}' or 'x'; name the original so`,
    )
  const [samples, ...sample] = shape
  const tensor = withChannelsLast(found, sample)
  const wanted = [shape, ...(samples === 1 ? [sample] : [])].map((s) => s.join())
  if (!wanted.includes(tensor.shape.join()))
    throw new DlgError(
      'invalid-file',
      `${path}: has shape [${tensor.shape.join(', ')}]; the data are [${shape.join(', ')}]`,
    )
  const at = tensor.data.findIndex((v) => !Number.isFinite(v))
  if (at >= 0)
    throw new DlgError('invalid-file', `${path}: has ${tensor.data[at]} at number ${at}; every number must be finite`)
  const size = tensor.data.length / samples
  return Array.from({ length: samples }, (_, i) => tensor.data.subarray(i * size, (i + 1) * size))
}
