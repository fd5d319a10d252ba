import { DlgError } from '../../errors/dlg-error'
import type * as node from './disk'

function noFiles(path: string): never {
  throw new DlgError(
    'invalid-file',
    `${path}: there are no files in a browser, where bytes must be given in place of a path: new Uint8Array(await file.arrayBuffer())`,
  )
}

export const readBytes: typeof node.readBytes = noFiles
export const writeFileAtomic: typeof node.writeFileAtomic = (path) => {
  throw new DlgError(
    'invalid-file',
    `${path}: a browser writes no files; give the bytes to a Blob and let it be downloaded`,
  )
}
export const nameOf: typeof node.nameOf = noFiles
export const isFolder: typeof node.isFolder = noFiles
export const fileIn: typeof node.fileIn = noFiles
export const beside: typeof node.beside = noFiles
