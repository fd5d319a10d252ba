import { broadcast, fill, type Node, range, reachable, reshape, type Shape, sameShape, sizeOf } from '../../graph'
import { summedSquare } from '../plan'
import { raw } from './emit'
import { type Readers, readersOf, rebuilt, rebuiltAll } from './readers'

/** Vectors up to this size are joined: for longer ones, a copy costs more than the kernels it saves. */
const LONGEST = 8192

/** A difference between a vector and one that is bound once. */
interface Difference {
  readonly node: Node
  readonly varying: Node
  readonly bound: Node
  /** The one axis that is not of size 1. */
  readonly axis: number
}

/**
 * Small gradients, such as those of biases, are compared with what was shared all at once: vectors are joined, subtracted in
 * one kernel and summed in another, and what reads one of them reads a slice. Scales, such as those of batch norms, are multiplied
 * all at once before that and after it.
 */
export function joinDifferences(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  const groups = new Map<string, Difference[]>()
  for (const difference of independent(differencesOf(outputs, readers))) {
    const { node, varying, axis } = difference
    const key = isVector(node) ? `${node.shape.length} ${axis}` : `part of ${varying.inputs[0].id}`
    groups.set(key, [...(groups.get(key) ?? []), difference])
  }
  const worth = [...groups.values()].filter((group) => group.length > 2 || isWhole(group))
  if (worth.length === 0) return [...outputs]
  return rebuiltAll(
    replaced(
      outputs,
      worth.map((group) => join(group, readers)),
    ),
    (node) => (node.op === 'concat' ? side(node.inputs, node.attributes.axis) : node),
  )
}

function differencesOf(outputs: readonly Node[], readers: Readers): Difference[] {
  const squared = (node: Node) =>
    readers
      .get(node)!
      .some((reader) => reader !== 'output' && reader.op === 'mul' && reader.inputs[0] === reader.inputs[1])
  return reachable(outputs).flatMap((node): Difference[] => {
    const [varying, bound] = node.inputs
    if (node.op !== 'sub' || !varying.varying || bound.varying || !sameShape(varying.shape, bound.shape)) return []
    if (!squared(node)) return []
    if (isVector(node)) return [{ node, varying, bound, axis: node.shape.findIndex((n) => n > 1) }]
    return varying.op === 'slice' ? [{ node, varying, bound, axis: cutAxis(varying) }] : []
  })
}

const isVector = ({ shape }: Node): boolean => shape.filter((n) => n > 1).length === 1 && sizeOf(shape) <= LONGEST

/** The first axis of which a slice reads only a part. */
const cutAxis = (slice: Node<'slice'>): number => slice.shape.findIndex((n, i) => n !== slice.inputs[0].shape[i])

/** Whether what is compared is all of one node, in parts. */
const isWhole = (group: readonly Difference[]): boolean => {
  const [{ varying, axis }] = group
  return side(inOrder(group).map((p) => p.varying), axis) === varying.inputs[0] // biome-ignore format: one line
}

const inOrder = (group: readonly Difference[]): Difference[] =>
  [...group].sort((a, b) => sourceOf(a.varying).id - sourceOf(b.varying).id || beginOf(a) - beginOf(b))

const sourceOf = (node: Node): Node => (node.op === 'slice' ? node.inputs[0] : node)
const beginOf = ({ varying, axis }: Difference): number => (varying.op === 'slice' ? varying.attributes.start[axis] : 0)

/** Nodes one after the other along an axis, where neighbouring parts of a node are one part of it. */
function side(nodes: readonly Node[], axis: number): Node {
  const parts: Node[] = []
  for (let i = 0; i < nodes.length; ) {
    const first = nodes[i]
    let next = i + 1
    let size = first.shape[axis]
    while (next < nodes.length && follows(first, nodes[next], axis, size)) size += nodes[next++].shape[axis]
    parts.push(next > i + 1 ? partOf(first as Node<'slice'>, axis, size) : first)
    i = next
  }
  if (parts.length === 1) return parts[0]
  const size = parts.reduce((n, part) => n + part.shape[axis], 0)
  return parts[0].graph.intern('concat', parts, { axis }, parts[0].shape.with(axis, size))
}

/** Whether a node is the part that begins `size` elements behind the beginning of another. */
const follows = (first: Node, node: Node, axis: number, size: number): boolean =>
  first.op === 'slice' &&
  node.op === 'slice' &&
  node.inputs[0] === first.inputs[0] &&
  sameShape(node.attributes.start, first.attributes.start.with(axis, first.attributes.start[axis] + size))

/** The slice with another size along an axis; all of a node is that node. */
function partOf(slice: Node<'slice'>, axis: number, size: number): Node {
  const shape = slice.shape.with(axis, size)
  const [source] = slice.inputs
  return sameShape(shape, source.shape) ? source : slice.graph.intern('slice', [source], slice.attributes, shape)
}

/** Those that depend on no other of them: only then can all be computed at once. */
function independent(differences: readonly Difference[]): Difference[] {
  const dependent = new Set<Node>(differences.map(({ node }) => node))
  const all = reachable(differences.map(({ node }) => node))
  for (const node of all) if (node.inputs.some((n) => dependent.has(n))) dependent.add(node)
  return differences.filter(({ varying }) => !dependent.has(varying))
}

/** A group as one difference, and what each of the group is of it. */
interface Joined {
  readonly slices: ReadonlyMap<Node, Node>
  /** Products with bound vectors that are slices of one product. */
  readonly products: ReadonlyMap<Node, Node>
  /** The sum of all squares. */
  readonly total: Node
}

