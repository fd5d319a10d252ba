import { DlgError } from '../errors/dlg-error'
import { type Ignore, type LeftOut, type NamedTensors, readFloatTensors, readTensors } from '../io'

/** The tensors of a file, where every error names the file. @throws DlgError `invalid-file` */
export const tensorsOf = (path: string): NamedTensors => withPath(path, () => readTensors(path))

/** The tensors of a file that may be gradients or weights, and the names of the others. @throws DlgError `invalid-file` */
export const floatsOf = (
  path: string,
  ignore: Ignore,
): { readonly tensors: NamedTensors; readonly leftOut: readonly LeftOut[] } =>
  withPath(path, () => readFloatTensors(path, { ignore }))

function withPath<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** An error with the file in front. */
export function naming(path: string, error: unknown): unknown {
  if (!(error instanceof DlgError) || error.message.startsWith(path)) return error
  return new DlgError(error.code, `${path}: ${error.message}`, { cause: error })
}
