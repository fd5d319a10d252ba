import { DlgError } from '../errors/dlg-error'
import type { Terminal } from './terminal'

/**
 * Lets a Ctrl-C be heard, for work that never waits.
 *
 * @throws DlgError `aborted` where there was one
 */
export async function hearInterruption({ signal }: Pick<Terminal, 'signal'>): Promise<void> {
  // signals come between two rounds of immediates
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve))
  if (signal.aborted) throw new DlgError('aborted', 'interrupted')
}
