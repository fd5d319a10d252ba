import type { GraphMessage, NodeMessage, TensorMessage } from './messages'
import { type ExternalData, type StoredValues, tensorValues } from './tensor-values'

/** What dynamo's exporter tells of a node: the call in the program of torch.export, and the modules that it is in. */
const CALL = 'pkg.torch.onnx.fx_node'
const SCOPES = 'pkg.torch.onnx.name_scopes'

/** ONNX's numbers for floats: of 32, 16 and 64 bits, and bfloat16. */
const FLOATS: ReadonlySet<number | undefined> = new Set([1, 10, 11, 16])

/** Operators whose bias is left out where it is zero. */
const WITH_BIAS: ReadonlySet<string | undefined> = new Set(['Gemm', 'Conv', 'ConvTranspose'])

/** One call of PyTorch, and the nodes that it became. */
interface Call {
  readonly nodes: NodeMessage[]
  /** What PyTorch calls, such as `aten.linear`. */
  readonly target: string
  /** Parameters and buffers in the order of the arguments, as torch.export calls them: `p_layers_0_norm1_weight`. */
  readonly parameters: readonly string[]
  readonly module: string
}

/** An initializer as a node reads it. */
interface Read {
  readonly node: NodeMessage
  readonly at: number
  readonly tensor: TensorMessage
}

/** The name of a module, as `['', 'wte', 'embedding']` tells it: `wte`. */
export function moduleOf({ metadata }: NodeMessage): string | undefined {
  const scopes = metadata.find(({ key }) => key === SCOPES)?.value
  return scopes && [...new TextDecoder().decode(scopes).matchAll(/'([^']*)'/g)].at(-2)?.[1]
}

/** Whether a node is a call of the program, and nothing that the exporter added. */
export const isOfProgram = ({ metadata }: NodeMessage): boolean => metadata.some(({ key }) => key === CALL)

/** A name as torch.export writes it: `layers.0.Norm1.weight` is `layers_0_norm1_weight`. */
const flattened = (name: string): string => name.replaceAll('.', '_').toLowerCase()

/**
 * Gives the parameters of PyTorch back that dynamo's exporter merged when it optimised (`optimize=True`, its default):
 *
 * - Of parameters with equal numbers, such as the norms of a model before the first step, it keeps one. Each gets its own again.
 * - The weight of a linear layer is transposed and has no name any more. It is turned back, and transposed by a node.
 * - A bias of zeros is left out of a product or a convolution. It is put back.
 *
 * Every node says which call of PyTorch it comes from, and that call names its parameters. What was computed anew, such as a batch norm
 * merged into a convolution, stays as it is in the file.
 *
 * @param isGenerated whether an exporter made the name of an initializer up
 * @param wanted names of weights as the client has them
 */
export function withOwnParameters(
  graph: GraphMessage,
  isGenerated: (name: string) => boolean,
  wanted: ReadonlySet<string>,
  external: ExternalData,
): GraphMessage {
  const calls = callsOf(graph.node)
  if (calls.length === 0) return graph
  const tensors = new Map(graph.initializer.flatMap((t) => (t.name ? [[t.name, t] as const] : [])))
  const names = new Map([...tensors.keys(), ...wanted].map((name) => [flattened(name), name]))
  const inputs = new Map<NodeMessage, Map<number, string>>()
  const before = new Map<NodeMessage, NodeMessage>()
  const added = new Map<string, TensorMessage>()
  const valuesOf = (tensor: TensorMessage) => tensorValues(tensor, `initializer '${tensor.name}'`, external)
  const replace = (node: NodeMessage, at: number, name: string): void => {
    inputs.set(node, (inputs.get(node) ?? new Map()).set(at, name))
  }
  const add = (name: string, tensor: () => TensorMessage): void => {
    if (!tensors.has(name) && !added.has(name)) added.set(name, tensor())
  }
  for (const call of calls) {
    const reads = readsOf(call, tensors)
    const isTurned = ({ node, at, tensor }: Read): boolean =>
      call.target === 'aten.linear' && node.opType === 'MatMul' && at === 1 && tensor.dims.length === 2
    const [last] = call.nodes
    const zeros =
      reads.length === 1 && call.parameters.length === 2 && call.nodes.length === 1 && WITH_BIAS.has(last.opType)
    if (reads.length !== call.parameters.length && !zeros) continue
    for (const [i, parameter] of call.parameters.entries()) {
      const read = reads.at(i)
      if (!read) {
        const like = reads[0].tensor
        const name = ownName(parameter, call.module, (like.name ?? '').replace(/weight$/, 'bias'), names)
        // read for its true size: a damaged file could ask for any number of zeros
        add(name, () => zerosOf(name, outputsOf(last, valuesOf(like).shape)))
        replace(last, 2, name)
        continue
      }
      const file = read.tensor.name!
      if (isGenerated(file) && !isTurned(read)) continue
      const name = ownName(parameter, call.module, file, names)
      if (name === file) continue
      if (!isTurned(read)) {
        add(name, () => ({ ...read.tensor, name }))
        replace(read.node, read.at, name)
        continue
      }
      add(name, () => turned(valuesOf(read.tensor), name))
      const output = `${name} transposed for ${read.node.output[0]}`
      replace(read.node, read.at, output)
      before.set(read.node, transposition(name, output, read.node))
    }
  }
  if (inputs.size === 0) return graph
  const withInputs = (node: NodeMessage): NodeMessage => {
    const changed = inputs.get(node)
    if (!changed) return node
    const input = [...node.input]
    for (const [at, name] of changed) input[at] = name
    return { ...node, input }
  }
  return {
    ...graph,
    node: graph.node.flatMap((node) => [before.get(node) ?? [], withInputs(node)].flat()),
    initializer: [...graph.initializer, ...added.values()],
  }
}

