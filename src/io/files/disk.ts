import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'

// The build for browsers takes disk.browser.ts in place of this file.

export { writeFileAtomic } from './atomic'
export { readBytes } from './read-bytes'

/** The last part of a path. */
export const nameOf = (path: string): string => basename(path)

/** Whether there is a folder at a path. */
export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** The path of a file in a folder; undefined when there is none. */
export function fileIn(folder: string, name: string): string | undefined {
  const path = join(folder, name)
  return existsSync(path) ? path : undefined
}

/** A file named beside another one. */
export interface Beside {
  /** Where it really lies: links are resolved. */
  readonly path: string
  /** Whether that is in the folder of the other file, or below it. */
  readonly inside: boolean
}

/**
 * Finds a file that another one names relative to its own folder. Links are resolved first: the name of a link says nothing
 * about the file that it leads to. Caches of models keep all files elsewhere and link to them, so the folder where the other
 * file itself really lies will do too.
 */
export function beside(path: string, relative: string): Beside {
  const named = join(dirname(path), relative)
  let folders: string[]
  let real: string
  try {
    folders = [realpathSync(dirname(path)), dirname(realpathSync(path))]
    real = realpathSync(named)
  } catch {
    // Missing, or a link in a circle: reading it says so.
    return { path: named, inside: true }
  }
  const inside = folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep))
  return { path: real, inside }
}
