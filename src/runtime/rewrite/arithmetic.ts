import {
  broadcast,
  broadcastShapes,
  gemm,
  type Node,
  padRank,
  reachable,
  sameShape,
  scalar,
  uniformValue,
} from '../../graph'
import { emitProduct, emitSum, raw } from './emit'
import { atom, collected, dividedBy, type Monomial, number, scaled, times } from './monomial'
import { type Readers, readersOf, rebuilt } from './readers'

/** Most terms of a sum that is taken apart. */
const MOST_TERMS = 24
/** Most terms of a sum of scalars that is taken apart. */
const MOST_SCALARS = 1024
/** Most terms of a sum whose factor is multiplied with each of them. */
const MOST_DISTRIBUTED = 8
/** Elementwise operations that sums of products are made of, and what numbers and other factors move past. */
const ARITHMETIC: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'neg',
  'sum',
  'matMul',
  'reshape',
  'transpose',
])

/** What a number moves outwards past. */
const LINEAR: ReadonlySet<string> = new Set(['add', 'sub', 'mul', 'neg', 'broadcast'])

/** Whether everything that reads a node multiplies it, soon or late, by a number; what is known of that number is kept. */
function isScaled(node: Node, factor: number, readers: Readers, known: Map<Node, boolean>): boolean {
  const before = known.get(node)
  if (before !== undefined) return before
  const scaled = readers.get(node)!.every((reader) => {
    if (reader === 'output' || !LINEAR.has(reader.op)) return false
    const number = reader.op === 'mul' ? uniformValue(reader.inputs[1]) : undefined
    const isFactor = number !== undefined && Math.abs(Math.abs(number / factor) - 1) < 1e-12
    return isFactor || isScaled(reader, factor, readers, known)
  })
  known.set(node, scaled)
  return scaled
}

/** x², which a sum of squares reads through. */
const isSquare = (node: Node): boolean => node.op === 'mul' && node.inputs[0] === node.inputs[1]

/**
 * The outputs with their elementwise arithmetic written anew: chains of additions, subtractions, multiplications and divisions
 * are sums of products, in which like terms are one and common factors are multiplied once.
 */
