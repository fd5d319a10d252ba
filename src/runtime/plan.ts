import { type Node, reachable, sizeOf } from '../graph'
import type { Program } from './runtime'

/** One node to compute, and the nodes nothing reads afterwards. */
export interface Step {
  readonly node: Node
  readonly last: readonly Node[]
}

/** Whether a node only swaps the last two axes. */
export const swapsLast = (node: Node): node is Node<'transpose'> => {
  if (node.op !== 'transpose') return false
  const p = node.attributes.permutation
  const rank = p.length
  return p[rank - 1] === rank - 2 && p[rank - 2] === rank - 1 && p.every((axis, i) => i >= rank - 2 || axis === i)
}

/** x, where a node is the sum of x². */
export function summedSquare(node: Node): Node | undefined {
  const [inner] = node.inputs
  return node.op === 'sum' && inner.op === 'mul' && inner.inputs[0] === inner.inputs[1] ? inner.inputs[0] : undefined
}

/** The sum that a reshape takes the summed axes off, and may be others of size 1; `axes` are all that it takes off. */
export function squeezedSum(node: Node): { readonly total: Node<'sum'>; readonly axes: readonly number[] } | undefined {
  const [total] = node.inputs
  if (node.op !== 'reshape' || total.op !== 'sum') return undefined
  const axes: number[] = []
  let kept = 0
  for (const [axis, n] of total.shape.entries()) {
    const summed = total.attributes.axes.includes(axis)
    if (!summed && n === node.shape[kept]) kept++
    else if (n === 1) axes.push(axis)
    else return undefined
  }
  return kept === node.shape.length ? { total, axes } : undefined
}

/** The sum that a product with 1 / n makes a mean of n numbers. */
export function meanOf(node: Node): Node<'sum'> | undefined {
  const [total, factor] = node.inputs
  if (node.op !== 'mul' || total.op !== 'sum' || summedSquare(total) || factor.op !== 'constant') return undefined
  const count = sizeOf(total.inputs[0].shape) / sizeOf(total.shape)
  const isMean = sizeOf(factor.shape) === 1 && Math.abs(factor.attributes.values[0] * count - 1) < 1e-12
  return isMean ? total : undefined
}

/** From this many pairs of channels on, one large matrix product is faster than a convolution with filters as large as y. */
const LARGE = 2048

/**
 * Whether the gradient of a filter is better made by unfolding. With a batch, unfolding needs one spatial axis more than the filter
 * has, and runtimes have convolutions over three.
 */
export const unfolds = (node: Node<'convFilterGrad'>): boolean =>
  node.attributes.groups === 1 &&
  node.shape[0] * node.shape[1] >= LARGE &&
  (node.inputs[0].shape[0] === 1 || node.shape.length < 5)

/** Most scalars that are added in one operation. */
const MOST_TERMS = 32

/** The terms of a sum of scalars; the two of any other addition. */
function terms(node: Node): readonly Node[] {
  let all = node.inputs
  if (node.shape.length > 0) return all
  for (let at = 0; at < all.length && all.length < MOST_TERMS; ) {
    if (all[at].op === 'add') all = [...all.slice(0, at), ...all[at].inputs, ...all.slice(at + 1)]
    else at++
  }
  return all
}

/**
 * The nodes that a node reads: a matrix product reads through a transpose of its factors, a sum of squares through the square, a
 * reshape through the sum whose axes it takes off, a sum of scalars through the sums it is made of.
 */
export function operands(node: Node): readonly Node[] {
  const squared = summedSquare(node)
  if (squared) return [squared]
  const squeezed = squeezedSum(node)
  if (squeezed) return operands(squeezed.total)
  const mean = meanOf(node)
  if (mean) return mean.inputs
  if (node.op === 'add') return terms(node)
  if (node.op !== 'matMul' && node.op !== 'gemm') return node.inputs
  return node.inputs.map((n, i) => (i < 2 && swapsLast(n) ? n.inputs[0] : n))
}

/** The nodes that have to be computed, inputs before users. */
export function needed(outputs: readonly Node[]): Node[] {
  const wanted = new Set<Node>(outputs)
  const nodes: Node[] = []
  for (const node of reachable(outputs).reverse()) {
    if (!wanted.has(node)) continue
    nodes.push(node)
    // what is bound once is computed plainly
    for (const n of node.varying ? operands(node) : node.inputs) wanted.add(n)
  }
  return nodes.reverse()
}

/** Whether a node is computed with every evaluation. */
export const runs = (node: Node): boolean => node.varying && node.op !== 'input'

/** Splits a program into what is computed once when parameters are bound and what runs every time. */
export function plan(program: Program): { bound: Step[]; steps: Step[] } {
  const nodes = needed(program.outputs)
  const running = nodes.filter(runs)
  const lastReader = new Map<Node, Node>()
  for (const node of running) for (const n of operands(node)) if (n.varying) lastReader.set(n, node)
  const outputs = new Set(program.outputs)
  const freed = new Map<Node, Node[]>()
  for (const [n, reader] of lastReader) if (!outputs.has(n)) freed.set(reader, [...(freed.get(reader) ?? []), n])
  return {
    bound: nodes.filter((n) => !n.varying).map((node) => ({ node, last: [] })),
    steps: running.map((node) => ({ node, last: freed.get(node) ?? [] })),
  }
}

/** Multiplications of numbers in one product of matrices or convolution. */
function multiplications(node: Node): number {
  const [a, b] = node.inputs
  switch (node.op) {
    case 'matMul':
    case 'gemm':
      return sizeOf(node.shape) * a.shape[a.shape.length - 1]
    case 'conv':
      return (sizeOf(node.shape) * sizeOf(b.shape)) / b.shape[0]
    case 'convInputGrad':
      return (sizeOf(a.shape) * sizeOf(b.shape)) / b.shape[0]
    case 'convFilterGrad':
      return (sizeOf(b.shape) * sizeOf(node.shape)) / node.shape[0]
    default:
      return 0
  }
}

/** Multiplications in products and convolutions for each node that runs, on average. */
export function meanWork(steps: readonly Step[]): number {
  return steps.reduce((sum, { node }) => sum + multiplications(node), 0) / Math.max(steps.length, 1)
}

/** The most numbers that are in memory at once while a program is computed, without those that are bound. */
export function mostHeld(program: Program): number {
  let held = program.inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  let most = held
  for (const { node, last } of plan(program).steps) {
    held += sizeOf(node.shape)
    most = Math.max(most, held)
    for (const done of last) held -= sizeOf(done.shape)
  }
  return most
}
