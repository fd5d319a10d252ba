import * as util from 'node:util'

interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** The outside as a command sees it. A test hands in its own. */
export interface Terminal {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
}

/**
 * What a terminal would obey rather than show, but for line feeds: control characters of C0 and C1, and the marks that turn
 * the direction of writing.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const OBEYED = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * Text that may hold names out of files, made safe to print: what a terminal would obey is shown as \\uXXXX, which is also how
 * JSON writes it, so that JSON keeps its meaning.
 */
export const visible = (text: string): string =>
  text.replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

type Style = 'bold' | 'dim' | 'green' | 'red'

/** Colours text where a person reads it; Node 20 has the colours from 20.12 on. */
export function paint(terminal: Terminal, output: 'stdout' | 'stderr', style: Style, text: string): string {
  if (!terminal[output].isTTY || terminal.env.NO_COLOR) return text
  // later versions ask process.stdout themselves unless told not to
  return util.styleText?.(style, text, { validateStream: false }) ?? text
}
