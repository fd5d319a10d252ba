import { DlgError } from '../errors/dlg-error'
import type { CrossedError } from './protocol'

/** An error as plain data. */
export function crossed(error: unknown): CrossedError {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  return { code: DlgError.is(error) ? error.code : undefined, name, message }
}

/** The error that has crossed. */
export const uncrossed = ({ code, name, message }: CrossedError): Error =>
  code === undefined ? Object.assign(new Error(message), { name }) : new DlgError(code, message)