/** The calls that have parameters. */
function callsOf(nodes: readonly NodeMessage[]): Call[] {
  const calls = new Map<string, Call>()
  for (const node of nodes) {
    const bytes = node.metadata.find(({ key }) => key === CALL)?.value
    if (!bytes) continue
    const text = new TextDecoder().decode(bytes)
    const known = calls.get(text)
    if (known) {
      known.nodes.push(node)
      continue
    }
    const target = /target=torch\.ops\.(\w+\.\w+)/.exec(text)?.[1] ?? ''
    const parameters = [...new Set([...text.matchAll(/%([pb]_\w+)/g)].map(([, name]) => name))]
    // addmm has the bias first, and a product last
    if (target === 'aten.addmm') parameters.reverse()
    calls.set(text, { nodes: [node], target, parameters, module: moduleOf(node) ?? '' })
  }
  return [...calls.values()].filter(({ parameters }) => parameters.length > 0)
}

/** The initializers of floats that a call reads, in order, without the numbers that the exporter wrote for it, such as an ε. */
function readsOf({ nodes }: Call, tensors: ReadonlyMap<string, TensorMessage>): Read[] {
  return nodes.flatMap((node) =>
    node.input.flatMap((name, at) => {
      const tensor = tensors.get(name)
      return tensor && FLOATS.has(tensor.dataType) && tensor.dims.length > 0 ? [{ node, at, tensor }] : []
    }),
  )
}

/**
 * The name of a parameter: that of the client or of the file where one is written so, else that of the module with what follows, which is
 * split as in the name of a like weight: `out_proj_weight` like `layers.0.out_proj.weight`.
 */
function ownName(parameter: string, module: string, like: string, names: ReadonlyMap<string, string>): string {
  const flat = parameter.slice(2)
  const known = names.get(flat)
  if (known !== undefined) return known
  const parts = like.split('.')
  const within = module === '' ? flat : flat.slice(module.length + 1)
  const rest = parts.map((_, i) => parts.slice(i).join('.')).find((tail) => flattened(tail) === within) ?? within
  return module === '' ? rest : `${module}.${rest}`
}

/** Outputs of a layer with this weight. */
function outputsOf({ opType, attribute }: NodeMessage, dims: readonly number[]): number {
  const number = (name: string): number | undefined => attribute.find((a) => a.name === name)?.i
  if (opType === 'Gemm') return number('transB') ? dims[0] : dims[1]
  return opType === 'ConvTranspose' ? dims[1] * (number('group') ?? 1) : dims[0]
}

const NO_DATA = { floatData: [], int32Data: [], int64Data: [], doubleData: [], uint64Data: [], externalData: [] }

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)

const floats = (name: string, dims: readonly number[], values: Float32Array): TensorMessage => ({
  ...{ ...NO_DATA, name, dims, dataType: 1, rawData: bytesOf(values) },
})

const zerosOf = (name: string, count: number): TensorMessage => floats(name, [count], new Float32Array(count))

/** A matrix [inputs, outputs] as [outputs, inputs]. */
function turned({ values, shape }: StoredValues, name: string): TensorMessage {
  const [inputs, outputs] = shape
  const own = new Float32Array(values.length)
  for (let i = 0; i < inputs; i++) for (let j = 0; j < outputs; j++) own[j * inputs + i] = values[i * outputs + j]
  return floats(name, [outputs, inputs], own)
}

const transposition = (input: string, output: string, { metadata }: NodeMessage): NodeMessage => ({
  ...{ input: [input], output: [output], opType: 'Transpose', attribute: [], metadata },
})