function join(group: readonly Difference[], readers: Readers): Joined {
  const [{ axis, node: first }] = group
  const parts = inOrder(group)
  const { graph } = first
  const own = parts.map(({ varying }) => (readers.get(varying)!.length === 1 ? scaleIn(varying) : undefined))
  const gradients = areMany(own)
    ? scaledSide(parts.map(({ varying }, i) => own[i]?.vector ?? varying), own, axis) // biome-ignore format: one line
    : side(parts.map((p) => p.varying), axis) // biome-ignore format: one line
  const { shape } = gradients
  const whole = graph.intern('sub', [gradients, side(parts.map((p) => p.bound), axis)], {}, shape) // biome-ignore format: one line
  const square = graph.intern('mul', [whole, whole], {}, shape)
  const axes = range(shape.length).filter((i) => shape[i] > 1)
  const total = reshape(graph.intern('sum', [square], { axes }, ones(shape)), [])
  const read = parts.map(({ node }) => onlyProduct(node, readers))
  const scales = read.map((product) => product && scaleIn(product))
  const scaled = areMany(scales) ? scaledBy(whole, parts.map((p) => p.node), scales, axis) : undefined // biome-ignore format: one line
  const [slices, products] = [new Map<Node, Node>(), new Map<Node, Node>()]
  let begin = 0
  for (const [i, { node }] of parts.entries()) {
    const start = node.shape.map((_, k) => (k === axis ? begin : 0))
    const slice = (source: Node) => graph.intern('slice', [source], { start }, node.shape)
    slices.set(node, slice(scales[i] ? whole : (scaled ?? whole)))
    if (scaled && scales[i]) products.set(read[i]!, slice(scaled))
    begin += node.shape[axis]
  }
  return { slices, products, total }
}

/** A vector that is multiplied with what is bound, such as the scale of a batch norm. */
interface Scale {
  readonly vector: Node
  readonly bound: Node
}

function scaleIn(product: Node): Scale | undefined {
  if (product.op !== 'mul') return undefined
  const [vector, bound] = product.inputs[0].varying ? product.inputs : [product.inputs[1], product.inputs[0]]
  const isScale = vector.varying && !bound.varying && sameShape(vector.shape, product.shape)
  return isScale ? { vector, bound: broadcast(bound, product.shape) } : undefined
}

/** Products from which on one of all vectors is worth its own kernel. */
const FEWEST_SCALES = 3

const areMany = (scales: readonly (Scale | undefined)[]): boolean =>
  scales.filter((scale) => scale).length >= FEWEST_SCALES

/** All vectors multiplied at once, by 1 where there is no scale. */
const scaledBy = (whole: Node, parts: readonly Node[], scales: readonly (Scale | undefined)[], axis: number): Node =>
  raw('mul', whole, side(parts.map((part, i) => scales[i]?.bound ?? fill(part.graph, 1, part.shape)), axis)) // biome-ignore format: one line

const scaledSide = (vectors: readonly Node[], scales: readonly (Scale | undefined)[], axis: number): Node =>
  scaledBy(side(vectors, axis), vectors, scales, axis)

/** The one node that reads a difference beside its square. */
function onlyProduct(node: Node, readers: Readers): Node | undefined {
  const isSquare = (reader: Node) => reader.inputs.every((n) => n === node)
  const others = new Set(readers.get(node)!.filter((reader) => reader === 'output' || !isSquare(reader)))
  const [product] = others
  return others.size === 1 && product !== 'output' ? product : undefined
}

/** The outputs with every difference read from its group; where all squares of a group are added, their sum is one term. */
function replaced(outputs: readonly Node[], groups: readonly Joined[]): Node[] {
  const groupOf = new Map(groups.flatMap((group) => [...group.slices.keys()].map((node) => [node, group] as const)))
  const built = new Map<Node, Node>(groups.flatMap(({ slices, products }) => [...slices, ...products]))
  const build = (node: Node): Node => {
    const known = built.get(node)
    if (known) return known
    const made = node.op === 'add' && node.shape.length === 0 ? added(node) : node.varying ? rebuilt(node, node.inputs.map(build)) : node // biome-ignore format: one line
    built.set(node, made)
    return made
  }
  const added = (node: Node): Node => {
    const squares = new Map<Joined, Node[]>()
    for (const n of node.inputs) {
      const group = groupOf.get(squaredIn(n) ?? n)
      if (group) squares.set(group, [...(squares.get(group) ?? []), n])
    }
    const whole = [...squares].filter(([{ slices }, list]) => new Set(list).size === slices.size)
    if (whole.length === 0) return rebuilt(node, node.inputs.map(build))
    const joined = new Set(whole.flatMap(([, list]) => list))
    const terms = [...node.inputs.filter((n) => !joined.has(n)).map(build), ...whole.map(([{ total }]) => total)]
    return terms.length === 1 ? terms[0] : node.graph.intern('add', terms, {}, [])
  }
  // in this order, nothing is built far below what asks for it
  for (const node of reachable(outputs)) build(node)
  return outputs.map(build)
}

/** x, where a scalar is the sum of x². */
function squaredIn(node: Node): Node | undefined {
  const [sum] = node.inputs
  return node.op === 'reshape' && sum.op === 'sum' ? summedSquare(sum) : undefined
}

const ones = (shape: Shape): Shape => shape.map(() => 1)
