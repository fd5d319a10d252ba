import {
  broadcastShapes,
  conv,
  convFilterGrad,
  gemm,
  type Node,
  reshape,
  type Shape,
  sameShape,
  sizeOf,
  uniformValue,
} from '../../graph'
import { unfolds } from '../plan'
import { added } from './emit'
import { type Readers, readersOf, rebuiltAll } from './readers'
import { isLarge } from './succession'

/**
 * Sums, differences and numbers taken into the product beside them: A·B + C, C − A·B, c·A·B and conv(x, w) + b are one kernel each.
 */
export function takeIntoProducts(outputs: readonly Node[]): Node[] {
  const readers = readersOf(outputs)
  const once = (before: Node, node: Node) => isMatrixProduct(node) && readers.get(before)!.length === 1
  return rebuiltAll(outputs, (node, before) => {
    const [a, b] = node.inputs
    const [first, second] = before.inputs
    switch (node.op) {
      case 'mul': {
        const factor = uniformValue(b)
        return factor !== undefined && b.shape.length === 0 && once(first, a) ? scaledProduct(a, factor) : node
      }
      case 'neg':
        return once(first, a) ? scaledProduct(a, -1) : node
      case 'sub':
        if (once(first, a) && takes(a, b, node)) return withTerm(a, b, 1, -1)
        if (a.op === 'convFilterGrad' && a.inputs.length === 2 && readers.get(first)!.length === 1 && !b.varying)
          return filterGradLess(a, b)
        return once(second, b) && takes(b, a, node) ? withTerm(b, a, -1, 1) : node
      case 'add': {
        const [reader, ...others] = readers.get(before)!
        if (reader !== 'output' && reader.op === 'add' && others.length === 0) return node
        const terms = termsOf(node, before, readers)
        return withBias(node, terms, readers) ?? withAddends(node, terms, readers)
      }
      default:
        return node
    }
  })
}

/** The gradient of a filter less what is known, which a product takes in with flat rows. */
function filterGradLess(node: Node<'convFilterGrad'>, known: Node): Node {
  const { attributes, shape, inputs } = node
  const rows = unfolds(node) ? reshape(known, [shape[0], sizeOf(shape.slice(1))]) : known
  return convFilterGrad(inputs[0], inputs[1], attributes, shape, rows)
}

interface Term {
  readonly node: Node
  readonly before: Node
}

/** The terms of a sum and of the sums in it that nobody else reads. */
const termsOf = (node: Node, before: Node, readers: Readers): Term[] =>
  before.inputs.flatMap((n, i) =>
    n.op === 'add' && node.inputs[i].op === 'add' && readers.get(n)!.length === 1
      ? termsOf(node.inputs[i], n, readers)
      : [{ node: node.inputs[i], before: n }],
  )

/** A matrix product that takes no term in yet. */
export const isMatrixProduct = (node: Node): boolean =>
  node.varying && (node.op === 'matMul' || (node.op === 'gemm' && node.inputs.length === 2))

/** Whether a product can take a term in: it is a matrix of the sum's shape. */
const takes = (product: Node, term: Node, sum: Node): boolean =>
  isMatrixProduct(product) &&
  product.shape.length === 2 &&
  sameShape(product.shape, sum.shape) &&
  sameShape(broadcastShapes(term.shape, sum.shape), sum.shape)

const alphaOf = (node: Node): number => (node.op === 'gemm' ? node.attributes.alpha : 1)

const scaledProduct = (node: Node, factor: number): Node => gemm(node.inputs[0], node.inputs[1], factor * alphaOf(node))

/** sign · product + weight · term */
const withTerm = (product: Node, term: Node, sign: number, weight: number): Node =>
  gemm(product.inputs[0], product.inputs[1], sign * alphaOf(product), term, weight)

/** A sum whose products take in the other terms, one after the other. */
function withAddends(node: Node, terms: readonly Term[], readers: Readers): Node {
  const isTaking = (term: Term) =>
    isMatrixProduct(term.node) && readers.get(term.before)!.length === 1 && takes(term.node, term.node, node)
  const products = terms.filter(isTaking)
  // sums in the sum are one with it
  if (products.length === 0) return terms.length > node.inputs.length ? added(terms.map((term) => term.node)) : node
  const rest = terms.filter((term) => !isTaking(term)).map((term) => term.node)
  const chain = (sum: Node | undefined, more: readonly Node[]): Node | undefined =>
    more.reduce((before, product) => (before ? withTerm(product, before, 1, 1) : product), sum)
  const nodes = products.map((term) => term.node)
  // what reads a large value waits for no other term
  const first = chain(undefined, nodes.filter(readsLarge)) // biome-ignore format: one line
  const others = first ? [first, ...rest] : rest
  const small = nodes.filter((node) => !readsLarge(node))
  return chain(others.length === 0 ? undefined : added(others), small)!
}

/** Whether a product reads a large value, which its other readers should find near. */
const readsLarge = ({ inputs }: Node): boolean => inputs.slice(0, 2).some(isLarge)

/** A sum whose convolution takes in the number for each channel that is bound beside it. */
function withBias(node: Node, terms: readonly Term[], readers: Readers): Node | undefined {
  const source = terms.find(
    ({ node: n, before }) =>
      n.op === 'conv' && n.inputs.length === 2 && readers.get(before)!.length === 1 && sameShape(n.shape, node.shape),
  )
  const bias = terms.find((term) => !term.node.varying && isOfChannels(term.node.shape, node.shape))
  if (!source || !bias) return undefined
  const [x, w] = source.node.inputs
  const channels = reshape(bias.node, [node.shape[1]])
  const whole = conv(x, w, (source.node as Node<'conv'>).attributes, channels)
  const rest = terms.filter((term) => term !== source && term !== bias).map((term) => term.node)
  return added([whole, ...rest])
}

/** Whether a shape has a number for each channel of [N, C, …], and no more. */
const isOfChannels = (shape: Shape, whole: Shape): boolean => {
  const lead = whole.length - shape.length
  return lead <= 1 && shape.every((n, i) => n === (i + lead === 1 ? whole[1] : 1))
}
