import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DlgError } from '../errors/dlg-error'
import { makeFolder, removeStale, temporaryName } from '../io/files/atomic'

export type Files = Readonly<Record<string, Uint8Array | string>>

/**
 * Refuses, before any work, a folder that cannot be written. It makes the folder, or a folder in it, with a file, and takes all of
 * that away again: nothing else tells, since permissions do not know of file systems that are read-only or no place for files.
 *
 * @param names of the files that are to go there; a folder of such a name is refused too
 * @throws DlgError `invalid-file`
 */
export function checkFolder(folder: string, names: readonly string[] = []): void {
  const target = resolve(folder)
  for (let path = target; !isFolder(path) && path !== dirname(path); path = dirname(path))
    if (existsSync(path)) throw new DlgError('invalid-file', `--out ${folder}: ${path} is a file; give a folder`)
  // where `writeFiles` puts it, whose name is longer
  probe(folder, temporaryName(isFolder(target) ? join(target, '.dlg') : target))
  refuseFolders(folder, names)
}

/** Makes a folder with a file in it, and removes both, with the folders around them that were not there. */
function probe(folder: string, place: string): void {
  const missing: string[] = []
  for (let path = place; !existsSync(path); path = dirname(path)) missing.push(path)
  try {
    // one by one: where a system refuses with ENOENT, as /proc does, Node's recursive mkdir never returns
    for (const path of [...missing].reverse()) mkdirSync(path)
    writeFileSync(join(place, 'probe'), 'probe')
  } catch (cause) {
    throw unwritable(folder, cause)
  } finally {
    removeQuietly(join(place, 'probe'))
    for (const path of missing) removeEmpty(path)
  }
}

const unwritable = (folder: string, cause: unknown): DlgError =>
  new DlgError('invalid-file', `--out ${folder}: cannot be written: ${(cause as Error).message}`, { cause })

function refuseFolders(folder: string, names: readonly string[]): void {
  const taken = names.find((name) => isFolder(join(folder, name)))
  if (taken !== undefined)
    throw new DlgError('invalid-file', `${join(folder, taken)}: is a folder, where a file must go`)
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
      refuseFolders(folder, Object.keys(files))
      for (const name of Object.keys(files)) renameSync(join(temporary, name), join(target, name))
    } else renameSync(temporary, target)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    throw unwritable(folder, cause)
  } finally {
    removeQuietly(temporary)
  }
}

/** Removes a folder that was made for a moment, unless somebody else has put something there since. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // it is in use, or was never made
  }
}

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // what kept it from being written is the error to report
  }
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()
