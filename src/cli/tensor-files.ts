import { DlgError } from '../errors/dlg-error'
import { type NamedTensors, readTensors } from '../io'

/** The tensors of a file, where every error names the file. @throws DlgError `invalid-file` */
export function tensorsOf(path: string): NamedTensors {
  try {
    return readTensors(path)
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** The same error with the file in front. */
export function naming(path: string, error: unknown): unknown {
  if (!(error instanceof DlgError) || error.message.startsWith(path)) return error
  return new DlgError(error.code, `${path}: ${error.message}`, { cause: error })
}
