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
 * @throws TypeError for a name that `defaults` lacks: a misspelt option is an error, not a silent default.
 */
export function withDefaults<T extends object>(owner: string, defaults: T, given: Partial<T>): T {
  const options = { ...defaults }
  for (const name of Object.keys(given) as (keyof T & string)[]) {
    if (!Object.hasOwn(defaults, name)) {
      throw new TypeError(`${owner}: unknown option '${name}'; known are ${Object.keys(defaults).join(', ')}`)
    }
    const value = given[name]
    if (value !== undefined) options[name] = value as T[typeof name]
  }
  return options
}

/** @throws TypeError when `value` is not a number, RangeError when it is outside `range`. */
export function requireNumber(owner: string, name: string, value: unknown, range: Range): void {
  if (typeof value !== 'number') throw new TypeError(`${owner}: ${name} must be a number, not ${typeof value}`)
  const inside =
    (range.infinite ? !Number.isNaN(value) : Number.isFinite(value)) &&
    (range.above === undefined || value > range.above) &&
    (range.atLeast === undefined || value >= range.atLeast) &&
    (range.below === undefined || value < range.below) &&
    (!range.integer || Number.isInteger(value))
  if (!inside) throw new RangeError(`${owner}: ${name} must be ${describe(range)}, not ${value}`)
}

/** @throws RangeError when `value` is not one of `choices`. */
export function requireOneOf(owner: string, name: string, value: unknown, choices: readonly string[]): void {
  if (!choices.includes(value as string)) {
    throw new RangeError(`${owner}: ${name} must be one of ${choices.join(', ')}, not ${String(value)}`)
  }
}

function describe({ above, atLeast, below, integer, infinite }: Range): string {
  const bounds = [
    above === undefined ? '' : `above ${above}`,
    atLeast === undefined ? '' : `at least ${atLeast}`,
    below === undefined ? '' : `below ${below}`,
  ].filter(Boolean)
  const kind = integer ? 'an integer' : infinite ? 'a number' : 'a finite number'
  return `${kind} ${bounds.join(' and ')}`.trim()
}
