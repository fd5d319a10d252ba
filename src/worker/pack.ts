import { Tensor } from '@tensorflow/tfjs-core'
import { isPlain, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { isLayersModel, type PackedModel, packModel } from './model'

/** Marks what is no plain value: a key that no object of a caller may have. */
export const KIND = 'dlg-ts kind'

/** A value that no thread can clone, as plain data. Equal objects stay one object, because a structured clone keeps that. */
export type Packed =
  | { readonly [KIND]: 'tensor'; readonly shape: readonly number[]; readonly dtype: string; data: unknown }
  | (PackedModel & { readonly [KIND]: 'model' })
  | { readonly [KIND]: 'map'; readonly entries: readonly (readonly [unknown, unknown])[] }
  | { readonly [KIND]: 'set'; readonly entries: readonly unknown[] }
  | { readonly [KIND]: 'signal'; readonly index: number; readonly aborted: boolean }
  | { readonly [KIND]: 'listener'; readonly index: number }
  | { readonly [KIND]: 'copy'; readonly value: unknown }
  | { readonly [KIND]: 'dispose' }

/** A value with everything in it packed, and what stayed behind. */
export interface Parcel {
  readonly value: unknown
  /** Fulfilled when the numbers of all tensors are in; undefined where there are none. */
  readonly ready: Promise<unknown> | undefined
  readonly tensors: readonly Tensor[]
  readonly signals: readonly AbortSignal[]
  readonly listeners: readonly ((...args: unknown[]) => unknown)[]
  /** Frees what a result holds, tensors that it does not show among it. */
  readonly disposers: readonly (() => unknown)[]
}

/**
 * Arguments of a call may hold listeners and signals. A result may have a `dispose()`. The functions of an event take nothing and
 * give a copy of something: they are called before it is sent.
 */
type Content = 'arguments' | 'result' | 'event'

/**
 * Packs a value for another thread: tensors and layers models as typed arrays, listeners and signals by number.
 *
 * @param content what the value is
 * @throws DlgError `invalid-option` for a function, or another value, that cannot cross, `invalid-data` for a disposed tensor
 */
export function pack(content: Content, value: unknown): Parcel {
  const reading: Promise<unknown>[] = []
  const tensors: Tensor[] = []
  const signals: AbortSignal[] = []
  const listeners: ((...args: unknown[]) => unknown)[] = []
  const disposers: (() => unknown)[] = []
  const done = new Map<object, unknown>()

  const tensor = (from: Tensor): Packed => {
    if (from.isDisposed)
      throw new DlgError('invalid-data', 'a tensor is disposed, so its numbers cannot cross to a worker')
    const packed: Packed = { [KIND]: 'tensor', shape: from.shape, dtype: from.dtype, data: undefined }
    tensors.push(from)
    reading.push(from.data<'float32'>().then((data) => Object.assign(packed, { data: alone(data) })))
    return packed
  }
  const method = (path: readonly string[], from: () => unknown): Packed => {
    const name = path[path.length - 1]
    if (content === 'arguments' && /^on[A-Z]/.test(name)) return { [KIND]: 'listener', index: listeners.push(from) - 1 }
    if (content === 'result' && name === 'dispose') {
      disposers.push(from)
      return { [KIND]: 'dispose' }
    }
    if (content === 'event') return { [KIND]: 'copy', value: alone(from()) }
    throw new DlgError(
      'invalid-option',
      `${path.join('.')} is a function, which cannot cross to or from a worker; ${content === 'result' ? 'only dispose() can. Serve a function that returns what you need without it, such as the records of an audit' : 'only listeners can, such as onIteration. Serve a function that builds such a model, optimizer or criterion inside the worker'}`,
    )
  }
  const walk = (from: unknown, path: readonly string[]): unknown => {
    if (typeof from === 'function') return method(path, from as () => unknown)
    if (typeof from === 'symbol') throw uncloneable(path, from)
    if (typeof from !== 'object' || from === null) return from
    const known = done.get(from)
    if (known !== undefined) return known
    if (ArrayBuffer.isView(from)) {
      const copy = alone(from)
      done.set(from, copy)
      return copy
    }
    if (Array.isArray(from)) return walkInto([], from.entries(), from, path)
    if (from instanceof Map || from instanceof Set) return walkEntries(from, path)
    const packed = special(from, path)
    if (packed !== undefined) {
      done.set(from, packed)
      return packed
    }
    if (!isPlain(from)) return cloneable(path, from)
    // a clone would lose the latter, or take it for what it inherits
    const reserved = [KIND, '__proto__'].find((key) => Object.hasOwn(from, key))
    if (reserved)
      throw new DlgError('invalid-data', `${show(from)} has a key '${reserved}', which no object that crosses may have`)
    return walkInto({}, Object.entries(from), from, path)
  }
  const walkInto = (
    into: object,
    entries: Iterable<readonly [PropertyKey, unknown]>,
    from: object,
    path: readonly string[],
  ): unknown => {
    // before its parts: an object may hold itself
    done.set(from, into)
    for (const [key, part] of entries) {
      const bound = typeof part === 'function' ? part.bind(from) : part
      Object.assign(into, { [key]: walk(bound, [...path, String(key)]) })
    }
    return into
  }
  const walkEntries = (from: Map<unknown, unknown> | Set<unknown>, path: readonly string[]): Packed => {
    const entries: unknown[] = []
    const packed = { [KIND]: from instanceof Map ? 'map' : 'set', entries } as Packed
    done.set(from, packed)
    if (from instanceof Map) for (const [k, v] of from) entries.push([key(k, path), walk(v, [...path, String(k)])])
    else for (const part of from) entries.push(walk(part, [...path, `entry ${entries.length}`]))
    return packed
  }
  const special = (from: object, path: readonly string[]): Packed | undefined => {
    if (from instanceof Tensor) return tensor(from)
    if (from instanceof AbortSignal && content !== 'arguments') throw uncloneable(path, from)
    if (from instanceof AbortSignal) return { [KIND]: 'signal', index: signals.push(from) - 1, aborted: from.aborted }
    if (!isLayersModel(from)) return undefined
    const { weights, ...rest } = packModel(from)
    return { [KIND]: 'model', ...rest, weights: weights.map(tensor) }
  }

  const key = (from: unknown, path: readonly string[]): unknown => {
    if (typeof from === 'object' ? from === null : typeof from !== 'function' && typeof from !== 'symbol') return from
    throw new DlgError(
      'invalid-option',
      `${path.join('.')} has the key ${show(from)}; the keys of a map must be words or numbers to cross to or from a worker`,
    )
  }

  const packed = walk(value, [content])
  const ready = reading.length > 0 ? Promise.all(reading) : undefined
  return { value: packed, ready, tensors, signals, listeners, disposers }
}

const uncloneable = (path: readonly string[], value: object | symbol, cause?: unknown): DlgError => {
  const what = typeof value === 'symbol' ? 'a symbol' : `${named(value)}`
  return new DlgError(
    'invalid-option',
    `${path.join('.')} is ${what}, which cannot cross to or from a worker; plain objects, lists, maps, sets, typed arrays and tensors can`,
    { cause },
  )
}

const named = (value: object): string => {
  const name = typeof value.constructor === 'function' ? value.constructor.name : ''
  return name === '' ? 'an object of a class' : `an object of the class ${name}`
}

/**
 * A view as one whose buffer holds nothing else: a structured clone takes the whole buffer, however little of it is seen. What threads
 * share stays shared, and other values stay as they are.
 */
function alone(view: unknown): unknown {
  if (!ArrayBuffer.isView(view)) return view
  const { buffer, byteOffset, byteLength } = view
  if (byteLength === buffer.byteLength || !(buffer instanceof ArrayBuffer)) return view
  // a subclass, such as Node's Buffer, loses its class in a clone as well
  const type = Object.prototype.toString.call(view).slice('[object '.length, -1) as 'Uint8Array'
  return new globalThis[type](buffer.slice(byteOffset, byteOffset + byteLength))
}

/** @throws DlgError `invalid-option` for an object that no thread can clone, or whose clone lacks the methods of its class */
function cloneable(path: readonly string[], value: object): object {
  if (Object.prototype.toString.call(value) === '[object Object]') throw uncloneable(path, value)
  // a trial would copy all of it
  if (value instanceof ArrayBuffer && value.byteLength > 0) return value
  try {
    structuredClone(value)
  } catch (cause) {
    throw uncloneable(path, value, cause)
  }
  return value
}
