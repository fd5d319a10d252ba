import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'
import type { Graph, Node } from '../graph'
import * as g from '../graph'
import type { Values } from '../runtime/runtime'
import { cast, outputDtype } from './dtype'
import { kernels } from './kernels'
import type { KernelInputs } from './kernels/kernel'

/** Numbers up to this count become constants of the graph; more become a parameter bound at run time. */
const LARGEST_CONSTANT = 64

type DataId = tf.TensorInfo['dataId']
type Recorded = tf.Tensor

/** A batch norm of a trace: what it normalises, and by which mean and variance. */
export interface Normalization {
  /** [..., channels] */
  readonly input: Node
  /** [channels], as the variance. */
  readonly mean: Node
  readonly variance: Node
}

/** The recorder as code under a trace sees it. */
export interface Recorder {
  /** The graph that is recorded into. */
  readonly graph: Graph
  /** Numbers as a node: a constant of the graph, or a parameter where they are many. */
  constantOf(values: ArrayLike<number>, shape: readonly number[]): Node
  /** A tfjs tensor that stands for a node while the trace runs. */
  tensorOf(node: Node, dtype?: tf.DataType): Recorded
  /** The node a tensor stands for. */
  nodeOf(tensor: tf.Tensor): Node
  /** Every batch norm so far: those that tfjs computes, and those told of. */
  readonly normalizations: readonly Normalization[]
  /** Tells of a batch norm that a model builds itself. */
  normalizes(normalization: Normalization): void
  /** Names the part of the model that runs next, for error messages; returns a function that leaves it. */
  enter(layer: string): () => void
  /** An error that names what cannot be traced and the layer; the trace fails with it even if it is swallowed. */
  failure(what: string | Error): DlgError
}

/** Values the traced function brought along: large constants and tensors of the caller's, by parameter name. */
export type Captured = Map<string, Values>

class RecordingBackend extends tf.KernelBackend {
  readonly nodes = new Map<DataId, Node>()
  readonly layers: string[] = []
  readonly failures: DlgError[] = []
  readonly normalizations: Normalization[] = []

  constructor(
    readonly graph: Graph,
    readonly captured: Captured,
  ) {
    super()
  }

  add(node: Node): DataId {
    const dataId = {}
    this.nodes.set(dataId, node)
    return dataId
  }

  /** The node behind a dataId; a tensor of another backend is read once and becomes a constant or a parameter. */
  node({ dataId, shape, dtype }: tf.TensorInfo): Node {
    const known = this.nodes.get(dataId)
    if (known) return known
    const node = this.capture(tf.engine().readSync(dataId), shape, dtype)
    this.nodes.set(dataId, node)
    return node
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): DataId {
    if (!values) throw this.failure(`a tensor of shape [${shape}] without values`)
    return this.add(this.capture(values, shape, dtype))
  }

  capture(values: tf.BackendValues, shape: readonly number[], dtype: tf.DataType): Node {
    if (dtype === 'string' || dtype === 'complex64') throw this.failure(`a tensor of dtype ${dtype}`)
    const numbers = Float64Array.from(values as Float32Array)
    // tfjs makes tensors of lists that hold tensors, with no number in them, and refuses them later
    const whole = numbers.length > 0 && numbers.length === g.sizeOf(shape)
    if (whole && numbers.every((v) => v === numbers[0])) return g.fill(this.graph, numbers[0], shape)
    if (whole && numbers.length <= LARGEST_CONSTANT && numbers.every(Number.isFinite))
      return g.constant(this.graph, [...numbers], shape)
    const name = `captured ${this.captured.size}`
    this.captured.set(name, numbers)
    return g.parameter(this.graph, name, shape)
  }

  /** tfjs also takes a mean of the input's own shape, which is of no channel. */
  normalizes({ x, mean, variance }: KernelInputs): void {
    if (mean.shape.length === 1) this.normalizations.push({ input: x, mean, variance })
  }

  /** Remembers the first failure: tfjs or the model may catch or rewrap what is thrown. */
  failure(what: string | Error): DlgError {
    if (isRefusal(what)) return what
    const layer = this.layers.at(-1)
    const cause = what instanceof Error ? what : undefined
    const message = `cannot trace ${cause ? reason(cause) : what}${layer ? ` in layer '${layer}'` : ''}`
    const error = new DlgError('untraceable', message, { cause })
    this.failures.push(error)
    return error
  }

  override readSync(dataId: DataId): tf.BackendValues {
    const node = this.nodes.get(dataId)
    const value = node && g.uniformValue(node)
    if (node && value !== undefined) return new Float32Array(g.sizeOf(node.shape)).fill(value)
    if (node?.op === 'constant') return Float32Array.from(node.attributes.values)
    const known = node?.op === 'parameter' && this.captured.get(node.attributes.name)
    if (known) return Float32Array.from(known)
    throw this.failure(
      'a read of values that are not known yet (dataSync, or a shape or branch that depends on data: use tf.where or another tensor operation)',
    )
  }

