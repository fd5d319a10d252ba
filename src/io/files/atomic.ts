import { randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkPath } from './read-bytes'

/**
 * Writes a file whole or not at all: into a temporary file beside it, then renamed over it.
 *
 * Missing folders are made. On failure the temporary file is removed and whatever was at `path` stays.
 *
 * @throws DlgError `invalid-file` naming the path when it cannot be written; `invalid-data` for what is no path or no bytes.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  checkPath(path)
  if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array))
    throw new DlgError('invalid-data', `${path}: the content is ${show(bytes)}; it must be a Uint8Array or a string`)
  // In the same folder, because a rename is atomic only within one file system.
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(temporary, bytes, { flag: 'wx' })
    renameSync(temporary, path)
  } catch (cause) {
    removeQuietly(temporary)
    throw new DlgError('invalid-file', `${path}: cannot be written: ${(cause as Error).message}`, { cause })
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // The write's own error is the one to report.
  }
}
