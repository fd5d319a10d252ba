import * as util from 'node:util'

interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** What a command sees of the outside; a test hands in its own. */
export interface Terminal {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
}

type Style = 'bold' | 'dim' | 'green' | 'red'

/** Colours text where a person reads it; Node 20 has the colours from 20.12 on. */
export function paint(terminal: Terminal, output: 'stdout' | 'stderr', style: Style, text: string): string {
  if (!terminal[output].isTTY || terminal.env.NO_COLOR) return text
  // later versions ask process.stdout themselves unless told not to
  return util.styleText?.(style, text, { validateStream: false }) ?? text
}
