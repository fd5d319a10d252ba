import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'

export function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte)
}

export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** For messages, cut short and never recursive: a hostile value can be as long as the file, and nested as deep. */
export function quote(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => (Array.isArray(item) ? 'a list' : quote(item)))
    return `[${items.join(', ')}${value.length > 8 ? ', …' : ''}]`
  }
  if (typeof value === 'object' && value !== null) return 'an object'
  return value === undefined ? 'missing' : String(value)
}

/** What the error messages call a file. @throws DlgError `invalid-option` unless it is a string. */
export function checkName(name: string): void {
  if (typeof name !== 'string') throw new DlgError('invalid-option', `name is ${show(name)}; it must be a string`)
}

/** @throws DlgError `invalid-data` unless the caller gave bytes. */
export function checkBytes(bytes: Uint8Array, name: string): void {
  checkName(name)
  if (bytes instanceof Uint8Array) return
  throw new DlgError('invalid-data', `${name}: bytes is ${typeof bytes}; it must be a Uint8Array`)
}

/** @throws DlgError `invalid-data` for what is no path */
export function checkPath(path: string): void {
  if (typeof path === 'string' && path !== '') return
  throw new DlgError('invalid-data', `path is ${show(path)}; it must be the path of a file`)
}
