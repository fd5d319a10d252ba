import { choice, hasMethod, invalid, number, show } from '../errors/checks'

/**
 * One option, with all that is said of it in one place: the call, the command line with its help, and the guide's table of
 * options read this record.
 */
export interface Option<Given, Decided = Given> {
  /** What it does, in one line of plain words, with the names it takes. */
  readonly help: string
  /** Taken where nothing is given. Undefined where that depends on other options: `otherwise` then says how, in words. */
  readonly default?: Given
  readonly otherwise?: string
  /**
   * The value, decided.
   *
   * @param name the option's name as the caller wrote it, for messages
   * @throws DlgError `invalid-option`, and what would be right
   */
  check(value: Given, name: string): Decided
  /** How the command line spells it; undefined where it has no flag. */
  readonly flag?: Flag<Given>
}

/** An option on the command line: `--name`, in lower case with hyphens. */
export interface Flag<Given> {
  /** Its name there, where that is not the option's own. */
  readonly name?: string
  /** Stands for the value in the help, such as `N`; undefined for a switch. */
  readonly value?: string
  /**
   * The value of a word; of a switch, that it is there.
   *
   * @returns undefined for a word that means nothing
   */
  read(word: string): Given | undefined
  /** What a word must be, for messages. */
  readonly right: string
}

/** A record for each option of an interface. Leaving one out does not compile. */
export type OptionRecords<Options> = {
  readonly [Name in keyof Required<Options>]: Option<NonNullable<Options[Name]>, unknown>
}

/** The values that records decide. A value may be undefined where there is no default. */
export type Decisions<Records> = {
  readonly [Name in keyof Records]: Records[Name] extends { check(...given: never[]): infer Decided }
    ? Records[Name] extends { readonly default: NonNullable<unknown> }
      ? Decided
      : Decided | undefined
    : never
}

// biome-ignore lint/suspicious/noExplicitAny: each record has values of its own
type AnyRecords = { readonly [name: string]: Option<any, unknown> }

/**
 * Checks the options that have a record, of an object that may have others beside them, and takes the defaults of those that
 * are not given.
 *
 * @param of what the options belong to, for messages, such as `update.`
 * @throws DlgError `invalid-option` for a wrong value
 */
export function pickOptions<Records extends AnyRecords>(
  records: Records,
  options: object,
  of = '',
): Decisions<Records> {
  const given = options as { readonly [name: string]: unknown }
  const decided = Object.entries(records).map(([name, option]) => {
    const value = given[name] === undefined ? option.default : given[name]
    return [name, value === undefined ? undefined : option.check(value, `${of}${name}`)]
  })
  return Object.fromEntries(decided) as Decisions<Records>
}

/** A name out of a short list. */
export function nameOption<Name extends string>(names: readonly Name[], standard: Name, help: string) {
  return {
    help,
    default: standard,
    check: (value: Name, name: string): Name => choice(name, value, names),
    flag: nameFlag(names),
  }
}

export const nameFlag = <Name extends string>(names: readonly Name[]): Flag<Name> => ({
  value: 'NAME',
  read: (word) => names.find((name) => name === word),
  right: names.join(' or '),
})

/** A whole number of at least 1. */
export const countOption = (standard: number, help: string) => ({
  help,
  default: standard,
  check: (value: number, name: string): number =>
    number(name, value, (v) => Number.isSafeInteger(v) && v >= 1, 'a whole number of at least 1'),
  flag: wholeFlag(1),
})

export const wholeFlag = (least: number, most: number = Number.MAX_SAFE_INTEGER): Flag<number> => ({
  value: 'N',
  read: (word) => (/^-?\d+$/.test(word) && Number(word) >= least && Number(word) <= most ? Number(word) : undefined),
  right:
    most < Number.MAX_SAFE_INTEGER ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`,
})

/** A number that passes a test. */
export const numberOption = (standard: number, test: (value: number) => boolean, right: string, help: string) => ({
  help,
  default: standard,
  check: (value: number, name: string): number => number(name, value, test, right),
  flag: numberFlag(test, right),
})

export const numberFlag = (test: (value: number) => boolean, right: string): Flag<number> => ({
  value: 'X',
  read: (word) => (word.trim() !== '' && test(Number(word)) ? Number(word) : undefined),
  right,
})

/** @throws DlgError `invalid-option` for what is neither true nor false */
export function checkBoolean(value: boolean, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(`${name} is ${show(value)}; it must be true or false`)
}

/** True or false; a switch on the command line. */
export const switchOption = (help: string) => ({
  help,
  default: false as boolean,
  check: checkBoolean,
  flag: { read: () => true, right: 'given without a value' } as Flag<boolean>,
})

/** An object of the caller's with these methods, or a name that stands for one of ours. */
export function checkObjectOrName<Own, Name extends string>(
  value: Own | Name,
  name: string,
  makers: Readonly<Record<Name, () => Own>>,
  methods: readonly string[],
  otherwise: string,
): Own {
  if (typeof value !== 'string' && hasMethod(value, ...methods)) return value as Own
  return makers[choice(name, value, Object.keys(makers) as Name[], otherwise)]()
}
