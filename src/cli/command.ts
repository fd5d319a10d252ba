import type { Verdict } from '../measure/verdict'
import type { Arguments, Options } from './arguments'
import type { Terminal } from './terminal'

/** How a run ended, for scripts. */
export const EXIT = { converged: 0, failed: 1, badInput: 2, bug: 70, output: 74, interrupted: 130 } as const

/** The exit code of a verdict. */
export const exitCode = ({ failed, interrupted }: Verdict): number =>
  interrupted ? EXIT.interrupted : failed ? EXIT.failed : EXIT.converged

/** A sub-command: one file in `commands/`, one line in `commands/index.ts`. */
export interface Command {
  readonly name: string
  /** What follows the name. */
  readonly usage: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What it does and how to read what it writes. */
  readonly description: string
  readonly options: Options
  /** Whether options of the call come from a file: errors then name them as the file has them, and not as flags. */
  readonly optionsInFile?: true
  readonly examples: readonly string[]
  /** What each exit code means, where it is not as for an attack. */
  readonly exitCodes?: readonly (readonly [code: number, meaning: string])[]
  /**
   * @returns the exit code
   * @throws DlgError for every wrong input, before anything is written
   */
  run(args: Arguments, terminal: Terminal): Promise<number>
}
