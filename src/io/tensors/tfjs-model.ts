import { DlgError } from '../../errors/dlg-error'
import { joined } from '../bytes/joined'
import { checkPath, isRecord, quote } from '../bytes/untrusted'
import { beside, isFolder, readBytes } from '../files/disk'
import { parseJson } from './json-tensors'
import { inKeras2, isKeras3, weightName } from './keras3'
import { folderForModel, notModelJson } from './model-kind'
import { type NamedTensors, readAll, type StoredTensor } from './stored-tensor'
import { isJson } from './tensor-format'
import { checkGroup, openGroup, readManifest, type TfjsGroup, type TfjsWeight } from './tfjs-manifest'

/** What `tf.loadLayersModel` asks of a handler. */
export interface ModelHandler {
  /** Reads the topology and the weights. tfjs calls this. @throws DlgError `invalid-file` */
  load(): Promise<ModelArtifacts>
}

/** How a weight lies in `weightData`. */
export interface WeightSpec {
  name: string
  shape: number[]
  dtype: 'float32' | 'int32' | 'bool'
  quantization?: { dtype: 'uint8' | 'uint16' | 'float16'; scale?: number; min?: number }
}

/** The part of tfjs's `io.ModelArtifacts` that a layers model needs. */
export interface ModelArtifacts {
  modelTopology: object
  weightSpecs: WeightSpec[]
  weightData: ArrayBuffer
  format?: string
  generatedBy?: string
  convertedBy?: string | null
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

/**
 * A handler for `tf.loadLayersModel` that reads `model.json` and its shards from disk, so that Node needs no tfjs-node:
 * `await tf.loadLayersModel(modelFromFile('model/model.json'))`.
 *
 * Shards are confined as in {@link readTfjsWeights}. Nothing is read before `load`, which rejects with DlgError
 * `invalid-file` where that throws, and when the file holds no layers model.
 */
export function modelFromFile(path: string): ModelHandler {
  checkPath(path)
  return { load: async () => readArtifacts(path) }
}

function readArtifacts(path: string): ModelArtifacts {
  const json = readModelJson(path)
  const { modelTopology, format, generatedBy, convertedBy } = json
  if (!isRecord(modelTopology) || (format !== undefined && format !== 'layers-model')) {
    throw new DlgError(
      'invalid-file',
      `${path}: holds ${isRecord(modelTopology) ? `a ${quote(format)}` : 'no topology'}; it must be a layers model: tensorflowjs_converter --output_format=tfjs_layers_model, or model.save`,
    )
  }
  const groups = readGroups(json, path)
  return {
    ...(isKeras3(modelTopology) ? translated(modelTopology, groups, path) : artifactsOf(modelTopology, groups)),
    ...(typeof format === 'string' && { format }),
    ...(typeof generatedBy === 'string' && { generatedBy }),
    ...(typeof convertedBy === 'string' && { convertedBy }),
  }
}

type Group = { readonly group: TfjsGroup; readonly bytes: Uint8Array }
type Built = Pick<ModelArtifacts, 'modelTopology' | 'weightSpecs' | 'weightData'>

const artifactsOf = (modelTopology: object, groups: readonly Group[]): Built => ({
  modelTopology,
  weightSpecs: groups.flatMap(({ group }) => group.weights.map(specOf)),
  weightData: joined(groups.map(({ bytes }) => bytes)).buffer,
})

/** A model of Keras 3 in the words of Keras 2, without the state of random generators. */
function translated(from: Record<string, unknown>, groups: readonly Group[], path: string): Built {
  const { topology, layers } = inKeras2(from, path)
  const kept = groups.flatMap(({ group, bytes }) => {
    let at = 0
    return group.weights.flatMap((weight) => {
      const own = bytes.subarray(at, at + weight.bytes)
      at += weight.bytes
      const name = weightName(weight.name, layers)
      return name === undefined ? [] : [{ spec: specOf({ ...weight, name }), bytes: own }]
    })
  })
  return {
    modelTopology: topology,
    weightSpecs: kept.map(({ spec }) => spec),
    weightData: joined(kept.map(({ bytes }) => bytes)).buffer,
  }
}

function specOf({ name, shape, dtype, stored, scale, min }: TfjsWeight): WeightSpec {
  if (stored === 'uint8' || stored === 'uint16')
    return { name, shape, dtype, quantization: { dtype: stored, scale, min } }
  if (stored === 'float16') return { name, shape, dtype, quantization: { dtype: stored } }
  return { name, shape, dtype }
}

function readModelJson(path: string): Record<string, unknown> {
  checkPath(path)
  if (isFolder(path)) throw folderForModel(path)
  const bytes = readBytes(path)
  if (!isJson(bytes)) throw notModelJson(bytes, path)
  const json = parseJson(bytes, path)
  if (isRecord(json) && 'weightsManifest' in json) return json
  throw new DlgError('invalid-file', `${path}: has no weightsManifest; it must be a model.json of TensorFlow.js`)
}

function readGroups(json: Record<string, unknown>, path: string): Group[] {
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
