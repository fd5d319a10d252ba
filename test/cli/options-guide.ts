import { OBJECTIVE } from '../../src/attacks/matching/objective/options'
import { MATCHING, withPreset } from '../../src/attacks/matching/options'
import { SEARCH } from '../../src/attacks/matching/search/options'
import type { Command } from '../../src/cli/command'
import { commands } from '../../src/cli/commands'
import { flagName, OWN_DEFAULTS, type Records } from '../../src/cli/flags'
import { UPDATE } from '../../src/client/shared/update-options'
import { TARGET } from '../../src/client/target-options'
import { TRAINING } from '../../src/client/training-options'

/** The file that lists every option, relative to this one. */
export const GUIDE = new URL('../../docs/guides/options.md', import.meta.url)

const HEAD = `# Every option

Written by \`npm run options\` from the records that the call and the command line read their options from; a test fails when it is out of
date. Every option of \`deepLeakageFromGradients\` is here, with its flag on the command line and what is taken where nothing is given.
\`preset: 'paper'\` has defaults of its own, which stand behind a semicolon. Among the commands, those that compute the gradient themselves
(\`dlg image\`, \`cifar\`, \`batch\`) know how the client trains and have no flags for that. \`dlg COMMAND --help\` has the same words.`

/** Options of the call that the command line has in another form. */
const SPELLED: Readonly<Record<string, string>> = {
  known: '`--known FILE`',
  missing: '`--partial`',
  preprocessing: '`--mean X,X,X --std X,X,X`, with `--range LOW,HIGH`',
  update: '`--before FILE --after FILE`, with `--learning-rate X` and others',
}

const { preset, labels } = MATCHING

const GROUPS: readonly (readonly [title: string, records: Records])[] = [
  ['The recipe and the labels', { preset, labels }],
  ['How the client trains', TRAINING],
  ['What was shared', TARGET],
  ['What is minimised', OBJECTIVE],
  ['How it is searched', SEARCH],
]

const PAPER: Readonly<Record<string, unknown>> = { ...withPreset({ preset: 'paper' }) }

/** What docs/guides/options.md should say. */
export function optionsGuide(): string {
  const tables = GROUPS.flatMap(([title, records]) => {
    const table = section(title, HEADER, Object.entries(records).map(row))
    return records === TARGET ? [table, section('How the weights moved', HEADER, updateRows())] : [table]
  })
  const own = commands.map((command) => section(`dlg ${command.name}`, OWN_HEADER, ownRows(command), '###'))
  const [first, ...rest] = own
  return `${[HEAD, ...tables, `## Flags of the commands\n\nOnly those that are not in the tables above, or differ from there.\n\n${first}`, ...rest].join('\n\n')}\n`
}

type Row = readonly string[]

const HEADER: Row = ['option', 'flag', 'default', 'what it does']
const OWN_HEADER: Row = ['flag', 'default', 'what it does']

function row([name, record]: readonly [string, Records[string]]): Row {
  const { help, flag } = record
  const value = flag?.value === undefined ? '' : ` ${flag.value}`
  const spelled = flag ? code(`--${flagName(name, record)}${value}`) : (SPELLED[name] ?? '–')
  return [code(name), spelled, defaultOf(name, record), help]
}

const updateRows = (): Row[] =>
  Object.entries(UPDATE).map(([name, record]) => {
    const [, ...cells] = row([name, record])
    return [code(`update.${name}`), ...cells]
  })

function defaultOf(name: string, { default: standard, otherwise, flag }: Records[string]): string {
  const paper = name === 'preset' || PAPER[name] === undefined ? [] : [`${shown(PAPER[name])} with \`paper\``]
  const own = flag && name === 'seed' ? [`${OWN_DEFAULTS.seed} on the command line`] : []
  return [otherwise ?? shown(standard), ...paper, ...own].join('; ')
}

/** A value as one writes it in TypeScript. */
function shown(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return '`Infinity`'
  if (Array.isArray(value) && value.length === 0) return 'none'
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'none'
  return code(JSON.stringify(value).replaceAll('"', "'").replaceAll(',', ', '))
}

/** Flags of a command that come from no record, or have another default or meaning than those of `dlg attack`. */
function ownRows({ options }: Command): Row[] {
  const recorded = Object.entries(MATCHING as Records).map(([name, record]) => flagName(name, record))
  const usual = commands.find(({ name }) => name === 'attack')!.options
  const isUsual = (name: string) =>
    recorded.includes(name) && JSON.stringify(options[name]) === JSON.stringify(usual[name])
  return Object.entries(options)
    .filter(([name]) => !isUsual(name) && name !== 'help')
    .map(([name, { value, default: standard, help }]) => [
      code(`--${name}${value === undefined ? '' : ` ${value}`}`),
      standard === undefined ? '–' : code(standard),
      help,
    ])
}

const code = (text: string): string => `\`${text}\``

/** A heading and a table whose columns are aligned, as the formatter has them. */
function section(title: string, header: Row, rows: readonly Row[], level = '##'): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = header.map((_, i) => Math.max(...cells.map((row) => row[i].length)))
  const line = (row: Row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  const [head, ...body] = cells.map(line)
  return [`${level} ${title}`, '', head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n')
}
