import { randomUUID } from 'node:crypto'
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DlgError } from '../errors/dlg-error'
import { writeFileAtomic } from '../io'

export type Files = Readonly<Record<string, Uint8Array | string>>

/**
 * Refuses, before any work, a folder that cannot be written.
 *
 * @throws DlgError `invalid-file`
 */
export function checkFolder(folder: string): void {
  for (let path = resolve(folder); ; path = dirname(path)) {
    if (isFolder(path) || path === dirname(path)) return
    if (existsSync(path)) throw new DlgError('invalid-file', `--out ${folder}: ${path} is a file; give a folder`)
  }
}

/**
 * Puts all files of a run into a folder, or none.
 *
 * They are written into a temporary folder beside it. If there is no such folder yet, one rename puts it in place. If
 * there is, its other files stay, and ours are renamed over their predecessors one after the other: signals are not
 * served between synchronous calls, so only a kill -9 or a power cut within those microseconds could come in between.
 *
 * @throws DlgError `invalid-file` when it cannot be written; the folder is then as it was
 */
export function writeFiles(folder: string, files: Files): void {
  const target = resolve(folder)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    for (const [name, content] of Object.entries(files)) writeFileAtomic(join(temporary, name), content)
    if (existsSync(target)) {
      const taken = Object.keys(files).find((name) => isFolder(join(target, name)))
      if (taken !== undefined)
        throw new DlgError('invalid-file', `${join(folder, taken)}: is a folder, where a file must go`)
      for (const name of Object.keys(files)) renameSync(join(temporary, name), join(target, name))
    } else renameSync(temporary, target)
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    throw new DlgError('invalid-file', `--out ${folder}: cannot be written: ${(cause as Error).message}`, { cause })
  } finally {
    removeQuietly(temporary)
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
