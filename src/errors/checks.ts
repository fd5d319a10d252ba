import { DlgError, type DlgErrorCode } from './dlg-error'

/** An error about an option. */
export const invalid = (message: string): DlgError => new DlgError('invalid-option', message)

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return value.length > 8 ? `a list of ${value.length}` : `[${value.map(show).join(', ')}]`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  return builtIn(value) ?? 'an object'
}

const PROMISE = 'a Promise (await it first)'

/** What an object is whose fields have no names: a Promise, a Date, a list of any kind, and so on; undefined for one with fields. */
function builtIn(value: object): string | undefined {
  if (value instanceof Promise || hasMethod(value, 'then')) return PROMISE
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (ArrayBuffer.isView(value) || NAMELESS.includes(tag)) return `${/^[AE]/.test(tag) ? 'an' : 'a'} ${tag}`
  return undefined
}

/** Built-in classes whose objects have no fields by name. */
const NAMELESS = [
  ...['Date', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'Error', 'String', 'Number', 'Boolean'],
  ...['ArrayBuffer', 'SharedArrayBuffer'],
]

/** A value from a short list. */
export function choice<T extends string>(name: string, value: unknown, choices: readonly T[], otherwise?: string): T {
  if (choices.includes(value as T)) return value as T
  const words = choices.map((c) => `'${c}'`)
  throw invalid(`${name} is ${show(value)}; it must be ${[...words, ...(otherwise ? [otherwise] : [])].join(' or ')}`)
}

export function number(name: string, value: unknown, test: (v: number) => boolean, right: string): number {
  if (typeof value === 'number' && test(value)) return value
  throw invalid(`${name} is ${show(value)}; it must be ${right}`)
}

export const count = (name: string, value: unknown): number =>
  number(name, value, (v) => Number.isInteger(v) && v >= 1, 'a whole number of at least 1')

export const hasMethod = (value: unknown, ...methods: string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  methods.every((m) => typeof (value as Record<string, unknown>)[m] === 'function')

/** Whether an object has no class of its own, of whichever realm it is. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** An AbortSignal, or none. @throws DlgError `invalid-option` */
export function requireSignal(name: string, signal: unknown): void {
  if (signal === undefined) return
  const listens = hasMethod(signal, 'addEventListener', 'removeEventListener')
  if (listens && typeof (signal as AbortSignal).aborted === 'boolean') return
  throw invalid(`${name} is ${show(signal)}; it must be an AbortSignal`)
}

/** A function of the caller's that is told of something, or none. @throws DlgError `invalid-option` */
export function requireListener(name: string, listener: unknown): void {
  if (listener !== undefined && typeof listener !== 'function')
    throw invalid(`${name} is ${show(listener)}; it must be a function`)
}

/** A list or a typed array of numbers. @throws DlgError */
export function numberList(name: string, values: ArrayLike<number>, code: DlgErrorCode = 'invalid-data'): void {
  const typed = ArrayBuffer.isView(values) && typeof (values as unknown as Float32Array)[0] !== 'bigint'
  if (!Array.isArray(values) && !(typed && !(values instanceof DataView)))
    throw new DlgError(code, `${name} is ${show(values)}; it must be an array of numbers`)
  // the numbers of a typed array are numbers
  const wrong = Array.isArray(values) ? values.findIndex((v) => typeof v !== 'number') : -1
  if (wrong >= 0)
    throw new DlgError(code, `${name} has ${show(values[wrong])} at position ${wrong}; it must be a number`)
}

/** Whether a number is finite as float32, in which programs run: up to 3.4e38. */
export const fitsFloat32 = (v: unknown): boolean => typeof v === 'number' && Number.isFinite(Math.fround(v))

/** A list or a typed array of finite numbers. @throws DlgError */
export function finiteList(name: string, values: ArrayLike<number>, code: DlgErrorCode = 'invalid-data'): void {
  numberList(name, values, code)
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]))
      throw new DlgError(code, `${name} has ${values[i]} at position ${i}; every number must be finite`)
}

/** A list of whole numbers of at least 0, such as classes or token ids. @throws DlgError */
export function idList(name: string, ids: readonly number[], code: DlgErrorCode = 'invalid-data'): void {
  numberList(name, ids, code)
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0)
  if (wrong >= 0)
    throw new DlgError(code, `${name} has ${ids[wrong]} at position ${wrong}; it must be a whole number of at least 0`)
}

/** An object that is no list. @throws DlgError */
export function requireObject(name: string, value: object, right: string, code: DlgErrorCode = 'invalid-data'): void {
  // a map may hold fields as well, where the caller says so
  const held = typeof value === 'object' && value !== null && (value instanceof Map || builtIn(value) === undefined)
  if (held && !Array.isArray(value)) return
  throw new DlgError(code, `${name} is ${show(value)}; it must be ${right}`)
}

/** An object that is read by its fields. @throws DlgError `invalid-option` also for one of a class that shows none: nothing of it would count */
export function requireFields(name: string, value: object, right: string): void {
  requireObject(name, value, right, 'invalid-option')
  if (value instanceof Map) throw invalid(`${name} is ${show(value)}; it must be ${right}`)
  if (isPlain(value) || Object.keys(value).length > 0) return
  throw invalid(`${name} is an object of the class ${value.constructor?.name} without fields; it must be ${right}`)
}

export function knownNames(owner: string, value: object, names: readonly string[]): void {
  requireFields(owner, value, `an object with any of ${names.join(', ')}`)
  const stranger = Object.keys(value).find((name) => !names.includes(name))
  if (stranger !== undefined) throw invalid(`there is no '${stranger}' in ${owner}; there are ${names.join(', ')}`)
}
