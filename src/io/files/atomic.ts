import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DlgError } from '../../errors/dlg-error'

/**
 * Writes a file whole or not at all, in Node: into a temporary file beside it, then renamed over it.
 *
 * Missing folders are made. On failure the temporary file is removed and whatever was at `path` stays. Temporary files that
 * a killed process left there for this path are removed once they are an hour old.
 *
 * @throws DlgError `invalid-file` naming the path when it cannot be written.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  // In the same folder, because a rename is atomic only within one file system.
  const temporary = temporaryName(path)
  try {
    makeFolder(dirname(path))
    removeStale(path)
    writeFileSync(temporary, bytes, { flag: 'wx' })
    renameSync(temporary, path)
  } catch (cause) {
    removeQuietly(temporary)
    throw new DlgError('invalid-file', `${path}: cannot be written: ${(cause as Error).message}`, { cause })
  }
}

/** A name that no other process takes, and that {@link removeStale} knows again. */
export const temporaryName = (path: string): string => `${path}.${randomUUID()}.tmp`

const TEMPORARY = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/
const STALE_MS = 3_600_000

/** Removes what a killed process left of {@link temporaryName}; one that still writes takes seconds. */
export function removeStale(path: string): void {
  const [folder, name] = [dirname(path), basename(path)]
  const left = readdirSync(folder).filter((n) => n.startsWith(name) && TEMPORARY.test(n.slice(name.length)))
  for (const temporary of left.map((n) => join(folder, n))) {
    const age = Date.now() - (statSync(temporary, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY)
    if (age > STALE_MS) removeQuietly(temporary)
  }
}

/**
 * Makes a folder and those above it, each only if it is missing.
 *
 * Not by the recursive mkdir of Node, which never returns where a file system answers that a folder does not exist though
 * the one above it does, as /proc does (Node 20.20).
 */
export function makeFolder(path: string): void {
  if (existsSync(path)) return
  const above = dirname(path)
  if (above !== path) makeFolder(above)
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have made it in between.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // The write's own error is the one to report.
  }
}
