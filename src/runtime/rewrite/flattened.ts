import { type Node, reachable, reshape, type Shape, sameShape, sizeOf, swapLast, transpose } from '../../graph'
import { summedSquare, swapsLast } from '../plan'
import { costOf } from './cost'
import { isMatrixProduct } from './gemm'
import { rebuilt } from './readers'
import { swapRaw } from './swaps'

/** Most numbers of a matrix whose rows are put into another order when it is bound. */
const MOST_ORDERED = 2 ** 20

/** Pictures laid out anew before they are flattened: a transpose that keeps samples where they are. */
interface Layout {
  /** The shape that is flattened, samples first. */
  readonly shape: Shape
  readonly permutation: readonly number[]
  /** What undoes the permutation. */
  readonly inverse: readonly number[]
  /** Numbers of a sample. */
  readonly size: number
}

/**
 * A dense layer over flattened pictures reads their numbers in any order, as long as the rows of its matrix have the same: pictures
 * are flattened as they lie, and rows are put in order once, when they are bound. What a matrix is compared with is ordered likewise,
 * and cotangents come back as pictures lie.
 */
export function flattenAsTheyLie(outputs: readonly Node[]): Node[] {
  let best = [...outputs]
  for (const layout of layoutsOf(outputs).values()) {
    const next = laidOutAs(best, layout)
    if (costOf(next) < costOf(best)) best = next
  }
  return best
}

const keyOf = (shape: Shape, permutation: readonly number[]): string => `${shape}:${permutation}`

function layoutsOf(outputs: readonly Node[]): Map<string, Layout> {
  const layouts = new Map<string, Layout>()
  for (const node of reachable(outputs)) {
    const [source] = node.inputs
    if (node.op !== 'reshape' || !node.varying || source.op !== 'transpose' || !flattens(node, source)) continue
    const { shape } = source
    const { permutation } = source.attributes
    if (permutation[0] !== 0) continue
    const inverse = permutation.map((_, i) => permutation.indexOf(i))
    layouts.set(keyOf(shape, permutation), { shape, permutation, inverse, size: sizeOf(shape.slice(1)) })
  }
  return layouts
}

/** Whether a reshape makes one row of each sample. */
const flattens = (node: Node, { shape }: Node): boolean => sameShape(node.shape, [shape[0], sizeOf(shape.slice(1))])

/** A node in the order in which pictures lie; undefined where it would have to be put in order with every evaluation. */
type Order = (node: Node) => Node | undefined

function laidOutAs(outputs: readonly Node[], layout: Layout): Node[] {
  const { shape, permutation, inverse, size } = layout
  const [samples] = shape
  const lies = inverse.map((axis) => shape[axis])
  const rest = inverse.slice(1).map((axis) => axis - 1)
  const laidOut = (node: Node): node is Node<'transpose'> =>
    node.op === 'transpose' && sameShape(node.shape, shape) && sameShape(node.attributes.permutation, permutation)

  const built = new Map<Node, Node>()
  const build = (node: Node): Node => {
    const known = built.get(node)
    if (known) return known
    const made = node.varying ? (joined(node) ?? rebuilt(node, node.inputs.map(build))) : node
    built.set(node, made)
    return made
  }
  const remembered = (order: Order): Order => {
    const known = new Map<Node, Node | undefined>()
    return (node) => {
      if (!known.has(node)) known.set(node, order(node))
      return known.get(node)
    }
  }
  /** Sums of nodes of one shape, each in order. */
  const termwise = (node: Node, order: Order): Node | undefined => {
    if ((node.op !== 'add' && node.op !== 'sub') || !node.inputs.every((n) => sameShape(n.shape, node.shape)))
      return undefined
    const terms = node.inputs.map(order)
    if (!terms.every((term) => term !== undefined)) return undefined
    return node.graph.intern(node.op, terms, {}, terms[0].shape)
  }

  /** [size, n] with its rows in order. */
  const rows: Order = remembered((node) => {
    const [first, second] = node.inputs
    if (swapsLast(node)) return swapped(columns(first))
    if (!node.varying) return sizeOf(node.shape) <= MOST_ORDERED ? boundRows(node) : undefined
    // one sample: the column is its row, which products read turned round
    if (node.op === 'reshape' && laidOut(first) && samples === 1)
      return swapRaw(under(build(first.inputs[0]), [1, size]))
    if (isMatrixProduct(node)) return multiplied(node, rows(first), build(second))
    return termwise(node, rows)
  })
  /** [n, size] with its columns in order. */
  const columns: Order = remembered((node) => {
    const [first, second] = node.inputs
    if (swapsLast(node)) return swapped(rows(first))
    if (!node.varying) return undefined
    if (node.op === 'reshape' && laidOut(first)) return under(build(first.inputs[0]), node.shape)
    if (isMatrixProduct(node)) return multiplied(node, build(first), columns(second))
    return termwise(node, columns)
  })
  /** Pictures as they lie. */
  const pictures: Order = remembered((node) => {
    if (laidOut(node)) return build(node.inputs[0])
    if (!node.varying) return undefined
    if (node.op !== 'reshape') return termwise(node, pictures)
    const [flat] = node.inputs
    const whole = sameShape(flat.shape, [samples, size])
      ? columns(flat)
      : sameShape(flat.shape, [size, 1])
        ? rows(flat)
        : undefined
    return whole && under(whole, lies)
  })
  const boundRows = (node: Node): Node => {
    const [, n] = node.shape
    const apart = reshape(node, [...shape.slice(1), n])
    return reshape(transpose(apart, [...rest, rest.length]), [size, n])
  }

  /** A node that is the same in any order, made of what is in order. */
  function joined(node: Node): Node | undefined {
    const [first, second] = node.inputs
    if (isMatrixProduct(node) && node.shape.length === 2 && second.shape[0] === size) {
      const left = columns(first)
      return left && multiplied(node, left, rows(second))
    }
    const squared = summedSquare(node)
    if (squared?.shape.length === 2 && squared.shape[0] === size && sizeOf(node.shape) === 1) {
      const matrix = squared.op === 'sub' ? rows(squared) : undefined
      if (!matrix) return undefined
      const square = matrix.graph.intern('mul', [matrix, matrix], {}, matrix.shape)
      return rebuilt(node, [square])
    }
    const back = node.op === 'transpose' && sameShape(node.attributes.permutation, inverse)
    return back && sameShape(first.shape, shape) ? pictures(first) : undefined
  }

  // in this order, nothing is built far below what asks for it
  for (const node of reachable(outputs)) build(node)
  return outputs.map(build)
}

const swapped = (node: Node | undefined): Node | undefined => node && swapLast(node)

const multiplied = (node: Node, a: Node | undefined, b: Node | undefined): Node | undefined =>
  a && b && rebuilt(node, [a, b])

/** Under another shape, and not simplified. */
const under = (node: Node, shape: Shape): Node =>
  sameShape(node.shape, shape) ? node : node.graph.intern('reshape', [node], {}, shape)