export function rewriteArithmetic(outputs: readonly Node[]): Node[] {
  const nodes = reachable(outputs)
  const readers = readersOf(outputs)
  const scaledBy = new Map<number, Map<Node, boolean>>()
  /** One through the length of the rows summed, where their sums are means to all who read them. */
  const share = (node: Node<'sum'>): number | undefined => {
    const [{ shape }] = node.inputs
    const { axes } = node.attributes
    if (axes.length > 1 || axes[0] !== shape.length - 1 || shape[axes[0]] === 1) return undefined
    const part = 1 / shape[axes[0]]
    const known = scaledBy.get(part) ?? new Map<Node, boolean>()
    scaledBy.set(part, known)
    return isScaled(node, part, readers, known) ? part : undefined
  }
  const squares = new Set(nodes.flatMap((n) => (n.op === 'sum' && isSquare(n.inputs[0]) ? n.inputs : [])))
  const built = new Map<Node, Node>()
  const sums = new Map<Node, readonly Monomial[]>()

  const build = (node: Node): Node => {
    let made = built.get(node)
    if (made) return made
    const terms = sums.get(node)
    made = terms
      ? broadcast(emitProduct(node.graph, emitSum(node.graph, terms)), node.shape)
      : rebuilt(node, node.inputs.map(build))
    built.set(node, made)
    return made
  }

  /** Whether a node is computed as it is, because more than sums of products read it. */
  const isComputed = (node: Node): boolean =>
    readers.get(node)!.some((reader) => {
      if (reader === 'output' || reader.op === 'matMul' || !ARITHMETIC.has(reader.op)) return true
      return (reader.op === 'reshape' || reader.op === 'transpose') && isComputed(reader)
    })

  /**
   * Whether a product of several readers is read whole: a derivative r·(…) of standardized rows that is computed in any case. Taking
   * every such product whole costs kernels.
   */
  const isWhole = (node: Node, { over }: Monomial): boolean =>
    over.length > 1 && over.some((n) => n.op === 'inverseDeviation') && isComputed(node)

  /** An operand as a sum of products. */
  const opened = (node: Node): readonly Monomial[] => {
    const value = uniformValue(node)
    if (value !== undefined && Number.isFinite(value)) return [number(value)]
    const terms = sums.get(node)
    const opens =
      terms &&
      (readers.get(node)!.length === 1
        ? terms.length <= (node.shape.length === 0 ? MOST_SCALARS : MOST_TERMS)
        : terms.length === 1 && !isWhole(node, terms[0]))
    return opens ? terms : [atom(build(node))]
  }

  /** An operand as one product. */
  const single = (node: Node): Monomial => {
    const terms = opened(node)
    return terms.length === 1 ? terms[0] : emitSum(node.graph, terms)
  }

  const multiplied = (a: Node, b: Node): Monomial =>
    a === b ? times(atom(build(a)), atom(build(a))) : times(single(a), single(b))

  /** Whether a node is a term of one sum alone, but for a number. */
  const isTerm = (node: Node): boolean => {
    const [reader, ...others] = readers.get(node)!
    if (reader === 'output' || others.length > 0) return false
    if (reader.op === 'add' || reader.op === 'sub') return true
    const scales = reader.op === 'neg' || (reader.op === 'mul' && uniformValue(reader.inputs[1]) !== undefined)
    return scales && isTerm(reader)
  }

  /** c·(a + b) as c·a + c·b, where other terms of the same sum may have the factor too. */
  const distributed = (node: Node): Monomial[] | undefined => {
    if (!isTerm(node)) return undefined
    const [first, second] = node.inputs.map(opened)
    const [one, many] = first.length === 1 ? [first, second] : [second, first]
    if (one.length !== 1 || many.length < 2 || many.length > MOST_DISTRIBUTED) return undefined
    return many.map((m) => times(m, one[0]))
  }

  const divided = (a: Node, b: Node): Monomial => {
    const divisor = single(b)
    return dividedBy(single(a), divisor.factor === 0 ? atom(b) : divisor)
  }

  /** Whether only matrix products read a node, which take numbers in for nothing; they may read it in another shape or order. */
  const onlyMultiplied = (node: Node): boolean =>
    readers
      .get(node)!
      .every(
        (reader) =>
          reader !== 'output' &&
          (reader.op === 'matMul' ||
            ((reader.op === 'reshape' || reader.op === 'transpose') && onlyMultiplied(reader))),
      )

  /** The node and the number that it is multiplied by at last. */
  const withoutNumber = (node: Node): { node: Node; factor: number } => {
    const m = sums.has(node) && onlyMultiplied(node) ? single(node) : undefined
    if (!m || m.factor === 1) return { node: build(node), factor: 1 }
    return { node: broadcast(emitProduct(node.graph, { ...m, factor: 1 }), node.shape), factor: m.factor }
  }

  const matrixProduct = (node: Node): Node => {
    const [a, b] = node.inputs.map(withoutNumber)
    const factor = a.factor * b.factor
    return factor === 1 ? rebuilt(node, [a.node, b.node]) : gemm(a.node, b.node, factor)
  }

  /** A number moves past changes of shape and order. */
  const moved = (node: Node): Monomial => {
    const source = withoutNumber(node.inputs[0])
    return atom(rebuilt(node, [source.node]), source.factor)
  }

  /** A sum as its mean, times the count, where the mean is what is read. */
  const averaged = (node: Node<'sum'>, total: Node): Monomial => {
    const part = squares.has(node.inputs[0]) ? undefined : share(node)
    return part === undefined ? atom(total) : atom(raw('mul', total, scalar(node.graph, part)), 1 / part)
  }

  /** Σ c·x = c·Σ x where c does not vary along the axes summed. */
  const summed = (node: Node<'sum'>): Monomial => {
    const [x] = node.inputs
    const { axes } = node.attributes
    const terms = squares.has(x) ? [] : opened(x)
    if (terms.length !== 1) return averaged(node, rebuilt(node, [build(x)]))
    const [m] = terms
    const constant = (n: Node) => axes.every((axis) => padRank(n.shape, x.shape.length)[axis] === 1)
    const inner = { factor: 1, over: m.over.filter((n) => !constant(n)), under: m.under.filter((n) => !constant(n)) }
    const shape = broadcastShapes([], ...[...inner.over, ...inner.under].map((n) => n.shape))
    if (!sameShape(shape, x.shape)) return averaged(node, rebuilt(node, [build(x)]))
    const total = averaged(node, rebuilt(node, [emitProduct(node.graph, inner)]))
    return times(scaled(total, m.factor), { factor: 1, over: m.over.filter(constant), under: m.under.filter(constant) })
  }

  const sumOf = (node: Node): readonly Monomial[] => {
    const [a, b] = node.inputs
    switch (node.op) {
      case 'add':
        return node.inputs.flatMap(opened)
      case 'sub':
        return [...opened(a), ...opened(b).map((m) => scaled(m, -1))]
      case 'neg':
        return opened(a).map((m) => scaled(m, -1))
      case 'mul':
        return distributed(node) ?? [multiplied(a, b)]
      case 'div':
        return [divided(a, b)]
      case 'sum':
        return [summed(node)]
      case 'matMul':
        return [atom(matrixProduct(node))]
      default:
        return [moved(node)]
    }
  }

  for (const node of nodes) {
    if (!node.varying) built.set(node, node)
    else if (!ARITHMETIC.has(node.op) || squares.has(node)) build(node)
    else {
      const terms = collected(sumOf(node))
      sums.set(node, readers.get(node)!.length === 1 || terms.length < 2 ? terms : [emitSum(node.graph, terms)])
    }
  }
  return outputs.map(build)
}
