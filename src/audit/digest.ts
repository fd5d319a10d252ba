import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'

/** How numbers are written into a text. */
type Writing = (numbers: ArrayBufferView) => string

/**
 * A text that is the same for equal values, whatever the order of an object's fields. Functions stand for themselves by their source, and
 * an object of a class by its fields and the source of its class. What a function or a class keeps to itself is not seen.
 *
 * @param written how typed arrays are written; default: number by number
 * @throws DlgError `invalid-option` for a value that holds a model
 */
export const canonical = (value: unknown, written: Writing = joined): string =>
  textOf(value, written, [], { instances: 0 })

/** Most objects of classes in a value. Those of a model refer to each other, and there is no end of ways from one to the next. */
const INSTANCES = 1000

/**
 * @param within the objects around the value: one that holds itself is written once
 * @throws DlgError `invalid-option` for more than {@link INSTANCES} objects of classes
 */
function textOf(value: unknown, written: Writing, within: readonly object[], met: { instances: number }): string {
  if (typeof value === 'function') return `function ${value}`
  // JSON has one word for NaN and both infinities
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'symbol' || value === undefined)
    return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value)
  const above = within.indexOf(value)
  if (above >= 0) return `above ${within.length - above}`
  const part = (inner: unknown): string => textOf(inner, written, [...within, value], met)
  if (value instanceof Tensor) return `tensor ${value.shape} ${part(value.dataSync())}`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${written(value)})`
  if (Array.isArray(value))
    return value.length > LONG && value.every((entry) => typeof entry === 'number')
      ? `numbers(${written(Float64Array.from(value))})`
      : `[${value.map(part).join()}]`
  if (value instanceof Map) return `Map${part([...value])}`
  if (value instanceof Set) return `Set${part([...value])}`
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${written(new Uint8Array(value))})`
  if (value instanceof Date || value instanceof RegExp) return `${value.constructor.name} ${Number(value)} ${value}`
  const type = Object.getPrototypeOf(value)
  if (type !== null && type !== Object.prototype && ++met.instances > INSTANCES)
    throw new DlgError(
      'invalid-option',
      `an attack, a defence or an option holds more than ${INSTANCES} objects of classes, such as the layers of a model; an audit cannot tell it from another. Keep them out of its fields, where its functions alone see them, and give it settings`,
    )
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `${classOf(value)}{${fields
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${part(field)}`)
    .join()}}`
}

/** The functions that an object has from its class and the classes that this extends; nothing for a plain object. */
function classOf(value: object): string {
  const sources: string[] = []
  for (let type = Object.getPrototypeOf(value); type && type !== Object.prototype; type = Object.getPrototypeOf(type))
    for (const [name, { value: own, get }] of Object.entries(Object.getOwnPropertyDescriptors(type)))
      if (typeof (own ?? get) === 'function') sources.push(`${name} ${own ?? get}`)
  return sources.join()
}

/** A list of more numbers than this is taken as an array of them. */
const LONG = 1024

const joined: Writing = (numbers) => Array.from(numbers as Float32Array).join()

/**
 * A digest of a value: that of its text, in which a hash of the bytes stands for each array of numbers. A model has more numbers than a
 * text may have letters.
 *
 * @param rest asked between pieces of an array
 */
export async function digestOf(value: unknown, rest: () => Promise<void>): Promise<string> {
  const arrays: ArrayBufferView[] = []
  const text = canonical(value, (numbers) => `#${arrays.push(numbers)}`)
  const hashes: string[] = []
  for (const { buffer, byteOffset, byteLength } of arrays)
    hashes.push(await hashOf(new Uint8Array(buffer, byteOffset, byteLength), rest))
  return digest([text, ...hashes].join('\n'))
}

/** Bytes of a piece, and of a hash of 256 bits. */
const [PIECE, HASH] = [2 ** 20, 32]

/** h ← SHA-256(h, piece) over the pieces of some bytes, from zeros on: what hashes in a browser takes all bytes at once. */
async function hashOf(bytes: Uint8Array, rest: () => Promise<void>): Promise<string> {
  let hash = new Uint8Array(HASH)
  for (let from = 0; from < bytes.length; from += PIECE) {
    const piece = bytes.subarray(from, from + PIECE)
    const joint = new Uint8Array(HASH + piece.length)
    joint.set(hash)
    joint.set(piece, HASH)
    hash = new Uint8Array(await crypto.subtle.digest('SHA-256', joint))
    await rest()
  }
  return hex(hash)
}

/** SHA-256 of a text, the first 128 bits in hexadecimal. */
export async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return hex(new Uint8Array(hash, 0, 16))
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
