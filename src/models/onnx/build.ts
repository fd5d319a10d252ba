import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { TENSORFLOW } from '../tensorflow/graph-def'
import { tensorflowOperators } from '../tensorflow/operators'
import { type Building, type Call, callOf, nodeName, type Operator, type Operators, type Value } from './call'
import type { AttributeMessage, FunctionMessage, GraphMessage, NodeMessage } from './messages'
import { operators } from './operators'
import { scikitOperators } from './operators/normalization'
import { MOST_ELEMENTS } from './tensor-values'

/** Values by the names that a graph gives them; an inner graph sees those of the outer one. */
export type Names = Map<string, Value>

/** Most nodes of ours: above, a file is hostile or its loops are too long. */
const MOST_NODES = 400_000
/** Graphs and functions within others. */
const DEEPEST = 16
/** Largest mask or index that is computed while the graph is built. */
const SMALL = 4096

const OWN_DOMAINS: ReadonlySet<string | undefined> = new Set([undefined, '', 'ai.onnx'])

const OTHER_DOMAINS: Readonly<Record<string, Operators>> = {
  'ai.onnx.ml': scikitOperators,
  [TENSORFLOW]: tensorflowOperators,
}

const QUANTISED = /^(Q[A-Z]|QLinear|Quantize|Dequantize|DynamicQuantize)|Integer$|^MatMulNBits$/

/** The operators that a graph may use: functions of the file by `domain:name:overload`. */
export type Functions = ReadonlyMap<string, FunctionMessage>

export const functionKey = (domain: string | undefined, name: string | undefined, overload = ''): string =>
  `${OWN_DOMAINS.has(domain) ? '' : domain}:${name ?? ''}:${overload}`

const operatorOf = ({ domain, opType = '' }: NodeMessage): Operator | undefined => {
  const table = OWN_DOMAINS.has(domain) ? operators : (OTHER_DOMAINS[domain ?? ''] ?? {})
  return Object.hasOwn(table, opType) ? table[opType] : undefined
}

/**
 * Why an operator cannot be read, if it cannot.
 *
 * @throws DlgError `untraceable` naming the node and the operator
 */
export function requireOperator(node: NodeMessage, functions: Functions): void {
  const { opType = '', domain } = node
  if (functions.has(functionKey(domain, opType, node.overload))) return
  if (operatorOf(node) || (OWN_DOMAINS.has(domain) && Object.hasOwn(STRUCTURES, opType))) return
  const what = `${nodeName(node)}${OWN_DOMAINS.has(domain) ? '' : ` of '${domain}'`}`
  if (QUANTISED.test(opType))
    throw new DlgError(
      'untraceable',
      `${what} computes with quantised numbers, of which there is no gradient; export the float model that was trained`,
    )
  throw new DlgError(
    'untraceable',
    `${what} is not supported; the operators that are stand in the guide of ONNX models`,
  )
}

/** The nodes that some outputs need, in the order of the file. */
export function neededNodes(graph: GraphMessage, outputs: readonly string[]): NodeMessage[] {
  const wanted = new Set(outputs)
  const needed: NodeMessage[] = []
  for (const node of graph.node.toReversed()) {
    if (!node.output.some((name) => name !== '' && wanted.has(name))) continue
    needed.push(node)
    for (const name of namesRead(node, 0)) wanted.add(name)
  }
  return needed.reverse()
}

/** The names that a node reads, those that the graphs within it read among them. */
export function namesRead(node: NodeMessage, depth: number): string[] {
  if (depth > DEEPEST) return []
  const within = node.attribute.flatMap(({ g: graph }) =>
    graph ? [...graph.node.flatMap((n) => namesRead(n, depth + 1)), ...graph.output.map((o) => o.name ?? '')] : [],
  )
  return [...node.input, ...within]
}

/** Builds nodes in their order, and adds their outputs to the names. @throws DlgError `untraceable`, `invalid-file` */
export function buildNodes(
  nodes: readonly NodeMessage[],
  names: Names,
  building: Building,
  functions: Functions,
  depth = 0,
): void {
  if (depth > DEEPEST) throw new DlgError('untraceable', 'graphs and functions are nested too deep')
  for (const node of nodes) {
    // what is there already is a copy of a weight that is a weight of its own
    if (depth === 0 && node.opType === 'Identity' && names.has(node.output[0])) continue
    requireOperator(node, functions)
    const inputs = node.input.map((name) => (name === '' ? undefined : namedValue(node, name, names)))
    const call = callOf(node, inputs, building)
    const own = functions.get(functionKey(node.domain, node.opType, node.overload))
    const results = guarded(node, () => {
      if (own) return inlined(own, node, inputs, building, functions, depth)
      const structure = OWN_DOMAINS.has(node.domain) && STRUCTURES[node.opType ?? '']
      if (structure) return structure(call, { names, functions, depth })
      return [operatorOf(node)!(call)].flat() as (g.Node | Value | undefined)[]
    })
    node.output.forEach((name, i) => {
      if (name === '') return
      const result = results[i]
      // a second output that nothing reads may be missing
      if (result) names.set(name, small(checked(node, asValue(result, call)), building))
      else names.delete(name)
    })
  }
}

function namedValue(node: NodeMessage, name: string, names: Names): Value {
  const value = names.get(name)
  if (value) return value
  throw new DlgError(
    'invalid-file',
    `${nodeName(node)} reads '${name}', which no node before it gives, or only as an output that is not supported`,
  )
}

const asValue = (result: g.Node | Value, call: Call): Value =>
  'kind' in result ? result : { node: result, kind: call.kind(0) }

