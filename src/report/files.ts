import { existsSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DlgError } from '../errors/dlg-error'
import { makeFolder, removeStale, temporaryName } from '../io/files/atomic'

export type Files = Readonly<Record<string, Uint8Array | string>>

/**
 * Refuses, before any work, a folder that cannot be written. The folder stays as it was, or missing.
 *
 * Nothing but making something there tells: permissions do not know of file systems that are read-only, full, or no place
 * for files.
 *
 * @throws DlgError `invalid-file`
 */
export function checkFolder(folder: string): void {
  let path = resolve(folder)
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path)
  if (!isFolder(path)) throw new DlgError('invalid-file', `--out ${folder}: ${path} is a file; give a folder`)
  try {
    rmdirSync(mkdtempSync(join(path, '.dlg-')))
  } catch (cause) {
    throw unwritable(folder, cause)
  }
}

/**
 * Puts all files of a run into a folder, or none.
 *
 * If there is no such folder yet, they are written into a temporary folder beside it, which one rename puts in place. If
 * there is, they are written into a temporary folder in it, its other files stay, and ours are renamed over their
 * predecessors one after the other: signals are not served between synchronous calls, so only a kill -9 or a power cut
 * within those microseconds could come in between. What such a kill left behind is removed once it is an hour old.
 *
 * @throws DlgError `invalid-file` when it cannot be written; the folder is then as it was
 */
export function writeFiles(folder: string, files: Files): void {
  const target = resolve(folder)
  const own = existsSync(target) ? join(target, '.dlg') : target
  const temporary = temporaryName(own)
  try {
    makeFolder(dirname(own))
    removeStale(own)
    mkdirSync(temporary)
    for (const [name, content] of Object.entries(files)) writeFileSync(join(temporary, name), content)
    if (existsSync(target)) {
      const taken = Object.keys(files).find((name) => isFolder(join(target, name)))
      if (taken !== undefined)
        throw new DlgError('invalid-file', `${join(folder, taken)}: is a folder, where a file must go`)
      for (const name of Object.keys(files)) renameSync(join(temporary, name), join(target, name))
    } else renameSync(temporary, target)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    throw unwritable(folder, cause)
  } finally {
    removeQuietly(temporary)
  }
}

const unwritable = (folder: string, cause: unknown): DlgError =>
  new DlgError('invalid-file', `--out ${folder}: cannot be written: ${(cause as Error).message}`, { cause })

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // what kept it from being written is the error to report
  }
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()
