import { DlgError } from '../errors/dlg-error'
import { nearest, readArguments } from './arguments'
import { type Command, EXIT } from './command'
import { commands } from './commands'
import { helpOf, overview } from './help'
import { inFlags } from './in-flags'
import { type Terminal, visible } from './terminal'
import { version } from './version'

/**
 * Runs one command line. Wrong input is one line on stderr and exit code 2.
 *
 * @param argv what follows `dlg`
 * @returns the exit code
 */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const say = (text: string) => terminal.stdout.write(`${text.trimEnd()}\n`)
  const [first, ...rest] = argv
  let command: Command | undefined
  try {
    if (first === '--version') say(version())
    else if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0))
      say(overview(commands, terminal))
    else if (first === 'help') say(helpOf(find(rest[0]), terminal))
    else {
      command = find(first)
      if (rest.some((word) => word === '--help' || word === '-h')) say(helpOf(command, terminal))
      else return await command.run(readArguments(command.options, rest), terminal)
    }
    return 0
  } catch (error) {
    if (terminal.signal.aborted && error instanceof DlgError && error.code === 'aborted') {
      terminal.stderr.write('dlg: interrupted before there was anything to write\n')
      return EXIT.interrupted
    }
    if (error instanceof DlgError) {
      terminal.stderr.write(`dlg: ${visible(oneLine(spelled(error.message, command)))}\n`)
      return EXIT.badInput
    }
    terminal.stderr.write(
      `dlg: a bug in dlg-ts, please report it: ${visible(String((error as Error)?.stack ?? error))}\n`,
    )
    return EXIT.bug
  }
}

/** A message with the flags that the command has. */
const spelled = (message: string, command: Command | undefined): string =>
  command?.optionsInFile ? message : inFlags(message, command?.options)

function find(name: string | undefined): Command {
  const names = commands.map((c) => c.name)
  const found = commands.find((c) => c.name === name)
  if (found) return found
  const all = `the commands are ${names.join(', ')}; see dlg --help`
  if (name === undefined) throw new DlgError('invalid-option', `no command given; ${all}`)
  const meant = nearest(name, names)
  throw new DlgError('invalid-option', `there is no command '${name}'; ${meant ? `did you mean ${meant}?` : all}`)
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ')
