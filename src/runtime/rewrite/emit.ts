import { type BinaryOp, broadcastShapes, type Graph, type Node, scalar, sizeOf } from '../../graph'
import { kernelCost } from './cost'
import { atom, collected, type Monomial, number, scaled, times, without } from './monomial'

/** A node as it is: constructors would move its numbers outwards again. */
export const raw = (op: BinaryOp | 'neg', ...inputs: readonly Node[]): Node =>
  inputs[0].graph.intern(op, inputs, {}, broadcastShapes(...inputs.map((n) => n.shape)))

/** Nodes of the same shape together, smaller shapes first. */
function byShape(nodes: readonly Node[]): Node[][] {
  if (nodes.length < 2) return nodes.map((node) => [node])
  const groups = new Map<string, Node[]>()
  for (const node of nodes) {
    const key = node.shape.join()
    const group = groups.get(key)
    if (group) group.push(node)
    else groups.set(key, [node])
  }
  for (const group of groups.values()) group.sort((a, b) => a.id - b.id)
  return [...groups.values()].sort(([a], [b]) => sizeOf(a.shape) - sizeOf(b.shape))
}

const multiplied = (nodes: readonly Node[]): Node | undefined =>
  nodes.length === 0 ? undefined : nodes.reduce((a, b) => raw('mul', a, b))

/** The product of some nodes, those of the same shape first. */
const product = (nodes: readonly Node[]): Node | undefined =>
  multiplied(byShape(nodes).map((group) => multiplied(group)!))

/** Factors by where they are cheap to multiply: once when they are bound, on few numbers, on all of them. */
interface Parts {
  readonly bound: readonly Node[]
  readonly small: readonly Node[]
  readonly large: readonly Node[]
}

function partsOf(nodes: readonly Node[], size: number): Parts {
  const parts = { bound: [] as Node[], small: [] as Node[], large: [] as Node[] }
  for (const node of nodes) parts[!node.varying ? 'bound' : sizeOf(node.shape) < size ? 'small' : 'large'].push(node)
  return parts
}

/** f, computed once for each product. */
function remembered(f: (m: Monomial) => number): (m: Monomial) => number {
  const known = new WeakMap<Monomial, number>()
  return (m) => {
    let value = known.get(m)
    if (value === undefined) {
      value = f(m)
      known.set(m, value)
    }
    return value
  }
}

/** Numbers in a product, whose factors broadcast. */
function sizeOfProduct({ over, under }: Monomial): number {
  if (over.length === 1 && under.length === 0) return sizeOf(over[0].shape)
  const sizes: number[] = []
  for (const nodes of [over, under])
    for (const { shape } of nodes)
      for (let axis = 1; axis <= shape.length; axis++) {
        const n = shape[shape.length - axis]
        if (n !== 1 || sizes[axis - 1] === undefined) sizes[axis - 1] = n
      }
  return sizeOf(sizes)
}

/** The sum among the factors that the number makes a mean. */
function meanOf({ factor, over }: Monomial): Node<'sum'> | undefined {
  if (Math.abs(factor) === 1) return undefined
  return over.find(
    (n): n is Node<'sum'> =>
      n.op === 'sum' && Math.abs((Math.abs(factor) * sizeOf(n.inputs[0].shape)) / sizeOf(n.shape) - 1) < 1e-12,
  )
}

/** The product with a mean for a sum and its number. */
function withMean(m: Monomial): Monomial {
  const total = meanOf(m)
  if (!total) return m
  const mean = raw('mul', total, scalar(total.graph, Math.abs(m.factor)))
  return { factor: Math.sign(m.factor), over: [...without(m.over, total)!, mean], under: m.under }
}

/** A product as one node: small factors meet before large ones, and its number meets what is smallest. */
export function emitProduct(graph: Graph, plain: Monomial): Node {
  const m = withMean(plain)
  const size = sizeOfProduct(m)
  const [over, under] = [partsOf(m.over, size), partsOf(m.under, size)]
  let { factor } = m
  /** The node with the number, which is used up. */
  const withFactor = (node: Node): Node => {
    if (factor === 1 || factor === -1) return node
    const scaledNode = raw('mul', node, scalar(graph, factor))
    factor = 1
    return scaledNode
  }
  let bound = product(over.bound)
  if (under.bound.length > 0) bound = raw('div', bound ?? scalar(graph, 1), product(under.bound)!)
  let row = product(over.small)
  if (row) row = withFactor(row)
  else if (bound) bound = withFactor(bound)
  let divisor = product(under.small)
  if (divisor && row) row = raw('div', row, divisor)
  else if (divisor && factor !== 1) {
    row = raw('div', scalar(graph, factor), divisor)
    factor = 1
  }
  if (row) divisor = undefined
  let whole = multiplied([...(bound ? [bound] : []), ...over.large, ...(row ? [row] : [])])
  for (const below of [divisor, product(under.large)]) {
    if (!below) continue
    whole = raw('div', whole ?? scalar(graph, factor), below)
    if (over.large.length === 0 && !bound && !row) factor = 1
  }
  if (!whole) return scalar(graph, factor)
  return factor === -1 ? raw('neg', whole) : withFactor(whole)
}

/** What `emitProduct` costs, without the node of a product of one factor. */
export const productCost = remembered((m) => {
  const size = sizeOfProduct(m)
  const [over, under] = [partsOf(m.over, size), partsOf(m.under, size)]
  const number = Math.abs(m.factor) === 1 || meanOf(m) || isFree(m) ? 0 : 1
  const bound = over.bound.length + under.bound.length > 0 ? 1 : 0
  const rows = over.small.length
  const small = rows > 0 ? rows - 1 + number + under.small.length : 0
  const free = rows > 0 || bound ? 0 : number
  const parts = over.large.length + bound + (rows > 0 ? 1 : 0) + under.large.length + free
  const large = Math.max(parts - 1 + (rows > 0 ? 0 : under.small.length), 0)
  const most = Math.max(0, ...[...over.small, ...under.small].map((n) => sizeOf(n.shape)))
  return small * kernelCost(most) + large * kernelCost(size)
})

