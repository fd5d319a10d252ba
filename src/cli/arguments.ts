import { parseArgs } from 'node:util'
import { DlgError } from '../errors/dlg-error'
import type { Flag } from '../options/option'

/** One `--option`. */
export interface Option {
  /** What stands for its value in the help; an option without one is a switch. */
  readonly value?: string
  readonly default?: string
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>

/** What was typed after the command, read and checked option by option. */
export interface Arguments {
  readonly positionals: readonly string[]
  has(name: string): boolean
  /** Whether it was typed: a default is not. */
  given(name: string): boolean
  text(name: string): string | undefined
  choice<T extends string>(name: string, choices: readonly T[]): T
  whole(name: string, least: number, most?: number): number
  /** A number from 0 to `most`, if given. */
  number(name: string, most: number): number | undefined
  /** What a flag makes of the word after it, if it was given. */
  read<T>(name: string, flag: Pick<Flag<T>, 'value' | 'read' | 'right'>): T | undefined
  /** Whole numbers separated by commas. */
  wholes(name: string, least: number, most: number): number[] | undefined
}

const invalid = (message: string): DlgError => new DlgError('invalid-option', message)

/** @throws DlgError `invalid-option` for an option that does not exist or has no value */
export function readArguments(options: Options, argv: readonly string[]): Arguments {
  const { values, positionals, tokens } = parse(options, argv)
  const typed = new Set(tokens.map((token) => (token.kind === 'option' ? token.name : '')))
  requirePlaces(options, values)
  const text = (name: string): string | undefined => values[name] as string | undefined
  const whole = (name: string, word: string, least: number, most: number): number => {
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN
    if (value >= least && value <= most) return value
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`
    throw invalid(`--${name} is '${word}'; it must be a whole number ${range}`)
  }
  return {
    positionals,
    has: (name) => values[name] !== undefined && values[name] !== false,
    given: (name) => typed.has(name),
    text,
    choice(name, choices) {
      const found = choices.find((c) => c === text(name))
      if (found !== undefined) return found
      throw invalid(`--${name} is '${text(name)}'; it must be ${choices.join(' or ')}`)
    },
    whole: (name, least, most = Number.MAX_SAFE_INTEGER) => whole(name, text(name) ?? '', least, most),
    number(name, most) {
      const word = text(name)
      if (word === undefined) return undefined
      const value = word.trim() === '' ? Number.NaN : Number(word)
      if (value >= 0 && value <= most) return value
      throw invalid(`--${name} is '${word}'; it must be a number from 0 to ${most}`)
    },
    read(name, flag) {
      const word = values[name]
      if (word === undefined || word === false) return undefined
      const value = flag.read(word === true ? '' : word)
      if (value !== undefined) return value
      throw invalid(`--${name} is '${word}'; it must be ${flag.right}`)
    },
    wholes: (name, least, most) =>
      text(name)
        ?.split(',')
        .map((word) => whole(name, word.trim(), least, most)),
  }
}

/** @throws DlgError `invalid-option` for a file or a folder without a name: as a path that is the folder at work */
function requirePlaces(options: Options, values: Readonly<Record<string, unknown>>): void {
  for (const [name, { value }] of Object.entries(options)) {
    const place = value?.startsWith('FILE') ? 'a file' : value === 'FOLDER' || value === 'RUN' ? 'a folder' : undefined
    const given = values[name]
    if (place && typeof given === 'string' && given.trim() === '')
      throw invalid(`--${name} is '${given}'; it must be the path of ${place}`)
  }
}

function parse(options: Options, argv: readonly string[]) {
  const config = Object.entries(options).map(([name, { value, default: preset }]) => {
    const type = value === undefined ? 'boolean' : 'string'
    return [name, { type, ...(preset !== undefined && { default: preset }) }] as const
  })
  try {
    return parseArgs({
      args: withNegatives(options, argv),
      options: Object.fromEntries(config),
      allowPositionals: true,
      strict: true,
      tokens: true,
    })
  } catch (cause) {
    // Node's message goes on for several sentences
    const [message] = (cause as Error).message.split(/\. |\n/)
    const name = /^Unknown option '--?([^']*)'/.exec(message)?.[1]
    const meant = name && nearest(name, Object.keys(options))
    throw invalid(`${lowerFirst(message).replace(/\.$/, '')}${meant ? `; did you mean --${meant}?` : ''}`)
  }
}

/** A negative number after an option is its value: `--seed -1` is `--seed=-1`, which Node takes for another option. */
function withNegatives(options: Options, argv: readonly string[]): string[] {
  const end = argv.indexOf('--')
  const joined: string[] = []
  for (const [i, word] of argv.entries()) {
    const before = joined[joined.length - 1] ?? ''
    const isValue = /^-[\d.]/.test(word) && before.startsWith('--') && options[before.slice(2)]?.value !== undefined
    if (isValue && (end < 0 || i < end)) joined[joined.length - 1] = `${before}=${word}`
    else joined.push(word)
  }
  return joined
}

const lowerFirst = (text: string): string => text[0].toLowerCase() + text.slice(1)

/** The word that is at most two edits away, if any. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const [closest] = words.map((w) => ({ w, d: edits(word, w) })).sort((a, b) => a.d - b.d)
  return closest && closest.d <= Math.min(2, word.length - 1) ? closest.w : undefined
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}