function checked(node: NodeMessage, value: Value): Value {
  const { shape, graph } = value.node
  if (!shape.every((n) => Number.isSafeInteger(n)) || g.sizeOf(shape) > MOST_ELEMENTS)
    throw new DlgError('untraceable', `${nodeName(node)} makes [${shape}]; it must be at most 2²⁸ numbers`)
  if (graph.size > MOST_NODES)
    throw new DlgError('untraceable', `${nodeName(node)}: the model needs more than ${MOST_NODES} operations`)
  return value
}

/** Indices, sizes and masks that depend on no data are computed at once, so that graphs hold no arithmetic of shapes. */
function small(value: Value, building: Building): Value {
  const { node, kind } = value
  const size = g.sizeOf(node.shape)
  const leaf = node.op === 'constant' || g.uniformValue(node) !== undefined
  if (kind === 'float' || value.parts || node.varying || leaf || size > SMALL) return value
  const values = building.valuesOf(node)
  return values ? { node: building.constant(values, node.shape), kind } : value
}

/** What an operator throws names its node. */
function guarded<T>(node: NodeMessage, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof DlgError && cause.code !== 'invalid-graph') throw cause
    throw new DlgError('invalid-file', `${nodeName(node)}: ${(cause as Error).message}`, { cause })
  }
}

/** The values of a graph's outputs, with the outer names and those of its inputs. */
function within(
  call: Call,
  graph: GraphMessage,
  inputs: readonly (Value | undefined)[],
  { names, functions, depth }: Around,
): (Value | undefined)[] {
  const inner: Names = new Map(names)
  for (const tensor of graph.initializer) {
    const { kind, shape, values } = call.building.stored(tensor, `initializer '${tensor.name}'`)
    inner.set(tensor.name ?? '', { node: call.constant(values, shape), kind })
  }
  graph.input.forEach(({ name = '' }, i) => {
    const value = inputs[i]
    if (value) inner.set(name, value)
  })
  buildNodes(graph.node, inner, call.building, functions, depth + 1)
  return graph.output.map(({ name = '' }) => inner.get(name))
}

/** What surrounds a graph within another. */
interface Around {
  readonly names: Names
  readonly functions: Functions
  readonly depth: number
}

/** The branch of a condition that does not depend on the data. */
function branch(call: Call, around: Around): (Value | undefined)[] {
  const [condition] = call.known(0) ?? []
  return within(call, call.subgraph(condition ? 'then_branch' : 'else_branch'), [], around)
}

/** Steps of a loop, and of a recurrent cell that is written as one. */
const MOST_STEPS = 1024

/** A loop step by step, where the number of its steps does not depend on the data. */
function loop(call: Call, around: Around): (Value | undefined)[] {
  const body = call.subgraph('body')
  const most = call.known(0)?.[0] ?? Number.POSITIVE_INFINITY
  let condition = call.known(1)?.[0] ?? 1
  let carried = call.inputs.slice(2)
  const scanned: g.Node[][] = body.output.slice(1 + carried.length).map(() => [])
  const kinds: Value['kind'][] = []
  for (let step = 0; step < most && condition; step++) {
    if (step === MOST_STEPS) throw call.refuse(`takes more than ${MOST_STEPS} steps`)
    const counters: Value[] = [
      { node: call.constant([step], []), kind: 'integer' },
      { node: call.constant([1], []), kind: 'boolean' },
    ]
    const [next, ...results] = within(call, body, [...counters, ...carried], around)
    const known = next && call.building.valuesOf(next.node)
    if (!known) throw call.refuse('runs for as long as the data say; the number of steps must follow from shapes')
    condition = known[0]
    scanned.forEach((all, i) => {
      const value = results[carried.length + i]
      if (!value) throw call.wrong(`its graph does not give output ${1 + carried.length + i}`)
      all.push(value.node)
      kinds[i] = value.kind
    })
    carried = results.slice(0, carried.length)
  }
  const stacked = scanned.map((all, i): Value | undefined => {
    if (all.length === 0) return undefined
    const rows = all.map((node) => g.reshape(node, [1, ...node.shape]))
    return { node: g.concat(rows, 0), kind: kinds[i] }
  })
  return [...carried, ...stacked]
}

/** Operators whose attributes are graphs. */
const STRUCTURES: Readonly<Record<string, (call: Call, around: Around) => (Value | undefined)[]>> = {
  If: branch,
  Loop: loop,
}

/** A function of the file in place of its call: its names are its own, and its attributes those of the call. */
function inlined(
  { input, output, node, attributeDefault, opset }: FunctionMessage,
  caller: NodeMessage,
  inputs: readonly (Value | undefined)[],
  building: Building,
  functions: Functions,
  depth: number,
): (Value | undefined)[] {
  const given = new Map([...attributeDefault, ...caller.attribute].map((a) => [a.name, a]))
  const inner: Names = new Map()
  input.forEach((name, i) => {
    const value = inputs[i]
    if (value) inner.set(name, value)
  })
  const resolved = (a: AttributeMessage): AttributeMessage[] => {
    if (a.g) return [{ ...a, g: { ...a.g, node: a.g.node.map(withAttributes) } }]
    if (a.refersTo === undefined) return [a]
    const found = given.get(a.refersTo)
    return found ? [{ ...found, name: a.name }] : []
  }
  const withAttributes = (n: NodeMessage): NodeMessage => ({ ...n, attribute: n.attribute.flatMap(resolved) })
  const body = node.map((n) => ({
    ...withAttributes(n),
    input: n.input.map((name) => (inner.has(name) || !input.includes(name) ? name : '')),
  }))
  const version = opset.find(({ domain }) => OWN_DOMAINS.has(domain))?.version ?? building.opset
  buildNodes(body, inner, { ...building, opset: version }, functions, depth + 1)
  return output.map((name) => inner.get(name))
}
