import { DlgError } from '../../errors/dlg-error'
import { namesRead } from './build'
import { isOfProgram, moduleOf } from './exported-program'
import { fromLayout, kerasWeights, type Layout, type OwnWeight, wantedNames } from './keras-weights'
import type { GraphMessage, ModelMessage, NodeMessage } from './messages'
import { type ExternalData, type StoredValues, tensorValues } from './tensor-values'

/** A float initializer that takes part in the model. */
export interface FoundWeight {
  /** Under which a gradient has it. */
  readonly name: string
  /** Under which the graph has it. */
  readonly initializer: string
  /** How it lies in the graph, where that is not as the client has it. */
  readonly layout: (Layout & { readonly file: readonly number[] }) | undefined
  /** As the client has it. */
  readonly shape: readonly number[]
  readonly values: Float32Array
  /** As the file has it. */
  readonly stored: StoredValues
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

/** Names that only parameters of modules have, whatever the module is called. */
const OF_MODULE = /^[A-Za-z_]\w*(\.\w+)*\.(weight|bias)(_\w+)?$/

/** What PyTorch's norms call their moving statistics. */
const MOVING = /(^|\.)running_(mean|var)$/

/** Names that scikit-learn's converter gives to weights; other constants scale the data. */
const SCIKIT_WEIGHT = /^(coefficient|intercepts)\d*$|(^|\.)(coef|intercept)_$/

/** The writers whose models have Keras's weights, under names of operations. */
const KERAS_WRITERS: ReadonlySet<string | undefined> = new Set(['tf2onnx', 'tensorflow'])

/**
 * Sorts the initializers that some nodes read.
 *
 * @param trainable names of the trained weights; default those with names of their own
 * @throws DlgError `invalid-file`, `invalid-option` for a trained weight that there is not
 */
export function findWeights(
  { graph, producer }: Pick<ModelMessage, 'producer'> & { readonly graph: GraphMessage },
  nodes: readonly NodeMessage[],
  trainable: readonly string[] | undefined,
  external: ExternalData,
): FoundWeights {
  if (graph.sparseInitializer.length > 0)
    throw new DlgError('untraceable', 'the file has sparse initializers; weights must be dense tensors')
  const order = firstUses(nodes)
  const read = new Set(order.keys())
  for (const { name } of graph.output) if (name) read.add(name)
  const statistics = statisticsOf(nodes)
  const isStatistic = (name: string) => statistics.has(name) || MOVING.test(name)
  const names = new Set(graph.initializer.flatMap(({ name }) => name || []))
  const wanted = trainable && new Set(trainable)
  const copies = copiedWeights(nodes, names, isStatistic, wanted, producer)
  const tied = tiedWeights(nodes, names)
  const ofKeras = KERAS_WRITERS.has(producer)
  const owned = ofKeras
    ? kerasOwn(graph, nodes, wanted)
    : producer === 'skl2onnx'
      ? scikitOwn(graph)
      : pytorchOwn(graph, nodes, names)
  const hasName = producer === 'skl2onnx' ? (name: string) => SCIKIT_WEIGHT.test(name) : isNamed
  const weights: FoundWeight[] = []
  const constants = new Map<string, StoredValues>()
  for (const tensor of graph.initializer) {
    const initializer = tensor.name ?? ''
    if (!read.has(initializer)) continue
    const stored = tensorValues(tensor, `initializer '${initializer}'`, external)
    const own = owned.get(initializer)
    const name = own?.name ?? oneOf(tied.get(initializer), wanted) ?? initializer
    const isWeight = wanted?.has(name) || own !== undefined || (hasName(initializer) && !(ofKeras && isScalar(stored)))
    if (stored.kind !== 'float' || stored.values.length === 0 || !isWeight) {
      constants.set(initializer, stored)
      continue
    }
    const weight = weightOf(stored, own?.layout)
    for (const [as, at] of [[name, initializer], ...(copies.get(initializer) ?? []).map((copy) => [copy, copy])]) {
      const trained = wanted ? wanted.has(as) : !isStatistic(at)
      weights.push({ ...weight, name: as, initializer: at, trainable: trained })
    }
  }
  // a list of arrays has them in the order of the layers
  if (ofKeras) weights.sort((a, b) => order.get(a.initializer)! - order.get(b.initializer)!)
  for (const name of wanted ?? []) requireWeight(name, weights, producer)
  if (!wanted && producer === 'pytorch' && !weights.some((w) => w.trainable)) requireNames(nodes, constants)
  return { weights, constants, names }
}

/** Converters of TensorFlow name every constant; one number is the ε of a norm or the limit of a clip. */
const isScalar = ({ values }: StoredValues): boolean => values.length === 1

/** Whether an initializer has a name of its own. */
export const isNamed = (initializer: string): boolean => OF_MODULE.test(initializer) || !GENERATED.test(initializer)

/** Which node reads a name first, by its place. */
function firstUses(nodes: readonly NodeMessage[]): Map<string, number> {
  const order = new Map<string, number>()
  for (const node of nodes) for (const name of namesRead(node, 0)) if (!order.has(name)) order.set(name, order.size)
  return order
}

/** Moving statistics of batch norms. */
function statisticsOf(nodes: readonly NodeMessage[]): Set<string> {
  return new Set(nodes.flatMap((n) => (NORMS.has(n.opType) ? n.input.slice(3, 5) : [])))
}

const NORMS: ReadonlySet<string | undefined> = new Set(['BatchNormalization', 'FusedBatchNormV3', 'FusedBatchNorm'])

/** ONNX's number for floats of four bytes. */
const FLOAT = 1

function kerasOwn(
  graph: GraphMessage,
  nodes: readonly NodeMessage[],
  wanted: ReadonlySet<string> | undefined,
): Map<string, OwnWeight> {
  const floats = graph.initializer.filter(({ dataType, dims }) => dataType === FLOAT && dims.length > 0)
  const found = kerasWeights(nodes, new Map(floats.map(({ name = '', dims }) => [name, dims])))
  const renamed = wantedNames(
    [...found.values()].map(({ name }) => name),
    wanted ?? new Set(),
  )
  return new Map([...found].map(([at, own]) => [at, { ...own, name: renamed.get(own.name) ?? own.name }]))
}

/** Intercepts are [n] in scikit-learn, and [1, n] in its files. */
function scikitOwn(graph: GraphMessage): Map<string, OwnWeight> {
  return new Map(
    graph.initializer.flatMap(({ name = '', dims }) =>
      /^intercepts\d*$/.test(name) && dims.length === 2 && dims[0] === 1
        ? [[name, { name, layout: { shape: [dims[1]], order: [0] } }] as const]
        : [],
    ),
  )
}

function pytorchOwn(
  graph: GraphMessage,
  nodes: readonly NodeMessage[],
  names: ReadonlySet<string>,
): Map<string, OwnWeight> {
  const turned = turnedWeights(nodes, names)
  return new Map(
    graph.initializer.flatMap(({ name: at = '', dims }) => {
      const name = turned.get(at)
      return name !== undefined && dims.length === 2
        ? [[at, { name, layout: { shape: dims.toReversed(), order: [1, 0] } }] as const]
        : []
    }),
  )
}

function weightOf(stored: StoredValues, layout: Layout | undefined) {
  const { shape, values } = stored
  const floats = values instanceof Float32Array ? values : Float32Array.from(values)
  if (!layout) return { stored, layout: undefined, shape, values: floats }
  return { stored, layout: { ...layout, file: shape }, shape: layout.shape, values: fromLayout(floats, layout) }
}

/**
 * PyTorch's exporters multiply by a transposed copy of a linear layer's weight, and call it `onnx::MatMul_7` or `val_7`. The bias that is added
 * to the product keeps its name, from which the weight's follows: with `fc.bias` it is `fc.weight`.
 */
function turnedWeights(nodes: readonly NodeMessage[], names: ReadonlySet<string>): Map<string, string> {
  const product = new Map(
    nodes.flatMap(({ opType, input, output }) =>
      opType === 'MatMul' && !isNamed(input[1] ?? '') && names.has(input[1]) ? [[output[0], input[1]] as const] : [],
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

/**
 * A weight that PyTorch uses in two modules has the name of the last one in files of dynamo, and that of the first one in
 * `named_parameters()`. Each node says in which module it was: `['', 'wte', 'embedding']` reads `wte.weight`.
 *
 * @returns the names of weights that are used in several modules, in the order of their use
 */
function tiedWeights(nodes: readonly NodeMessage[], names: ReadonlySet<string>): Map<string, string[]> {
  const used = new Map<string, Set<string>>()
  for (const node of nodes) {
    const weights = node.input.filter((name) => names.has(name))
    const module = weights.length > 0 ? moduleOf(node) : undefined
    if (module === undefined) continue
    for (const name of weights) {
      const as = [module, name.slice(name.lastIndexOf('.') + 1)].filter(Boolean).join('.')
      // what reads a weight of a module within it, as F.linear(x, self.wte.weight) does, gives it no other name
      if (as !== name && (module === '' || name.startsWith(`${module}.`))) continue
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
 * own; a buffer among them, such as the moving variance that is 1 as γ is, has none. A weight that PyTorch itself uses twice has one name, and
 * no copy. What the model itself copies, as `clone` does, is no weight: its gradient is the weight's.
 */
function copiedWeights(
  nodes: readonly NodeMessage[],
  names: ReadonlySet<string>,
  isStatistic: (name: string) => boolean,
  wanted: ReadonlySet<string> | undefined,
  producer: string | undefined,
): Map<string, string[]> {
  const copies = new Map<string, string[]>()
  const isOfExporter = (to: string, node: NodeMessage): boolean =>
    isNamed(to) && !isOfProgram(node) && (wanted === undefined || producer === 'pytorch')
  for (const node of nodes) {
    const [from, to] = [node.input[0] ?? '', node.output[0] ?? '']
    if (node.opType !== 'Identity' || !names.has(from)) continue
    if (wanted?.has(to) || isStatistic(to) || isOfExporter(to, node))
      copies.set(from, [...(copies.get(from) ?? []), to])
  }
  return copies
}

/** What to do about weights that are gone, by the program that wrote the file. */
const KEPT: Readonly<Record<string, string>> = {
  tf2onnx:
    'tf2onnx computes the weights of batch norms and LSTMs anew, and drops biases of zeros; give the .keras file in place of the .onnx file, which keeps them all',
  tensorflow:
    'the converter computes the weights of batch norms anew; give the .keras file, or a layers model (--output_format=tfjs_layers_model), which keep them all',
  skl2onnx:
    'in a file of skl2onnx the weights are coefficient, intercepts, coefficient1, …, or coef_ and intercept_ of a linear model',
  other:
    'Where the exporter folded weights, export with dynamo=False, training=torch.onnx.TrainingMode.PRESERVE and do_constant_folding=False, or with dynamo=True and optimize=False',
}

/** Operators that have weights. */
const WEIGHTED = /^(Gemm|MatMul|Conv|ConvTranspose|Einsum|Gather|LSTM|GRU|RNN)$/

/** Names that PyTorch's exporters make up for weights that they computed anew. */
const MADE_UP = /^(onnx::|_*val_?\d)/

/** @throws DlgError `invalid-file` for a file in which no weight has kept its name, so that it looks as if there were none */
function requireNames(nodes: readonly NodeMessage[], constants: ReadonlyMap<string, StoredValues>): void {
  const found = nodes.flatMap(({ opType, input }) => {
    if (!WEIGHTED.test(opType ?? '')) return []
    return input.filter((name) => MADE_UP.test(name) && constants.get(name)?.kind === 'float')
  })
  const matrices = found.filter((name) => constants.get(name)!.shape.length > 1)
  if (matrices.length === 0) return
  const shown = matrices.slice(0, 4).map((name) => `'${name}' [${constants.get(name)!.shape}]`)
  throw new DlgError(
    'invalid-file',
    `no weight of the file has kept its name, there are only ${shown.join(', ')}${matrices.length > 4 ? ', …' : ''}; give those that are trained, trainable: ['${matrices[0]}', …]. ${KEPT.other}`,
  )
}

/** @throws DlgError `invalid-option` for a trained weight that there is not */
function requireWeight(name: string, weights: readonly FoundWeight[], producer = ''): void {
  if (weights.some((w) => w.name === name)) return
  const names = weights.map((w) => w.name)
  const kept = Object.hasOwn(KEPT, producer) ? KEPT[producer] : KEPT.other
  throw new DlgError(
    'invalid-option',
    `trainable has '${name}', which is no float initializer that an output needs; there are ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}. ${kept}`,
  )
}
