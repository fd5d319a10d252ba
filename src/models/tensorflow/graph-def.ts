import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { AttributeMessage, GraphMessage, NodeMessage, TensorMessage, ValueMessage } from '../onnx/messages'

/** A constant of the graph, by its name in the manifest of weights. */
export interface GraphConstant {
  readonly shape: readonly number[]
  /** ONNX's number for the type of its elements. */
  readonly type: number
  readonly bytes: Uint8Array
}

type Json = Readonly<Record<string, unknown>>

/** Under which `build` finds TensorFlow's operators. */
export const TENSORFLOW = 'tensorflow'

/** ONNX's numbers for TensorFlow's types. */
const TYPES: Readonly<Record<string, number>> = {
  DT_FLOAT: 1,
  DT_UINT8: 2,
  DT_INT8: 3,
  DT_INT32: 6,
  DT_INT64: 7,
  DT_BOOL: 9,
  DT_HALF: 10,
  DT_DOUBLE: 11,
}

const invalid = (message: string): DlgError => new DlgError('invalid-file', message)

const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** A field, whichever way protobuf's JSON spells its name. */
const field = (json: unknown, name: string): unknown => {
  if (!isRecord(json)) return undefined
  const snake = name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
  return Object.hasOwn(json, name) ? json[name] : Object.hasOwn(json, snake) ? json[snake] : undefined
}

/** Most nodes of a graph, those of constants among them. */
const MOST_NODES = 400_000

/** A node as GraphDef has it. */
interface Definition {
  readonly name: string
  readonly op: string
  /** Values that it reads; edges of control are none. */
  readonly inputs: readonly string[]
  readonly attributes: Json
}

/**
 * A GraphDef in JSON, the topology of a tfjs graph model, as a graph of the form that files of ONNX have. Its operators keep TensorFlow's names.
 *
 * @param signature names of inputs and outputs, where the file has one
 * @throws DlgError `invalid-file`
 */
export function readGraphDef(
  topology: unknown,
  signature: unknown,
  constants: ReadonlyMap<string, GraphConstant>,
): GraphMessage {
  const definitions = listOf(field(topology, 'node')).map(definitionOf)
  if (definitions.length === 0) throw invalid('the topology has no nodes; it must be a GraphDef of TensorFlow')
  if (definitions.length > MOST_NODES) throw invalid(`the topology has more than ${MOST_NODES} nodes`)
  const byName = new Map(definitions.map((each) => [each.name, each]))
  if (byName.size < definitions.length) throw invalid('the topology has two nodes of one name')
  const outputs = outputsOf(signature, definitions, byName)
  const read = highestOutputs(definitions, outputs)
  const ordered = inOrder(definitions, byName)
  const nodes = ordered.flatMap((each) => (LEAVES.has(each.op) ? [] : [nodeOf(each, read.get(each.name) ?? 0)]))
  const ends = outputs.filter(({ name, from }) => name !== from)
  return {
    node: [...nodes, ...ends.map(({ name, from }) => identity(from, name))],
    initializer: definitions.flatMap((each) => (each.op === 'Const' ? [constantOf(each, constants)] : [])),
    sparseInitializer: [],
    input: definitions.flatMap((each) => (each.op === 'Placeholder' ? [inputOf(each)] : [])),
    output: outputs.map(({ name }) => ({ name })),
  }
}

const LEAVES: ReadonlySet<string> = new Set(['Const', 'Placeholder', 'NoOp'])

function definitionOf(json: unknown): Definition {
  const [name, op, attributes = {}] = [field(json, 'name'), field(json, 'op'), field(json, 'attr')]
  if (typeof name !== 'string' || name === '' || typeof op !== 'string' || !isRecord(attributes))
    throw invalid(`a node of the topology is ${show(json)}; it must have a name and an operator`)
  const given = listOf(field(json, 'input'))
  if (!given.every((input) => typeof input === 'string')) throw invalid(`node '${name}' has an input that is no name`)
  const inputs = (given as string[]).filter((input) => !input.startsWith('^')).map(valueName)
  return { name, op, inputs, attributes }
}

/** The first output of a node has the node's name. */
const valueName = (name: string): string => name.replace(/:0$/, '')
const nodeOfValue = (name: string): string => name.replace(/:\d+$/, '')

/** A name of an output, and the value that it stands for. */
interface End {
  readonly name: string
  readonly from: string
}

/** Those of the signature; without one the nodes that nothing reads. */
function outputsOf(
  signature: unknown,
  definitions: readonly Definition[],
  byName: ReadonlyMap<string, Definition>,
): readonly End[] {
  const signed = field(signature, 'outputs')
  if (isRecord(signed) && Object.keys(signed).length > 0)
    return Object.entries(signed).map(([key, value]) => {
      const from = field(value, 'name')
      if (typeof from !== 'string' || !byName.has(nodeOfValue(from)))
        throw invalid(`output '${key}' of the signature is ${show(from)}, which is no node`)
      return { name: byName.has(key) ? valueName(from) : key, from: valueName(from) }
    })
  const read = new Set(definitions.flatMap(({ inputs }) => inputs.map(nodeOfValue)))
  return definitions.flatMap(({ name, op }) => (read.has(name) || LEAVES.has(op) ? [] : [{ name, from: name }]))
}

