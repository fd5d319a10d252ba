import type { AttackName } from '../attacks'
import { MATCHING } from '../attacks/matching/options'
import { UPDATE } from '../client/shared/update-options'
import type { Options } from './arguments'
import { flagName, type Records, wordsOf } from './flags'
import { type Checked, CLIENT } from './training'

/** Options of the call that are flags without being read from a record. */
const OTHERS: Readonly<Record<string, string>> = {
  known: 'known',
  'update.sign': 'sign',
  'budget.milliseconds': 'time-limit',
  'budget.evaluations': 'budget',
}

/** The name of each option with a flag on the command line. */
const spelled = (records: Records, of = ''): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(records)
      .filter(([, { flag }]) => flag !== undefined)
      .map(([name, record]) => [`${of}${name}`, flagName(name, record)]),
  )

const FLAGS: Readonly<Record<string, string>> = {
  ...spelled(MATCHING),
  ...spelled(UPDATE, 'update.'),
  localSteps: 'local-steps',
  learningRate: 'learning-rate',
  approach: 'approach',
  ...OTHERS,
}

/** Phrases of the call that are no option with a value, with the flag that they stand for. */
const PHRASES: readonly (readonly [flag: string, phrase: RegExp, words: string])[] = [
  ['partial', /missing: \['[^']*'\], or missing: 'allowed'/g, '--partial'],
  ['before', /the option update says/g, '--before and --after say'],
  ['learning-rate', /update: \{ ?(\w+:[^}]*?)(, …)? ?\}/g, '$1'],
  ['before', /\{before, after\} or \{delta\}|\{ ?before, after ?\}|\{ ?delta ?\}/g, '--before/--after'],
  ['before', /\bdelta\b(?= points| or)/g, 'the update'],
  ['epochs', /both epochs and localSteps/g, 'both --epochs and --local-steps'],
  ['labels', /\bwith 'joint'/g, "with labels: 'joint'"],
  ['approach', /the approach '([\w-]+)' or '([\w-]+)'/g, '--approach $1 or $2'],
  ['scale', /give the option scale\b/g, 'give --scale'],
]

/** What turns messages of the call into those of a command with some of the flags. */
function spelling(names: readonly string[]) {
  const any = names.map((name) => name.replace('.', '\\.')).join('|')
  return {
    // `scale: -1`, `reduction: 'sum'`
    withValue: new RegExp(`(?<![\\w.'-])(${any}): (?:'([^']*)'|(-?\\d(?:[\\d.e+-]*\\d)?))`, 'g'),
    // `batchSize is 0; …`, at the beginning
    subject: new RegExp(`^(${any})(?= (?:is|has|must|needs|names)\\b)`),
    // names that are no words of English may stand anywhere
    named: new RegExp(
      `(?<![\\w.'-])(${names
        .filter((name) => /[A-Z.]/.test(name))
        .map((name) => name.replace('.', '\\.'))
        .join('|')})(?![\\w'(:])`,
      'g',
    ),
  }
}

/** The longest first: `update.sign` before `sign`. */
const NAMES = Object.keys(FLAGS).sort((a, b) => b.length - a.length)
const ALL = spelling(NAMES)

/**
 * A message of the call in the words of the command line: `reduction: 'sum'` is `--reduction sum`, and `update.sign` is `--sign`.
 *
 * @param options of the command: others are named as the call has them. Default: every option is a flag
 */
export function inFlags(message: string, options?: Options): string {
  const isFlag = (flag: string): boolean => options === undefined || Object.hasOwn(options, flag)
  const names = NAMES.filter((name) => isFlag(FLAGS[name]))
  if (names.length === 0) return message
  const { withValue, subject, named } = options === undefined ? ALL : spelling(names)
  const phrased = PHRASES.reduce(
    (text, [flag, phrase, words]) => (isFlag(flag) ? text.replace(phrase, words) : text),
    message,
  )
  const [first] = subject.exec(phrased) ?? []
  const said = phrased
    .replace(withValue, (_, name, quoted, number) => `--${FLAGS[name]} ${quoted ?? number}`)
    .replace(subject, (name) => `--${FLAGS[name]}`)
  const all = names.some((name) => /[A-Z.]/.test(name)) ? said.replace(named, (name) => `--${FLAGS[name]}`) : said
  return first === undefined ? all : unquoted(all)
}

/** What the value of an option must be, as one types it. */
function unquoted(message: string): string {
  const [what, ...right] = message.split('; it must be ')
  return [
    what.replace(/ is undefined$/, ' is not given'),
    ...right.map((words) => words.replace(/'([\w-]+)'/g, '$1')),
  ].join('; it must be ')
}

/**
 * The command that runs an attack on a model that was checked, in lines that a shell takes as one.
 *
 * @param given how the client trains, as the check was told
 * @param imported a module that registers the model's classes
 * @param weights a file of weights in place of the model's own
 * @returns undefined where the command line does not have the attack
 */
export function nextCommand(
  attack: AttackName,
  model: string,
  given: Checked,
  { imported, weights }: { readonly imported?: string; readonly weights?: string } = {},
): string[] | undefined {
  // a transformer cannot be given on the command line
  if (attack === 'dager' || attack === 'tableak') return undefined
  const told = attack === 'gradient-matching' ? [] : [`--attack ${attack}`]
  const own = [
    ...(imported === undefined ? [] : [`--import ${quoted(imported)}`]),
    ...(weights === undefined ? [] : [`--weights ${quoted(weights)}`]),
  ]
  const words = [`--model ${quoted(model)}`, ...own, '--gradients FILE', ...wordsOf(CLIENT, given), ...told]
  return words.reduce(
    (lines, word) => {
      const last = lines[lines.length - 1]
      if (last.length + word.length < WIDTH) return [...lines.slice(0, -1), `${last} ${word}`]
      return [...lines.slice(0, -1), `${last} \\`, `  ${word}`]
    },
    ['dlg attack'],
  )
}

/** Length of a line: with a backslash and an indent of 11 it fits into 100. */
const WIDTH = 86

/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)
