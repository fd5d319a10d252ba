import { readFileSync, statSync } from 'node:fs'
import { DlgError } from '../../errors/dlg-error'
import { checkPath } from '../bytes/untrusted'

/**
 * Reads a file whole.
 *
 * @throws DlgError `invalid-file` naming the path when it is missing, not a file, above `maximumBytes`, or unreadable.
 */
export function readBytes(path: string, maximumBytes = Number.POSITIVE_INFINITY): Uint8Array {
  checkPath(path)
  try {
    const stat = statSync(path)
    // Before reading: a pipe would block, and a device may never end.
    if (!stat.isFile()) {
      throw new DlgError('invalid-file', `${path}: is ${stat.isDirectory() ? 'a directory' : 'not a file'}`)
    }
    if (stat.size > maximumBytes) {
      throw new DlgError('invalid-file', `${path}: has ${stat.size} bytes; it must be at most ${maximumBytes}`)
    }
    return readFileSync(path)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file' : `cannot be read: ${message}`
    throw new DlgError('invalid-file', `${path}: ${reason}`, { cause })
  }
}