/** The highest output that something reads, by node. */
function highestOutputs(definitions: readonly Definition[], ends: readonly End[]): Map<string, number> {
  const highest = new Map<string, number>()
  for (const value of [...definitions.flatMap(({ inputs }) => inputs), ...ends.map(({ from }) => from)]) {
    const at = Number(/:(\d+)$/.exec(value)?.[1] ?? 0)
    if (at > 2 ** 16) throw invalid(`'${value}' is an output of a node that has fewer`)
    const name = nodeOfValue(value)
    highest.set(name, Math.max(highest.get(name) ?? 0, at))
  }
  return highest
}

/** Each node behind what it reads. @throws DlgError `invalid-file` for a name that there is not, and for a circle */
function inOrder(definitions: readonly Definition[], byName: ReadonlyMap<string, Definition>): Definition[] {
  const ordered: Definition[] = []
  const state = new Map<string, 'open' | 'done'>()
  for (const root of definitions) {
    const path: { readonly each: Definition; next: number }[] = state.has(root.name) ? [] : [{ each: root, next: 0 }]
    while (path.length > 0) {
      const top = path[path.length - 1]
      const { name, inputs } = top.each
      state.set(name, 'open')
      if (top.next === inputs.length) {
        state.set(name, 'done')
        ordered.push(top.each)
        path.pop()
        continue
      }
      const from = nodeOfValue(inputs[top.next++])
      const source = byName.get(from)
      if (!source) throw invalid(`node '${name}' reads '${from}', which is no node`)
      if (state.get(from) === 'open')
        throw new DlgError(
          'untraceable',
          `node '${name}' reads '${from}', which reads it: a loop, as LSTMs and GRUs have; give the .keras file, or a layers model (--output_format=tfjs_layers_model)`,
        )
      if (state.get(from) !== 'done') path.push({ each: source, next: 0 })
    }
  }
  return ordered
}

function nodeOf({ name, op, inputs, attributes }: Definition, highest: number): NodeMessage {
  const others = Array.from({ length: highest }, (_, i) => `${name}:${i + 1}`)
  return {
    ...{ name, opType: op, domain: TENSORFLOW, input: inputs, output: [name, ...others], metadata: [] },
    attribute: Object.entries(attributes).flatMap(([key, value]) => attributeOf(key, value)),
  }
}

const identity = (from: string, to: string): NodeMessage => ({
  ...{ name: to, opType: 'Identity', domain: TENSORFLOW, input: [from], output: [to], attribute: [], metadata: [] },
})

/** Whole numbers of 64 bits are text in JSON. */
const numberOf = (value: unknown): number =>
  typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN

const bytesOf = (base64: unknown): Uint8Array => {
  if (typeof base64 !== 'string' || base64.length > 2 ** 16) return new Uint8Array()
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  } catch {
    throw invalid(`${show(base64)} is no base64`)
  }
}

/** Kinds of values that no operator here reads are left out. */
function attributeOf(name: string, value: unknown): AttributeMessage[] {
  const none = { name, floats: [], ints: [], strings: [] }
  if (field(value, 'i') !== undefined) return [{ ...none, i: numberOf(field(value, 'i')) }]
  if (field(value, 'f') !== undefined) return [{ ...none, f: numberOf(field(value, 'f')) }]
  if (field(value, 'b') !== undefined) return [{ ...none, i: field(value, 'b') ? 1 : 0 }]
  if (field(value, 's') !== undefined) return [{ ...none, s: bytesOf(field(value, 's')) }]
  const type = field(value, 'type')
  if (typeof type === 'string') return [{ ...none, s: new TextEncoder().encode(type.slice(0, 64)) }]
  const list = field(value, 'list')
  if (!list) return []
  const ints = listOf(field(list, 'i')).map(numberOf)
  return [
    { ...none, ints, floats: listOf(field(list, 'f')).map(numberOf), strings: listOf(field(list, 's')).map(bytesOf) },
  ]
}

function constantOf({ name }: Definition, constants: ReadonlyMap<string, GraphConstant>): TensorMessage {
  const found = constants.get(name)
  const lists = { floatData: [], int32Data: [], int64Data: [], doubleData: [], uint64Data: [], externalData: [] }
  // what nothing reads may be text
  if (!found) return { ...lists, name, dims: [0] }
  return { ...lists, name, dims: found.shape, dataType: found.type, rawData: found.bytes }
}

function inputOf({ name, attributes }: Definition): ValueMessage {
  const type = field(attributes.dtype, 'type')
  const shape = field(attributes.shape, 'shape')
  const dims = field(shape, 'unknownRank') ? undefined : listOf(field(shape, 'dim'))
  const dim = dims
    ?.map((each) => ({ size: numberOf(field(each, 'size')) }))
    .map(({ size }) => (size > 0 ? { size } : {}))
  const elementType = typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  return { name, type: { tensor: { elementType, shape: dim && { dim } } } }
}