const isMatrixProduct = (n: Node): boolean => n.varying && (n.op === 'matMul' || n.op === 'gemm')

/** A matrix product by itself: a number beside it costs nothing. */
const isFree = ({ over, under }: Monomial): boolean =>
  over.length === 1 && under.length === 0 && isMatrixProduct(over[0])

/** What a sum costs, in which matrix products take the other terms in. */
const sumCost = (terms: readonly Monomial[]): number => {
  const size = Math.max(...terms.map(sizeOfProduct))
  const apart = terms.filter((m) => !(isFree(m) && m.over[0].shape.length === 2)).length
  return terms.reduce((total, term) => total + productCost(term), Math.max(apart - 1, 0) * kernelCost(size))
}

/** What is in two lists at least. */
function repeated<T>(lists: readonly (readonly T[])[]): T[] {
  const counts = new Map<T, number>()
  for (const list of lists) for (const item of new Set(list)) counts.set(item, (counts.get(item) ?? 0) + 1)
  return [...counts].flatMap(([item, count]) => (count > 1 ? [item] : []))
}

/** A sum a·(inner) + rest. */
interface Split {
  readonly common: Monomial
  readonly inner: readonly Monomial[]
  readonly rest: readonly Monomial[]
}

/** The common factor whose extraction saves most, if any does. */
function bestSplit(terms: readonly Monomial[]): Split | undefined {
  let best: Split | undefined
  let least = sumCost(terms) - 1e-6
  const consider = (common: Monomial, divide: (m: Monomial) => Monomial | undefined) => {
    const divided = terms.map(divide)
    const inner = divided.filter((m) => m !== undefined)
    if (inner.length < 2) return
    const rest = terms.filter((_, i) => divided[i] === undefined)
    const innerSize = Math.max(...inner.map(sizeOfProduct))
    const size = Math.max(...terms.map(sizeOfProduct))
    const joining = kernelCost(Math.max(innerSize, sizeOfProduct(common))) + (rest.length > 0 ? kernelCost(size) : 0)
    const cost = sumCost(inner) + joining + (rest.length > 0 ? sumCost(rest) : 0)
    if (cost < least) {
      least = cost
      best = { common, inner, rest }
    }
  }
  for (const node of repeated(terms.map((m) => m.over)))
    consider(atom(node), (m) => {
      const over = without(m.over, node)
      return over && { ...m, over }
    })
  for (const node of repeated(terms.map((m) => m.under)))
    consider({ factor: 1, over: [], under: [node] }, (m) => {
      const under = without(m.under, node)
      return under && { ...m, under }
    })
  for (const size of repeated(terms.map((m) => [Math.abs(m.factor)])))
    if (size !== 1)
      consider(number(size), (m) => (Math.abs(m.factor) === size ? { ...m, factor: Math.sign(m.factor) } : undefined))
  return best
}

/** The sum of some nodes: those of the smallest shape in one node, which is a term of the sum of the next shape, and so on. */
export function added(nodes: readonly Node[]): Node {
  const groups = byShape(nodes)
  return groups.slice(1).reduce((sum, group) => raw('add', sum, ...group), joined(groups[0]))
}

/** The sum of nodes of one shape. */
const joined = (group: readonly Node[]): Node => (group.length === 1 ? group[0] : raw('add', ...group))

/** A sum of products as one node, common factors taken out where that is cheaper. */
export function emitSum(graph: Graph, all: readonly Monomial[]): Monomial {
  const terms = collected(all)
  if (terms.length === 0) return number(0)
  const [first] = terms
  if (terms.length === 1) return first
  const size = Math.abs(first.factor)
  if (size !== 1 && terms.every((m) => Math.abs(m.factor) === size && !isFree(m)))
    return scaled(emitSum(graph, terms.map((m) => ({ ...m, factor: Math.sign(m.factor) }))), size) // biome-ignore format: one line
  const split = bestSplit(terms)
  if (split) {
    const inner = emitSum(graph, split.inner)
    const whole = times(split.common, inner)
    return split.rest.length === 0 ? whole : emitSum(graph, [...split.rest, whole])
  }
  // what is bound once and smaller than the sum is added with its sign: a convolution takes it in as a bias
  const whole = Math.max(...terms.map(sizeOfProduct))
  const isRow = ({ over, under }: Monomial) =>
    over.length === 1 && under.length === 0 && !over[0].varying && sizeOf(over[0].shape) < whole
  const subtracted = (m: Monomial) =>
    !isRow(m) && (m.factor === -1 || (m.factor < 0 && (terms.length === 2 || meanOf(m) !== undefined)))
  const positive = terms.filter((m) => !subtracted(m))
  const negative = terms.filter(subtracted)
  const sumOf = (list: readonly Monomial[]) => added(list.map((m) => emitProduct(graph, m)))
  const minus = negative.map((m) => scaled(m, -1))
  // a number takes its sign along
  if (terms.every(({ factor }) => Math.abs(factor) !== 1)) return atom(sumOf(terms))
  if (positive.length === 0) return atom(added(minus.map((m) => emitProduct(graph, m))), -1)
  return atom(negative.length === 0 ? sumOf(positive) : raw('sub', sumOf(positive), sumOf(minus)))
}
