import { DlgError } from '../../errors/dlg-error'
import { namesRead } from './build'
import type { GraphMessage, NodeMessage } from './messages'
import { type ExternalData, type StoredValues, tensorValues } from './tensor-values'

/** A float initializer that takes part in the model. */
export interface FoundWeight {
  /** Under which a gradient has it. */
  readonly name: string
  /** Under which the graph has it. */
  readonly initializer: string
  /** Whether the graph has it with its axes exchanged. */
  readonly turned: boolean
  readonly shape: readonly number[]
  readonly values: Float32Array
  readonly trainable: boolean
}

/** The initializers of a file: weights, and constants by name. */
export interface FoundWeights {
  readonly weights: readonly FoundWeight[]
  readonly constants: ReadonlyMap<string, StoredValues>
  readonly names: ReadonlySet<string>
}

/** Names that exporters give to what has none: constants, and weights that they computed anew. */
const GENERATED = /^(onnx::|\/|_*val_?\d|_v_\d|const|scalar_|\d+$|new_shape|shape_)|_output_\d+$|Constant/i

/**
 * Sorts the initializers that some nodes read.
 *
 * @param trainable names of the trained weights; default those with names of their own
 * @throws DlgError `invalid-file`, `invalid-option` for a trained weight that there is not
 */
export function findWeights(
  graph: GraphMessage,
  nodes: readonly NodeMessage[],
  trainable: readonly string[] | undefined,
  external: ExternalData,
): FoundWeights {
  if (graph.sparseInitializer.length > 0)
    throw new DlgError('untraceable', 'the file has sparse initializers; weights must be dense tensors')
  const read = new Set(nodes.flatMap((node) => namesRead(node, 0)))
  for (const { name } of graph.output) if (name) read.add(name)
  const statistics = new Set(nodes.filter((n) => n.opType === 'BatchNormalization').flatMap((n) => n.input.slice(3, 5)))
  const names = new Set(graph.initializer.flatMap(({ name }) => name || []))
  const turned = turnedWeights(nodes, names)
  const wanted = trainable && new Set(trainable)
  const copies = copiedWeights(nodes, names, wanted)
  const tied = tiedWeights(nodes, names)
  const weights: FoundWeight[] = []
  const constants = new Map<string, StoredValues>()
  for (const tensor of graph.initializer) {
    const initializer = tensor.name ?? ''
    if (!read.has(initializer)) continue
    const stored = tensorValues(tensor, `initializer '${initializer}'`, external)
    const own = stored.shape.length === 2 ? turned.get(initializer) : undefined
    const name = own ?? oneOf(tied.get(initializer), wanted) ?? initializer
    const named = own !== undefined || !GENERATED.test(initializer)
    const isWeight = wanted?.has(name) || named
    if (stored.kind !== 'float' || stored.values.length === 0 || !isWeight) {
      constants.set(initializer, stored)
      continue
    }
    const weight = { turned: own !== undefined, ...weightOf(stored, own) }
    for (const [as, at] of [[name, initializer], ...(copies.get(initializer) ?? []).map((copy) => [copy, copy])]) {
      const trained = wanted ? wanted.has(as) : !statistics.has(at)
      weights.push({ ...weight, name: as, initializer: at, trainable: trained })
    }
  }
  for (const name of wanted ?? []) requireWeight(name, weights)
  return { weights, constants, names }
}

function weightOf({ shape, values }: StoredValues, turned: string | undefined) {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values)
  if (turned === undefined) return { shape, values: floats }
  const [rows, columns] = shape
  const exchanged = new Float32Array(floats.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) exchanged[j * rows + i] = floats[i * columns + j]
  return { shape: [columns, rows], values: exchanged }
}

/**
 * PyTorch's exporters multiply by a transposed copy of a linear layer's weight, and call it `onnx::MatMul_7` or `val_7`. The bias that is added
 * to the product keeps its name, from which the weight's follows: with `fc.bias` it is `fc.weight`.
 */
function turnedWeights(nodes: readonly NodeMessage[], names: ReadonlySet<string>): Map<string, string> {
  const product = new Map(
    nodes.flatMap(({ opType, input, output }) =>
      opType === 'MatMul' && GENERATED.test(input[1] ?? '') && names.has(input[1])
        ? [[output[0], input[1]] as const]
        : [],
    ),
  )
  const found = new Map<string, string>()
  for (const { opType, input } of nodes) {
    if (opType !== 'Add' || input.length !== 2) continue
    const [weight] = input.flatMap((name) => product.get(name) ?? [])
    const bias = input.find((name) => names.has(name) && /\.bias$/.test(name))
    const name = bias?.replace(/bias$/, 'weight')
    if (weight !== undefined && name !== undefined && !names.has(name)) found.set(weight, name)
  }
  return found
}

const SCOPES = 'pkg.torch.onnx.name_scopes'

/**
 * A weight that PyTorch uses in two modules has the name of the last one in files of dynamo, and that of the first one in
 * `named_parameters()`. Each node says in which module it was: `['', 'wte', 'embedding']` reads `wte.weight`.
 *
 * @returns the names of weights that are used in several modules, in the order of their use
 */
function tiedWeights(nodes: readonly NodeMessage[], names: ReadonlySet<string>): Map<string, string[]> {
  const used = new Map<string, Set<string>>()
  for (const { input, metadata } of nodes) {
    const weights = input.filter((name) => names.has(name))
    const scopes = weights.length > 0 && metadata.find(({ key }) => key === SCOPES)?.value
    if (!scopes) continue
    const module = [...new TextDecoder().decode(scopes).matchAll(/'([^']*)'/g)].at(-2)?.[1]
    for (const name of weights) {
      const as = [module, name.slice(name.lastIndexOf('.') + 1)].filter(Boolean).join('.')
      used.set(name, (used.get(name) ?? new Set()).add(as))
    }
  }
  const several = [...used].filter(([name, as]) => as.size > 1 && as.has(name))
  return new Map(several.map(([name, as]) => [name, [...as].filter((each) => each === name || !names.has(each))]))
}

/** The name that is wanted, else the first. */
const oneOf = (names: readonly string[] | undefined, wanted: ReadonlySet<string> | undefined): string | undefined =>
  names?.find((name) => wanted?.has(name)) ?? names?.[0]

/**
 * PyTorch's exporter keeps one of several weights that have equal numbers, such as the biases of batch norms before the first step, and
 * writes the others as its copies: `Identity` of the one, under the other's name. Each is a weight of its own, and has a gradient of its
 * own. A weight that PyTorch itself uses twice has one name, and no copy.
 */
function copiedWeights(
  nodes: readonly NodeMessage[],
  names: ReadonlySet<string>,
  wanted: ReadonlySet<string> | undefined,
): Map<string, string[]> {
  const copies = new Map<string, string[]>()
  for (const { opType, input, output } of nodes) {
    const [from, to] = [input[0] ?? '', output[0] ?? '']
    if (opType !== 'Identity' || !names.has(from) || !(wanted?.has(to) ?? !GENERATED.test(to))) continue
    copies.set(from, [...(copies.get(from) ?? []), to])
  }
  return copies
}

/** @throws DlgError `invalid-option` for a trained weight that there is not */
function requireWeight(name: string, weights: readonly FoundWeight[]): void {
  if (weights.some((w) => w.name === name)) return
  const names = weights.map((w) => w.name)
  throw new DlgError(
    'invalid-option',
    `trainable has '${name}', which is no float initializer that an output needs; there are ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}. Where the exporter folded weights, export with optimize=False (dynamo=True), or training=torch.onnx.TrainingMode.PRESERVE and do_constant_folding=False`,
  )
}
