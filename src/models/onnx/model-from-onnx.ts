import type { GraphModel } from '../../client/model/model'
import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { requireBackend } from '../require-backend'
import { withOwnParameters } from './exported-program'
import { fileOptions } from './file-options'
import { isNamed } from './find-weights'
import { type GraphMessage, type ModelMessage, readOnnx } from './messages'
import { openGraph } from './open-graph'
import { withLinearWeights } from './scikit'
import type { ExternalData } from './tensor-values'

/** How an ONNX file is read. */
export interface OnnxModelOptions {
  /** Name of the model, for messages. Default 'onnx'. */
  readonly name?: string
  /**
   * The weights that the client trains: their names, or an object or Map by these names, such as the shared gradient itself. Default
   * every float initializer that has a name of its own and reaches an output, without the moving statistics of batch norms.
   */
  readonly trainable?: readonly string[] | ReadonlyMap<string, unknown> | { readonly [weight: string]: unknown }
  /** The outputs that a loss may read. Default all outputs of the graph. */
  readonly outputs?: readonly string[]
  /** Shape of one sample in the file, without the batch axis, of inputs whose sizes the file leaves open. */
  readonly inputShape?: { readonly [input: string]: readonly number[] }
  /**
   * Whether data of pictures are [batch, height, width, channels], as everywhere in this library, and not [batch, channels, height, width] as
   * in the file: priors and pictures need the former. Default true. A picture is an input of 1, 3 or 4 channels with more rows and columns
   * than that; other inputs are as in the file.
   */
  readonly channelsLast?: boolean
  /** Bytes of the files beside the model that hold its weights, by their names. */
  readonly externalData?: ExternalData
}

/** A model out of an ONNX file. */
export interface OnnxModel extends GraphModel {
  readonly name: string
  /** Shape of one sample of each output. */
  readonly outputShape: { readonly [output: string]: readonly number[] }
  /** Frees the weights. */
  dispose(): void
}

/** Names of options. */
const OPTIONS = ['name', 'trainable', 'outputs', 'inputShape', 'channelsLast', 'externalData']
/** Versions of the operators that are read. */
const [OLDEST, NEWEST] = [7, 25]

/**
 * A model out of an ONNX file, as torch.onnx.export, tf2onnx and the converters of scikit-learn write it: every attack, check and audit
 * takes it. Nothing in the file is run. Its operators become nodes of our graph, whose derivatives are our own.
 *
 * Weights have the names of the file, which are those of PyTorch's `named_parameters()`, and PyTorch's shapes. So a gradient by these
 * names needs no mapping.
 *
 * @param bytes the file; a view of it may be kept while the model lives
 * @returns the model; `dispose` frees its weights
 * @throws DlgError `invalid-file` for what is no ONNX model or contradicts itself, `untraceable` naming the node and the operator that
 * is not supported, `invalid-option`, `invalid-data` when `bytes` are none, `runtime` where tfjs has no backend
 */
export function modelFromOnnx(bytes: Uint8Array, options: OnnxModelOptions = {}): OnnxModel {
  if (!(bytes instanceof Uint8Array))
    throw new DlgError('invalid-data', `bytes is ${show(bytes)}; it must be a Uint8Array, such as readFileSync gives`)
  const settings = fileOptions(options, OPTIONS, 'onnx')
  requireBackend()
  // a Buffer of Node has a slice() of its own, which is a view
  const model = readOnnx(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
  requireOneEach(model.graph!)
  const named = withOwnParameters(
    model.graph!,
    (name) => !isNamed(name),
    new Set(settings.trainable),
    settings.externalData,
  )
  const graph = withLinearWeights(named)
  return openGraph(graph, model, { ...settings, opset: versionOf(model) })
}

/** Every name is given once: by an initializer, or by one node. @throws DlgError `invalid-file` */
function requireOneEach({ node, initializer, input }: GraphMessage): void {
  const stored = initializer.flatMap(({ name }) => name || [])
  const values = [...stored, ...node.flatMap(({ output }) => output)]
  const given = new Set(input.flatMap(({ name }) => name || []))
  // an old file lists its initializers among the inputs
  for (const name of stored) given.delete(name)
  for (const name of values.filter((each) => each !== '')) {
    if (given.has(name))
      throw new DlgError(
        'invalid-file',
        `the file gives '${name.slice(0, 100)}' twice; a weight or the output of a node must have a name of its own`,
      )
    given.add(name)
  }
  const inputs = new Set(input.map(({ name }) => name))
  if (inputs.size < input.length) throw new DlgError('invalid-file', 'the graph has two inputs of one name')
}

function versionOf({ opset }: ModelMessage): number {
  const version = opset.find(({ domain }) => !domain || domain === 'ai.onnx')?.version
  if (version !== undefined && version >= OLDEST && version <= NEWEST) return version
  throw new DlgError(
    'untraceable',
    `the file is for version ${version ?? 'none'} of ONNX's operators; it must be ${OLDEST} to ${NEWEST} (opset_version=17 in torch.onnx.export)`,
  )
}
