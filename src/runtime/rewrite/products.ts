import { broadcast, broadcastShapes, type Node, reachable, sizeOf, uniformValue } from '../../graph'
import { meanOf } from '../plan'
import { kernelCost } from './cost'
import { emitProduct, productCost, raw } from './emit'
import { atom, dividedBy, type Monomial, number, scaled, times, without } from './monomial'
import { readersOf, rebuilt } from './readers'

/** Two factors of a product, each above or below the line. */
interface Pair {
  readonly a: Node
  readonly b: Node
  readonly kind: 'product' | 'quotient' | 'divisor'
  /** The products that both are in. */
  readonly roots: Set<Node>
}

/**
 * The outputs with their products multiplied in another order, such that two factors that meet in several products meet once:
 * the pair that saves most first.
 */
export function shareProducts(outputs: readonly Node[]): Node[] {
  const products = productsOf(outputs)
  const pairs = new Map<string, Pair>()
  const every = (m: Monomial, visit: (kind: Pair['kind'], a: Node, b: Node) => void) => {
    m.over.forEach((a, i) => {
      for (const b of m.over.slice(i + 1)) visit('product', a, b)
      for (const b of new Set(m.under)) visit('quotient', a, b)
    })
    m.under.forEach((a, i) => {
      for (const b of m.under.slice(i + 1)) visit('divisor', a, b)
    })
  }
  const enter = (root: Node) =>
    every(products.get(root)!, (kind, a, b) => {
      if (!a.varying && !b.varying) return
      const key = `${kind}${a.id} ${b.id}`
      const pair = pairs.get(key)
      if (pair) pair.roots.add(root)
      else pairs.set(key, { a, b, kind, roots: new Set([root]) })
    })
  const leave = (root: Node) =>
    every(products.get(root)!, (kind, a, b) => pairs.get(`${kind}${a.id} ${b.id}`)?.roots.delete(root))
  for (const root of products.keys()) enter(root)

  const refused = new Set<Pair>()
  for (;;) {
    let best: Pair | undefined
    let most = 0
    for (const pair of pairs.values()) {
      if (pair.roots.size < 2 || refused.has(pair)) continue
      const gain = (pair.roots.size - 1) * kernelCost(sizeOf(broadcastShapes(pair.a.shape, pair.b.shape)))
      if (gain > most) {
        most = gain
        best = pair
      }
    }
    if (!best) break
    const { a, b, kind } = best
    const joined = kind === 'quotient' ? raw('div', a, b) : raw('mul', a, b)
    const replaced = [...best.roots].flatMap((root) => {
      if (root === joined) return []
      const m = products.get(root)!
      const next = withJoined(m, best!, joined)
      return next && productCost(next) < productCost(m) ? [[root, next] as const] : []
    })
    const saved = replaced.reduce((sum, [root, m]) => sum + productCost(products.get(root)!) - productCost(m), 0)
    refused.add(best)
    const made = best.roots.has(joined) ? 0 : kernelCost(sizeOf(joined.shape))
    if (replaced.length === 0 || saved - made < 1e-6) continue
    if (!products.has(joined)) products.set(joined, pairMonomial(best))
    for (const [root, m] of replaced) {
      leave(root)
      products.set(root, m)
      enter(root)
    }
  }

  const built = new Map<Node, Node>()
  const build = (node: Node): Node => {
    const known = built.get(node)
    if (known) return known
    const m = products.get(node)
    const made = m ? emitted(node, m) : node.varying ? rebuilt(node, node.inputs.map(build)) : node
    built.set(node, made)
    return made
  }
  const emitted = (node: Node, m: Monomial): Node =>
    broadcast(
      emitProduct(node.graph, { factor: m.factor, over: m.over.map(build), under: m.under.map(build) }),
      node.shape,
    )
  // in this order, nothing is built far below what asks for it
  for (const node of reachable(outputs)) if (products.has(node) || !isProduct(node)) build(node)
  return outputs.map(build)
}

const isProduct = (n: Node): boolean => n.varying && (n.op === 'mul' || n.op === 'div' || n.op === 'neg') && !meanOf(n)

const pairMonomial = ({ a, b, kind }: Pair): Monomial =>
  kind === 'quotient' ? { factor: 1, over: [a], under: [b] } : { factor: 1, over: [a, b], under: [] }

/** The product with both factors replaced by one. */
function withJoined(m: Monomial, { a, b, kind }: Pair, joined: Node): Monomial | undefined {
  if (kind === 'divisor') {
    const under = without(m.under, a)
    const rest = under && without(under, b)
    return rest && { ...m, under: [...rest, joined] }
  }
  const over = without(m.over, a)
  const under = kind === 'quotient' ? without(m.under, b) : m.under
  const rest = kind === 'product' ? over && without(over, b) : over
  return rest && under && { factor: m.factor, over: [...rest, joined], under }
}

/** The products that something else reads, of factors that are no products. Means, and squares that are summed, stay what they are. */
function productsOf(outputs: readonly Node[]): Map<Node, Monomial> {
  const nodes = reachable(outputs)
  const readers = readersOf(outputs)
  const squares = new Set(nodes.flatMap((n) => (n.op === 'sum' && n.inputs[0].op === 'mul' && n.inputs[0].inputs[0] === n.inputs[0].inputs[1] ? n.inputs : []))) // biome-ignore format: one line
  const multiplies = (n: Node) => isProduct(n) && !squares.has(n)
  const opened = new Map<Node, Monomial>()
  const open = (node: Node): Monomial => {
    const value = uniformValue(node)
    if (value !== undefined && value !== 0 && Number.isFinite(value)) return number(value)
    return opened.get(node) ?? atom(node)
  }
  const roots = new Map<Node, Monomial>()
  for (const node of nodes) {
    if (!multiplies(node)) continue
    const [a, b] = node.inputs
    const m =
      node.op === 'neg'
        ? scaled(open(a), -1)
        : node.op === 'mul'
          ? times(open(a), open(b))
          : dividedBy(open(a), open(b))
    opened.set(node, m)
    if (readers.get(node)!.some((reader) => reader === 'output' || !multiplies(reader))) roots.set(node, m)
  }
  return roots
}
