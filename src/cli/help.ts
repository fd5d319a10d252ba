import type { Options } from './arguments'
import type { Command } from './command'
import { paint, type Terminal } from './terminal'

/** The exit codes of `dlg check` and the attacks. */
const EXIT_CODES = `  0    converged: the gradient was matched, by data like the original where there is one; check: all is well
  1    failed, and called so everywhere: the gradient was not matched, or by other data; check: something is wrong
       (PARTIAL is a failure that came closer to the original than every guess)
  2    bad input: one line says what, nothing is written
  74   standard output cannot be written; the files are in their place
  130  interrupted: Ctrl-C keeps the best so far; a second one quits at once and writes nothing`

const exitCodesOf = ({ exitCodes }: Command): string =>
  exitCodes ? exitCodes.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n') : EXIT_CODES

/** `dlg --help`. */
export function overview(commands: readonly Command[], terminal: Terminal): string {
  const title = (text: string) => paint(terminal, 'stdout', 'bold', text)
  const list = commands.map((c) => [`${c.name} ${c.usage}`, c.summary] as const)
  return `dlg: what do the gradients you share give away?

A client of federated learning shares the gradient of its training step instead of its data. dlg plays both sides:
it computes the gradient of your data on a small network, then forgets the data and searches for what has the same
gradient (Deep Leakage from Gradients: Zhu, Liu, Han, 2019). It writes pictures and a report of how close it came.
For a model and a gradient of your own, dlg check says what an attack can do, and dlg attack does it.

${title('Commands')}
${table(list)}

${title('Examples')}
${commands.map((c) => `  ${c.examples[0]}`).join('\n')}

${title('Exit code')}
${EXIT_CODES}
${ownCodes(commands)}

dlg COMMAND --help teaches a command.
`
}

/** `dlg COMMAND --help`. */
export function helpOf(command: Command, terminal: Terminal): string {
  const title = (text: string) => paint(terminal, 'stdout', 'bold', text)
  return `dlg ${command.name} ${command.usage}

${command.description}

${title('Options')}
${table(optionRows(command.options))}

${title('Examples')}
${command.examples.map((e) => `  ${e}`).join('\n')}

${title('Exit code')}
${exitCodesOf(command)}
`
}

/** Names the commands whose exit codes mean something else. */
function ownCodes(commands: readonly Command[]): string {
  const names = commands.filter(({ exitCodes }) => exitCodes).map(({ name }) => name)
  return names.length === 0
    ? ''
    : `  ${new Intl.ListFormat('en-GB').format(names)} have exit codes of their own: see their help`
}

const optionRows = (options: Options) =>
  Object.entries(options).map(([name, { value, help, default: preset }]) => {
    const end = preset === undefined ? '' : ` (default ${preset})`
    return [`--${name}${value ? ` ${value}` : ''}`, `${help}${end}`] as const
  })

const WIDTH = 100

/** Two columns; the second wraps. */
function table(rows: readonly (readonly [string, string])[]): string {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4
  return rows.map(([name, text]) => `  ${name.padEnd(left - 2)}${wrap(text, WIDTH - left, left)}`).join('\n')
}

function wrap(text: string, width: number, indent: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.length - 1
    if (lines[last] && lines[last].length + word.length + 1 > width) lines.push(word)
    else lines[last] += lines[last] ? ` ${word}` : word
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
