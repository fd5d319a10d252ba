import { DlgError } from '../../errors/dlg-error'
import { joined } from '../bytes/joined'
import { checkPath, isRecord, quote } from '../bytes/untrusted'
import { beside, isFolder, readBytes } from '../files/disk'
import { parseJson } from './json-tensors'
import { folderForModel, notModelJson } from './model-kind'
import { type NamedTensors, readAll, type StoredTensor } from './stored-tensor'
import { isJson } from './tensor-format'
import { checkGroup, openGroup, readManifest, type TfjsGroup } from './tfjs-manifest'

export type Json = Record<string, unknown>

/** Weights of a manifest, and the bytes of their shards. */
export interface Group {
  readonly group: TfjsGroup
  readonly bytes: Uint8Array
}

/**
 * Reads the weights beside a tfjs `model.json`: float32, int32 and bool, also quantised to float16, uint8 or uint16.
 *
 * It needs Node. Integers must fit float32 exactly. Shards are read from the folder of `model.json` and below it, from nowhere
 * else.
 *
 * @returns the weights by name, in the manifest's order.
 * @throws DlgError `invalid-file` naming the path when a file is missing or malformed, the manifest names a file
 * elsewhere, or the shards do not hold exactly its weights.
 */
export function readTfjsWeights(path: string): NamedTensors {
  return readAll(openTfjsWeights(path))
}

/** The weights, none of them read yet. @throws DlgError as {@link readTfjsWeights} */
export function openTfjsWeights(path: string): StoredTensor[] {
  return readGroups(readModelJson(path), path).flatMap(({ group, bytes }) => openGroup(group, bytes, path))
}

function readModelJson(path: string): Json {
  checkPath(path)
  if (isFolder(path)) throw folderForModel(path)
  const json = jsonModel(readBytes(path), path)
  if ('weightsManifest' in json) return json
  throw noManifest(path)
}

/** A `model.json`, or an architecture alone. @throws DlgError `invalid-file` for anything else */
export function jsonModel(bytes: Uint8Array, path: string): Json {
  if (!isJson(bytes)) throw notModelJson(bytes, path)
  const json = parseJson(bytes, path)
  if (isRecord(json) && ('weightsManifest' in json || isArchitecture(json))) return json
  throw noManifest(path)
}

/** What `model.to_json()` gives: a class and its layers, without weights. */
export const isArchitecture = (json: Json): boolean => typeof json.class_name === 'string' && isRecord(json.config)

const noManifest = (path: string): DlgError =>
  new DlgError('invalid-file', `${path}: has no weightsManifest; it must be a model.json of TensorFlow.js`)

/** The weights of a `model.json`, read from the shards beside it. @throws DlgError `invalid-file` */
export function readGroups(json: Json, path: string): Group[] {
  return readManifest(json.weightsManifest, path).map((group) => {
    const bytes = joined(group.paths.map((shard) => readBytes(shardPath(path, shard))))
    checkGroup(group, bytes, path)
    return { group, bytes }
  })
}

/**
 * Where a shard lies, with links resolved.
 *
 * @throws DlgError `invalid-file` when a link leads out of the folder, so that a model from elsewhere cannot make the reader
 * open other files of the machine.
 */
function shardPath(path: string, shard: string): string {
  const found = beside(path, shard)
  if (found.inside) return found.path
  throw new DlgError(
    'invalid-file',
    `${path}: the shard ${quote(shard)} is a link out of the folder of model.json, to ${quote(found.path)}; copy the file into the folder`,
  )
}
