import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as core from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors/dlg-error'
import { readBytes } from '../io/files/read-bytes'

/** How a file for `--import` looks. */
export const IMPORTED = 'export default (tf) => tf.serialization.registerClass(MyLayer)'

/**
 * Runs an ES module of the caller's, which registers what a model needs: layers, initializers and the like. Its default export, if there
 * is one, is called with the tfjs that the command line uses; another copy of tfjs has registers of its own.
 *
 * This is the only file that is run and not read.
 *
 * @throws DlgError `invalid-file` where there is none, where it throws, and where its default export is no function
 */
export async function importFile(path: string): Promise<void> {
  readBytes(path)
  const failed = (what: string, cause?: unknown) => new DlgError('invalid-file', `${path}: ${what}`, { cause })
  const told = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
  let file: { readonly default?: unknown }
  try {
    file = await import(pathToFileURL(resolve(path)).href)
  } catch (cause) {
    throw failed(`--import cannot run it: ${told(cause)}`, cause)
  }
  if (file.default === undefined) return
  if (typeof file.default !== 'function') throw failed(`its default export is no function; it must be like ${IMPORTED}`)
  try {
    await file.default({ ...core, ...layers })
  } catch (cause) {
    throw failed(`its default export failed: ${told(cause)}`, cause)
  }
}
