import { DlgError } from './dlg-error'

/** An error about an option. */
export const invalid = (message: string): DlgError => new DlgError('invalid-option', message)

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return value.length > 8 ? `a list of ${value.length}` : `[${value.map(show).join(', ')}]`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

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

export function knownNames(owner: string, value: object, names: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${owner} is ${show(value)}; it must be an object with any of ${names.join(', ')}`)
  const stranger = Object.keys(value).find((name) => !names.includes(name))
  if (stranger !== undefined) throw invalid(`there is no '${stranger}' in ${owner}; there are ${names.join(', ')}`)
}
