import { gunzipSync } from 'node:zlib'
import { DlgError } from '../../errors/dlg-error'
import type { Image } from '../../io'
import type { Archive } from './archive'
import { tarFiles } from './tar'

export type CifarSplit = 'train' | 'test'

/** One of Krizhevsky's sets of 32×32 photographs in its official binary form. */
export interface CifarSet extends Archive {
  readonly name: string
  readonly classes: number
  /** Bytes before the pixels; the last is the class. */
  readonly labelBytes: number
  readonly splits: Readonly<Record<CifarSplit, readonly string[]>>
  /** The file with one class name a line. */
  readonly classNames: string
}

export interface CifarSample {
  readonly image: Image
  readonly label: number
  readonly labelName: string
}

const HOME = 'https://www.cs.toronto.edu/~kriz'
const SIDE = 32
const PIXELS = SIDE * SIDE

export const cifar100: CifarSet = {
  name: 'CIFAR-100',
  url: `${HOME}/cifar-100-binary.tar.gz`,
  md5: '03b5dce01913d631647c71ecec9e9cb8',
  classes: 100,
  labelBytes: 2,
  splits: { train: ['cifar-100-binary/train.bin'], test: ['cifar-100-binary/test.bin'] },
  classNames: 'cifar-100-binary/fine_label_names.txt',
}

export const cifar10: CifarSet = {
  name: 'CIFAR-10',
  url: `${HOME}/cifar-10-binary.tar.gz`,
  md5: 'c32a1d4ab5d03f1284b67883e8d6530a',
  classes: 10,
  labelBytes: 1,
  splits: {
    train: [1, 2, 3, 4, 5].map((i) => `cifar-10-batches-bin/data_batch_${i}.bin`),
    test: ['cifar-10-batches-bin/test_batch.bin'],
  },
  classNames: 'cifar-10-batches-bin/batches.meta.txt',
}

/**
 * One sample of the set's `.tar.gz`.
 *
 * @param name what the error messages call the archive
 * @throws DlgError `invalid-file` when the archive is damaged or of another set, `invalid-option` when it has no such index
 */
export function cifarSample(
  set: CifarSet,
  archive: Uint8Array,
  split: CifarSplit,
  index: number,
  name: string,
): CifarSample {
  const files = unpack(archive, [...set.splits[split], set.classNames], name)
  const record = set.labelBytes + 3 * PIXELS
  const parts = set.splits[split].map((file) => {
    const bytes = files.get(file)!
    if (bytes.length > 0 && bytes.length % record === 0) return bytes
    throw new DlgError('invalid-file', `${name}: '${file}' has ${bytes.length} bytes, not whole records of ${record}`)
  })
  const count = parts.reduce((sum, bytes) => sum + bytes.length / record, 0)
  if (index >= count)
    throw new DlgError(
      'invalid-option',
      `--index is ${index}; the ${split} split of ${set.name} in ${name} has 0 to ${count - 1}`,
    )
  let [part, at] = [0, index * record]
  while (at >= parts[part].length) at -= parts[part++].length
  const bytes = parts[part].subarray(at, at + record)
  const label = bytes[set.labelBytes - 1]
  const names = new TextDecoder().decode(files.get(set.classNames)).split('\n').filter(Boolean)
  if (label >= set.classes || names.length !== set.classes)
    throw new DlgError(
      'invalid-file',
      `${name}: image ${index} has class ${label} and there are ${names.length} class names; ${set.name} has ${set.classes}`,
    )
  return { image: fromPlanes(bytes.subarray(set.labelBytes)), label, labelName: names[label].trim() }
}

function unpack(archive: Uint8Array, wanted: readonly string[], name: string): Map<string, Uint8Array> {
  let tar: Uint8Array
  try {
    tar = gunzipSync(archive)
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: truncated, corrupt or not gzip: ${(cause as Error).message}`, {
      cause,
    })
  }
  const files = new Map<string, Uint8Array>()
  for (const file of tarFiles(tar, name)) {
    if (wanted.includes(file.name)) files.set(file.name, file.data)
    if (files.size === wanted.length) return files
  }
  const missing = wanted.find((file) => !files.has(file))
  throw new DlgError('invalid-file', `${name}: has no '${missing}'`)
}

/** Red, green and blue planes of bytes to interleaved values in [0, 1]. */
function fromPlanes(planes: Uint8Array): Image {
  const data = new Float32Array(3 * PIXELS)
  for (let i = 0; i < data.length; i++) data[i] = planes[(i % 3) * PIXELS + Math.floor(i / 3)] / 255
  return { width: SIDE, height: SIDE, data }
}
