import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { isRecord, quote } from '../bytes/untrusted'
import { type Float32Tensor, type NamedTensors, readAll, type StoredTensor, toFloat32, valuesIn } from './stored-tensor'

/** More than any model has, and few enough that names and shapes cannot outgrow the file by much. */
export const MAX_TENSORS = 65_535
/** The type of an entry that holds tensors, and is none. */
const ENVELOPE = 'an envelope'
/** numpy's limit; deeper lists are no tensor. */
const MAX_RANK = 64

/**
 * Tensors out of what JSON and msgpack hold: a list, or an object by name, of tensors, each `{shape, data}`, or numbers in
 * lists of equal lengths. Those of a list are named 0, 1, and so on.
 *
 * `data` is a list of numbers, or the bytes of little-endian float32. None is read yet.
 *
 * @throws DlgError `invalid-file`
 */
export function openTree(tree: unknown, format: string): StoredTensor[] {
  if (!(Array.isArray(tree) || isRecord(tree)) || ArrayBuffer.isView(tree)) {
    throw new DlgError('invalid-file', `${format}: holds ${quote(tree)}; it must hold a list or an object of tensors`)
  }
  if (isRecord(tree) && Array.isArray(tree.shape) && 'data' in tree) {
    throw new DlgError('invalid-file', `${format}: holds one {shape, data}; it must hold a list or an object of them`)
  }
  const names = Object.keys(tree)
  if (names.length > MAX_TENSORS) {
    throw new DlgError(
      'invalid-file',
      `${format}: holds ${countOf(names.length, 'tensor')}; there must be at most ${MAX_TENSORS}`,
    )
  }
  const tensors = names.map((name): StoredTensor => {
    const value = (tree as Record<string, unknown>)[name]
    const subject = `${format}: tensor ${quote(name)}`
    const inside = envelope(value)
    if (inside) {
      return strange(
        name,
        `${format}: has ${inside} within ${quote(name)}; if these are wanted, save them alone`,
        ENVELOPE,
      )
    }
    if (Array.isArray(value)) return { name, type: 'numbers', read: () => readNested(value, subject) }
    if (!isRecord(value)) {
      return strange(name, `${subject} is ${quote(value)}; it must be {shape, data} or nested lists`)
    }
    const binary = ArrayBuffer.isView(value.data)
    return {
      name,
      type: binary ? 'float32' : 'numbers',
      ...(binary && { dtype: 'float32' }),
      read: () => readFlat(value, subject),
    }
  })
  const within = tensors.find(({ type }) => type === ENVELOPE)
  if (within?.refusal && tensors.every(({ refusal }) => refusal)) throw within.refusal
  return tensors
}

/** All of {@link openTree}, read. */
export const tensorsFromTree = (tree: unknown, format: string): NamedTensors => readAll(openTree(tree, format))

function strange(name: string, message: string, type = 'no tensor'): StoredTensor {
  const refusal = new DlgError('invalid-file', message)
  return {
    name,
    type,
    refusal,
    read: () => {
      throw refusal
    },
  }
}

/** An entry of a message that holds a file of tensors, or tensors: one level too deep. */
function envelope(value: unknown): string | undefined {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (!Array.isArray(value) && !isRecord(value)) return undefined
  const items = Object.values(value)
  const tensor = (item: unknown) => isRecord(item) && !ArrayBuffer.isView(item) && 'shape' in item && 'data' in item
  return items.length > 0 && items.every(tensor) ? countOf(items.length, 'tensor') : undefined
}

function readFlat({ shape, data }: Record<string, unknown>, subject: string): Float32Tensor {
  if (!Array.isArray(shape) || valuesIn(shape) === undefined) {
    throw new DlgError(
      'invalid-file',
      `${subject} has shape ${quote(shape)}; it must be a list of whole numbers from 0`,
    )
  }
  const numbers = ArrayBuffer.isView(data) ? readBinary(data, subject) : data
  if (!Array.isArray(numbers) && !(numbers instanceof Float32Array)) {
    throw new DlgError('invalid-file', `${subject} has data ${quote(data)}; it must be a list of numbers`)
  }
  const values = valuesIn(shape)
  if (values !== numbers.length) {
    throw new DlgError(
      'invalid-file',
      `${subject} has shape ${quote(shape)}, ${values} values, but data has ${numbers.length}`,
    )
  }
  if (Array.isArray(numbers)) return { shape, data: readNumbers(numbers, subject) }
  return { shape, data: numbers, dtype: 'float32' }
}

function readBinary(bytes: ArrayBufferView, subject: string): Float32Array {
  if (bytes.byteLength % Float32Array.BYTES_PER_ELEMENT !== 0) {
    throw new DlgError(
      'invalid-file',
      `${subject} has ${bytes.byteLength} bytes of data; it must be float32, a multiple of 4`,
    )
  }
  // A copy, since a typed array needs an aligned start.
  const own = new Uint8Array(bytes.byteLength)
  own.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  return new Float32Array(own.buffer)
}

function readNested(value: unknown, subject: string): Float32Tensor {
  const shape: number[] = []
  for (let first = value; Array.isArray(first); first = first[0]) {
    if (shape.push(first.length) > MAX_RANK) {
      throw new DlgError('invalid-file', `${subject} has lists in lists deeper than ${MAX_RANK}`)
    }
  }
  const numbers: unknown[] = []
  collect(value, shape, 0, subject, numbers)
  return { shape, data: readNumbers(numbers, subject) }
}

/** Depth first, the order of the values in memory. */
function collect(value: unknown, shape: readonly number[], axis: number, subject: string, into: unknown[]): void {
  if (axis === shape.length) {
    into.push(value)
    return
  }
  if (!Array.isArray(value) || value.length !== shape[axis]) {
    const found = Array.isArray(value) ? `a list of ${value.length}` : quote(value)
    throw new DlgError(
      'invalid-file',
      `${subject} has ${found} among the lists of ${shape[axis]} along axis ${axis}; they must be equally long`,
    )
  }
  for (const item of value) collect(item, shape, axis + 1, subject, into)
}

function readNumbers(numbers: readonly unknown[], subject: string): Float32Array {
  const data = new Float32Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]
    // JSON has no infinity, but a number beyond float64 becomes one.
    if (typeof number !== 'number' || !Number.isFinite(number)) {
      throw new DlgError('invalid-file', `${subject} holds ${quote(number)} at ${i}; it must be a finite number`)
    }
    data[i] = toFloat32(number, false, subject, i)
  }
  return data
}
