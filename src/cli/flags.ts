import { withPreset } from '../attacks/matching/options'
import { type Option as OptionRecord, wholeFlag } from '../options/option'
import type { Arguments, Options } from './arguments'

// biome-ignore lint/suspicious/noExplicitAny: each record has values of its own
export type Records = { readonly [name: string]: OptionRecord<any, unknown> }

/** The values that the flags of records give. A value is undefined where the call decides. */
export type Given<All> = {
  -readonly [Name in keyof All]?: All[Name] extends { readonly flag: { read(word: string): infer Value } }
    ? Exclude<Value, undefined>
    : never
}

/** Where the command line has a default of its own. All others are the call's. */
export const OWN_DEFAULTS = {
  /** Small, and the class of a photograph without `--class`. */
  seed: 1,
  /** Iterations of `dlg text`, which take ten steps each. */
  textIterations: 100,
} as const

/** An option of the call as the command line spells it: `batchUpdate` is `batch-update`. */
export const flagName = (name: string, record?: Records[string]): string =>
  record?.flag?.name ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The records that have a flag. */
const flagged = (records: Records) => Object.entries(records).filter(([, { flag }]) => flag !== undefined)

/**
 * The flags of records, with their help and defaults.
 *
 * @param own values, as typed, that the command line takes where none is given
 */
export function flagsOf(records: Records, own: Readonly<Record<string, string | number>> = {}): Options {
  return Object.fromEntries(
    flagged(records).map(([name, record]) => {
      const value = record.flag?.value
      const stated = own[name] === undefined ? undefined : String(own[name])
      const end = stated === undefined ? defaultWords(name, records) : ''
      return [
        flagName(name, record),
        { help: `${record.help}${end}`, ...(value && { value }), ...(stated !== undefined && { default: stated }) },
      ]
    }),
  )
}

/** Reads the flags of records that were given. @throws DlgError `invalid-option`, and what would be right */
export function readFlags<All extends Records>(records: All, args: Arguments): Given<All> {
  const read = flagged(records).map(([name, record]) => {
    const value = args.read(flagName(name, record), record.flag!)
    return [name, value] as const
  })
  return Object.fromEntries(read.filter(([, value]) => value !== undefined)) as Given<All>
}

/** The flags that give these options, as one types them. */
export const wordsOf = (records: Records, given: { readonly [name: string]: unknown }): string[] =>
  flagged(records)
    .filter(([name]) => given[name] !== undefined)
    .map(([name, record]) => {
      const value = given[name]
      return `--${flagName(name, record)}${switched(record, value) ?? inWords(value) ?? ''}`
    })

/** A switch that is typed as a word; undefined for every other value. */
const switched = ({ flag }: Records[string], value: unknown): string | undefined =>
  flag?.value !== undefined && typeof value === 'boolean' ? (value ? ' on' : ' off') : undefined

/** A whole number that the command line takes up to a bound. */
export const upTo = <Record extends Records[string]>(record: Record, most: number) => ({
  ...record,
  flag: wholeFlag(1, most),
})

/** Records without some of them. */
export function without<All extends Records, Name extends keyof All>(
  records: All,
  ...names: readonly Name[]
): Omit<All, Name> {
  return Object.fromEntries(Object.entries(records).filter(([name]) => !names.includes(name as Name))) as never
}

/** Every option that has a flag, as it is in force: given, else of the preset, else the default. For reports. */
export function inForce(records: Records, given: object): Readonly<Record<string, unknown>> {
  const whole: object = 'preset' in records ? withPreset(given) : given
  return Object.fromEntries(
    flagged(records)
      .map(([name, { default: standard }]) => [name, (whole as Record<string, unknown>)[name] ?? standard] as const)
      .filter(([, value]) => value !== undefined)
      // JSON has no infinity
      .map(([name, value]) => [name, value === Number.POSITIVE_INFINITY ? 'Infinity' : value]),
  )
}

const PAPER: Readonly<Record<string, unknown>> = { ...withPreset({ preset: 'paper' }) }

/** Ends the help of an option: ` (default 4; with --preset paper 1)`. */
function defaultWords(name: string, records: Records): string {
  const { default: standard, otherwise } = records[name]
  const words = otherwise === undefined ? (switched(records[name], standard) ?? inWords(standard)) : `: ${otherwise}`
  if (words === undefined) return ''
  const paper = 'preset' in records && name !== 'preset' ? inWords(PAPER[name]) : undefined
  return ` (default${words}${paper === undefined ? '' : `; with --preset paper${paper}`})`
}

/** A value as one types it, after a space; undefined where that cannot be. */
function inWords(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number') return ` ${value}`
  if (Array.isArray(value)) return ` ${value.length > 0 ? value.join(',') : 'none'}`
  return undefined
}
