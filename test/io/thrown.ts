import { DlgError } from '../../src/errors/dlg-error'

/** The DlgError that a call throws; fails when it returns or throws anything else. */
export function thrown(call: () => unknown): DlgError {
  try {
    call()
  } catch (error) {
    if (error instanceof DlgError) return error
    throw error
  }
  throw new Error('must have thrown a DlgError, but returned')
}
