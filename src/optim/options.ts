import { choice, invalid, knownNames, show } from '../errors/checks'

/** The interval a numeric option must lie in. */
export interface Range {
  readonly above?: number
  readonly atLeast?: number
  readonly below?: number
  readonly integer?: boolean
  /** Infinity is refused unless this is set. */
  readonly infinite?: boolean
}

/**
 * The given options over the defaults; an option given as undefined keeps its default.
 *
 * @throws DlgError `invalid-option` for a name that `defaults` lacks: a misspelt option is an error, not a silent default.
 */
export function withDefaults<T extends object>(owner: string, defaults: T, given: Partial<T>): T {
  knownNames(`the options of ${owner}`, given, Object.keys(defaults))
  const options = { ...defaults }
  for (const name of Object.keys(given) as (keyof T & string)[]) {
    const value = given[name]
    if (value !== undefined) options[name] = value as T[typeof name]
  }
  return options
}

/** @throws DlgError `invalid-option` when `value` is not a number in `range`. */
export function requireNumber(owner: string, name: string, value: unknown, range: Range): void {
  const inside =
    typeof value === 'number' &&
    (range.infinite ? !Number.isNaN(value) : Number.isFinite(value)) &&
    (range.above === undefined || value > range.above) &&
    (range.atLeast === undefined || value >= range.atLeast) &&
    (range.below === undefined || value < range.below) &&
    (!range.integer || Number.isInteger(value))
  if (!inside) throw wrong(owner, name, value, describe(range))
}

/** @throws DlgError `invalid-option` when `value` is not one of `choices`. */
export function requireOneOf(owner: string, name: string, value: unknown, choices: readonly string[]): void {
  choice(`${owner}: ${name}`, value, choices)
}

/** The error about an option of an optimizer. */
export const wrong = (owner: string, name: string, value: unknown, right: string): Error =>
  invalid(`${owner}: ${name} is ${show(value)}; it must be ${right}`)

function describe({ above, atLeast, below, integer, infinite }: Range): string {
  const bounds = [
    above === undefined ? '' : `above ${above}`,
    atLeast === undefined ? '' : `at least ${atLeast}`,
    below === undefined ? '' : `below ${below}`,
  ].filter(Boolean)
  const kind = integer ? 'an integer' : infinite ? 'a number' : 'a finite number'
  return `${kind} ${bounds.join(' and ')}`.trim()
}
