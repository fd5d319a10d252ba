import type { GraphModel } from '../../client/model/model'
import { requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { fileOptions } from '../onnx/file-options'
import { openGraph } from '../onnx/open-graph'
import { requireBackend } from '../require-backend'
import { type GraphConstant, readGraphDef } from './graph-def'

/** What tfjs loads of a graph model: the part of its `io.ModelArtifacts` that is read here. */
export interface GraphModelArtifacts {
  /** A GraphDef of TensorFlow in JSON. */
  readonly modelTopology?: object | ArrayBuffer
  /** Names, shapes and types of the weights, in the order of `weightData`. */
  readonly weightSpecs?: readonly GraphWeightSpec[]
  readonly weightData?: ArrayBuffer | ArrayBuffer[]
  /** Names of inputs and outputs. */
  readonly signature?: object
  readonly userDefinedMetadata?: object
}

/** How a weight lies in `weightData`. */
export interface GraphWeightSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: string
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number }
}

/** How a graph model is read. */
export interface GraphModelOptions {
  /** Name of the model, for messages. Default 'graph model'. */
  readonly name?: string
  /**
   * The weights that the client trains: their names, or an object or Map by these names, such as the shared gradient itself. Default all weights
   * that reach an output, without the moving statistics of batch norms.
   */
  readonly trainable?: readonly string[] | ReadonlyMap<string, unknown> | { readonly [weight: string]: unknown }
  /** The outputs that a loss may read, by the names of the signature. Default all. */
  readonly outputs?: readonly string[]
  /** Shape of one sample, without the batch axis, of inputs whose sizes the file leaves open. */
  readonly inputShape?: { readonly [input: string]: readonly number[] }
}

/** A model out of a graph model of tfjs. */
export interface TfjsGraphModel extends GraphModel {
  readonly name: string
  /** Shape of one sample of each output. */
  readonly outputShape: { readonly [output: string]: readonly number[] }
  /** Frees the weights. */
  dispose(): void
}

const OPTIONS = ['name', 'trainable', 'outputs', 'inputShape']

/**
 * A model out of a graph model of TensorFlow.js, the `model.json` with `"format": "graph-model"` that tensorflowjs_converter makes of a SavedModel: every
 * attack, check and audit takes it. In Node: `modelFromGraphModel(await modelFromFile('model.json').load())`; elsewhere `load()` of tfjs's own handlers
 * gives the artifacts. Nothing in the file is run. Its operators become nodes of our graph, whose derivatives are our own.
 *
 * Weights that are Keras's have Keras's names and shapes: `dense/kernel`, `conv2d/bias`. The converter merges batch norms into the convolutions before
 * them. Such weights have the names of the file, and no gradient of Keras pairs with them.
 *
 * @param artifacts what tfjs loads; `weightData` may be kept while the model lives
 * @returns the model; `dispose` frees its weights
 * @throws DlgError `invalid-file` for what is no graph model or contradicts itself, `untraceable` naming the node and the operator that is not
 * supported, `invalid-option`, `invalid-data` when `artifacts` is no object, `runtime` where tfjs has no backend
 */
export function modelFromGraphModel(artifacts: GraphModelArtifacts, options: GraphModelOptions = {}): TfjsGraphModel {
  if (typeof artifacts !== 'object' || artifacts === null)
    throw new DlgError('invalid-data', `artifacts is ${show(artifacts)}; it must be what a handler of tfjs loads`)
  const settings = fileOptions(options, OPTIONS, 'graph model')
  requireBackend()
  const { modelTopology, weightSpecs = [], weightData = new ArrayBuffer(0), userDefinedMetadata } = artifacts
  if (typeof modelTopology !== 'object' || modelTopology === null || !('node' in modelTopology))
    throw new DlgError(
      'invalid-file',
      `modelTopology is ${show(modelTopology)}; it must be a GraphDef, as in a model.json with "format": "graph-model"`,
    )
  const ofOldFiles = (userDefinedMetadata as { signature?: object } | undefined)?.signature
  const constants = constantsOf(weightSpecs, joined(weightData))
  const graph = readGraphDef(modelTopology, artifacts.signature ?? ofOldFiles, constants)
  const message = { producer: 'tensorflow', graph, opset: [], functions: [] }
  return openGraph(graph, message, { ...settings, channelsLast: false, opset: 13 })
}

function joined(data: ArrayBuffer | ArrayBuffer[]): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (!Array.isArray(data) || !data.every((part) => part instanceof ArrayBuffer))
    throw new DlgError('invalid-file', `weightData is ${show(data)}; it must be an ArrayBuffer, or a list of them`)
  const whole = new Uint8Array(data.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of data) {
    whole.set(new Uint8Array(part), at)
    at += part.byteLength
  }
  return whole
}

const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, float16: 2, uint8: 1, uint16: 2 }
/** ONNX's numbers for the types that weights are stored as. */
const TYPES: Readonly<Record<string, number>> = { float32: 1, int32: 6, bool: 9, float16: 10 }

/** Weights one after the other; floats are views of the data where they lie aligned. */
function constantsOf(specs: readonly GraphWeightSpec[], data: Uint8Array): Map<string, GraphConstant> {
  if (!Array.isArray(specs)) throw new DlgError('invalid-file', `weightSpecs is ${show(specs)}; it must be a list`)
  for (const [i, spec] of specs.entries())
    requireObject(`weightSpecs[${i}]`, spec, '{name, shape, dtype}', 'invalid-file')
  let at = 0
  const constants = new Map<string, GraphConstant>()
  for (const { name, shape, dtype, quantization } of specs as readonly GraphWeightSpec[]) {
    const wrong = (what: string) => new DlgError('invalid-file', `weight ${show(name)} ${what}`)
    if (typeof name !== 'string' || !Array.isArray(shape)) throw wrong('has no name, or no shape')
    const stored = quantization?.dtype ?? dtype
    if (!Object.hasOwn(BYTES, stored))
      throw wrong(`is of type ${show(stored)}; it must be float32, float16, int32 or bool`)
    const count = shape.reduce((a: number, b: number) => a * b, 1)
    const length = count * BYTES[stored]
    if (!Number.isSafeInteger(length) || length < 0 || at + length > data.length)
      throw wrong(`has shape ${show(shape)}; weightData ends before it`)
    const bytes = data.subarray(at, at + length)
    at += length
    constants.set(
      name,
      Object.hasOwn(TYPES, stored)
        ? { shape, type: TYPES[stored], bytes }
        : dequantised(shape, bytes, quantization!, wrong),
    )
  }
  if (at !== data.length)
    throw new DlgError('invalid-file', `weightData has ${data.length} bytes; the weights need ${at}`)
  return constants
}

/** value = stored · scale + min, in float32. */
function dequantised(
  shape: readonly number[],
  bytes: Uint8Array,
  { dtype, scale, min }: NonNullable<GraphWeightSpec['quantization']>,
  wrong: (what: string) => DlgError,
): GraphConstant {
  if (typeof scale !== 'number' || typeof min !== 'number') throw wrong('is quantised without a scale and a min')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = BYTES[dtype]
  const values = Float32Array.from({ length: bytes.length / size }, (_, i) => {
    const stored = size === 1 ? view.getUint8(i) : view.getUint16(2 * i, true)
    return stored * scale + min
  })
  return { shape, type: 1, bytes: new Uint8Array(values.buffer) }
}