  override async read(dataId: DataId): Promise<tf.BackendValues> {
    return this.readSync(dataId)
  }

  override disposeData(dataId: DataId): boolean {
    this.nodes.delete(dataId)
    return true
  }

  override refCount(): number {
    return 1
  }
  override incRef(): void {}
  override numDataIds(): number {
    return this.nodes.size
  }
  override memory() {
    return { unreliable: false }
  }
  override floatPrecision(): 16 | 32 {
    return 32
  }
  override epsilon(): number {
    return 1e-7
  }
  override timerAvailable(): boolean {
    return false
  }
  override dispose(): void {}
}

/** An error that says what cannot be traced. What a node cannot be built of is for the recorder to name the kernel and the layer of. */
const isRefusal = (error: unknown): error is DlgError => error instanceof DlgError && error.code !== 'invalid-graph'

/** The message for an error from outside. tfjs names a kernel that neither the user's backend nor the tracer has. */
function reason({ message }: Error): string {
  const missing = /^Kernel '(\w+)' not registered/.exec(message)
  return missing ? `the operation ${missing[1]}` : `the forward pass: ${message}`
}

function kernelConfigs(backendName: string, userBackend: string): tf.KernelConfig[] {
  const run =
    (kernelName: string) =>
    ({ inputs, attrs, backend }: Parameters<tf.KernelFunc>[0]) => {
      const recording = backend as RecordingBackend
      const given = Object.entries(inputs).filter(([, info]) => info != null) as [string, tf.TensorInfo][]
      const nodes: KernelInputs = Object.fromEntries(given.map(([name, info]) => [name, recording.node(info)]))
      const dtype = outputDtype(kernelName, Object.fromEntries(given), attrs)
      const info = (node: Node): tf.TensorInfo => ({ dataId: recording.add(node), shape: [...node.shape], dtype })
      if (kernelName === 'Cast') return info(cast(nodes.x, given[0][1].dtype, dtype))
      const kernel = kernels[kernelName]
      if (!kernel) throw recording.failure(`the operation ${kernelName}`)
      try {
        if (kernelName === 'FusedBatchNorm') recording.normalizes(nodes)
        const out = kernel(nodes, attrs ?? {}, recording.graph)
        return Array.isArray(out) ? out.map(info) : info(out)
      } catch (cause) {
        throw isRefusal(cause) ? cause : recording.failure(`${kernelName} (${(cause as Error).message})`)
      }
    }
  // what the user's backend has and the tracer has not becomes an error that names it
  const names = new Set([
    ...Object.keys(kernels),
    'Cast',
    ...tf.getKernelsForBackend(userBackend).map((k) => k.kernelName),
  ])
  return [...names].map((kernelName) => ({
    kernelName,
    backendName,
    kernelFunc: run(kernelName) as unknown as tf.KernelFunc,
  }))
}

let traces = 0

/**
 * Runs `body` under a tfjs backend that records instead of computing. Only forward kernels run; the user's backend,
 * gradients and tensors are as they were afterwards, whatever happens.
 *
 * @throws DlgError `untraceable`, naming the kernel and the layer.
 */
export function record<T>(graph: Graph, captured: Captured, body: (recorder: Recorder) => T): T {
  const engine = tf.engine()
  // asking for it starts the user's default backend if none runs yet
  tf.backend()
  const user = tf.getBackend()
  const name = `dlg-trace-${traces++}`
  const backend = new RecordingBackend(graph, captured)
  const configs = kernelConfigs(name, user)
  tf.registerBackend(name, () => backend, -1)
  for (const config of configs) tf.registerKernel(config)
  try {
    void tf.setBackend(name)
    let result: T
    tf.tidy(() => {
      result = body({
        graph,
        constantOf: (values, shape) => backend.capture(Float64Array.from(values) as never, shape, 'float32'),
        tensorOf: (node, dtype = 'float32') =>
          engine.makeTensorFromDataId(backend.add(node), [...node.shape], dtype) as Recorded,
        nodeOf: (tensor) => backend.node(tensor),
        normalizations: backend.normalizations,
        normalizes: (normalization) => void backend.normalizations.push(normalization),
        enter(layer) {
          backend.layers.push(layer)
          return () => backend.layers.pop()
        },
        failure: (what) => backend.failure(what),
      })
      if (backend.failures.length > 0) throw backend.failures[0]
    })
    return result!
  } catch (error) {
    throw backend.failures[0] ?? backend.failure(error as Error)
  } finally {
    void tf.setBackend(user)
    for (const { kernelName } of configs) tf.unregisterKernel(kernelName, name)
    tf.removeBackend(name)
  }
}
