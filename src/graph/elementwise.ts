import { show } from '../errors/checks'
import { invalid, requireNodes, requireNumber } from './checks'
import { fill, scalar, uniformValue } from './leaves'
import type { BinaryOp, Node, Shape, UnaryOp } from './node'
import * as numbers from './scalar'
import { broadcastShapes, inversePermutation, keepsOrder, padRank, sameShape, sizeOf } from './shape'
import { simplifyBinary, simplifyUnary } from './simplify'
import { alignPermutation, broadcast, reshape, transpose } from './structure'

type ElementwiseOp = UnaryOp | BinaryOp | 'select' | 'smoothMaximum'

/**
 * A function of one number, applied to every element.
 *
 * @throws DlgError `invalid-graph` for what is no node or no such function, as every operation here
 */
export function unary(op: UnaryOp, x: Node): Node {
  requireOperation(op, numbers.unary)
  requireNodes(op, x)
  const value = uniformValue(x)
  if (value !== undefined) return fill(x.graph, numbers.unary[op](value), x.shape)
  return simplifyUnary(op, x) ?? elementwise(op, [x])
}

/**
 * A function of two numbers under NumPy broadcasting.
 *
 * @throws DlgError `invalid-graph` for shapes that do not broadcast, and for nodes of two graphs
 */
export function binary(op: BinaryOp, a: Node, b: Node): Node {
  requireOperation(op, numbers.binary)
  requireNodes(op, a, b)
  const [x, y] = [uniformValue(a), uniformValue(b)]
  const shape = broadcastShapes(a.shape, b.shape)
  if (x !== undefined && y !== undefined) return fill(a.graph, numbers.binary[op](x, y), shape)
  const simpler = simplifyBinary(op, a, b)
  return simpler ? broadcast(simpler, shape) : elementwise(op, [a, b])
}

/** a where the mask is not 0, else b. */
export function select(mask: Node, a: Node, b: Node): Node {
  requireNodes('select', mask, a, b)
  const shape = broadcastShapes(mask.shape, a.shape, b.shape)
  const value = uniformValue(mask)
  if (value !== undefined) return broadcast(value !== 0 ? a : b, shape)
  return a === b ? broadcast(a, shape) : elementwise('select', [mask, a, b])
}

/**
 * The larger of a and b, rounded off: s b + (1 − s) a with s = σ(β (b − a)), which is a + swish(b − a, β); the smaller for β below 0.
 *
 * @throws DlgError `invalid-graph` for shapes that do not broadcast, and for nodes of two graphs
 */
export function smoothMaximum(a: Node, b: Node, beta: Node): Node {
  requireNodes('smoothMaximum', a, b, beta)
  const shape = broadcastShapes(a.shape, b.shape, beta.shape)
  const [x, y, sharpness] = [a, b, beta].map(uniformValue)
  if (x !== undefined && y !== undefined && sharpness !== undefined)
    return fill(a.graph, numbers.smoothMaximum(x, y, sharpness), shape)
  return a === b ? broadcast(a, shape) : elementwise('smoothMaximum', [a, b, beta])
}

/**
 * Broadcasts stay implicit and transposes move towards the outputs, where they cancel: a network traced with channels
 * last becomes one with channels first, transposed at its borders only.
 */
function elementwise(op: ElementwiseOp, inputs: readonly Node[]): Node {
  const { graph } = inputs[0]
  const shape = broadcastShapes(...inputs.map((n) => n.shape))
  const sources = inputs.map((n) => (n.op === 'broadcast' ? n.inputs[0] : n))
  if (sources.some((n, i) => n !== inputs[i])) return broadcast(rebuild(op, sources), shape)
  const turned = inputs.find((n) => n.op === 'transpose' && n.varying)
  if (turned?.op === 'transpose') {
    const permutation = alignPermutation(turned.attributes.permutation, shape.length)
    const straight = inputs.map((n) => withoutTranspose(n, permutation))
    if (straight.every((n) => n !== undefined)) return transpose(rebuild(op, straight), permutation)
  }
  const flat = withoutReshapes(op, inputs, shape)
  return flat ? reshape(rebuild(op, flat), shape) : graph.intern(op, [...inputs], {}, shape)
}

const masking: ReadonlySet<ElementwiseOp> = new Set(['less', 'equal', 'select'])

/**
 * Operands of the same elements under the shape that one of them has beneath a reshape, when that is free: reshapes, too,
 * move towards the outputs, where a sum over everything drops them.
 */
function withoutReshapes(op: ElementwiseOp, inputs: readonly Node[], shape: Shape): Node[] | undefined {
  const reshaped = inputs.find((n) => n.op === 'reshape' && n.varying && sameShape(n.shape, shape))
  // masks stay what they are, booleans, until arithmetic reads them
  if (!reshaped || inputs.length === 1 || sizeOf(shape) === 1 || masking.has(op)) return undefined
  const beneath = reshaped.inputs[0].shape
  const rank = Math.min(beneath.length, shape.length)
  const onlyOnes = sameShape(padRank(beneath, shape.length), padRank(shape, beneath.length))
  const straight = inputs.map((n) => {
    if (uniformValue(n) !== undefined && sizeOf(n.shape) === 1) return n
    // leading axes of size 1 come and go: a bias fits either way
    if (onlyOnes && !n.varying && n.shape.length <= rank && !sameShape(n.shape, shape)) return n
    if (!sameShape(n.shape, shape)) return undefined
    if (n.op === 'reshape' && sameShape(n.inputs[0].shape, beneath)) return n.inputs[0]
    return n.varying ? undefined : reshape(n, beneath)
  })
  return straight.every((n) => n !== undefined) ? straight : undefined
}

function rebuild(op: ElementwiseOp, inputs: readonly Node[]): Node {
  if (op === 'select') return select(inputs[0], inputs[1], inputs[2])
  if (op === 'smoothMaximum') return smoothMaximum(inputs[0], inputs[1], inputs[2])
  return inputs.length === 1 ? unary(op as UnaryOp, inputs[0]) : binary(op as BinaryOp, inputs[0], inputs[1])
}

/** The node whose transpose under the permutation is n, when it costs nothing to have. */
function withoutTranspose(n: Node, permutation: readonly number[]): Node | undefined {
  const rank = permutation.length
  if (n.op === 'transpose' && sameShape(alignPermutation(n.attributes.permutation, rank), permutation))
    return reshape(n.inputs[0], padRank(n.inputs[0].shape, rank))
  const shape = padRank(n.shape, rank)
  const inverse = inversePermutation(permutation)
  // what does not vary is transposed once, when it is bound
  if (!n.varying || keepsOrder(shape, inverse)) return transpose(reshape(n, shape), inverse)
  return undefined
}

/** −x, element by element. */
export const neg = (x: Node): Node => unary('neg', x)
/** eˣ, element by element. */
export const exp = (x: Node): Node => unary('exp', x)
/** Natural logarithm, element by element. */
export const log = (x: Node): Node => unary('log', x)
/** √x, element by element. */
export const sqrt = (x: Node): Node => unary('sqrt', x)
/** 1 / (1 + e⁻ˣ), element by element. */
export const sigmoid = (x: Node): Node => unary('sigmoid', x)
/** Hyperbolic tangent, element by element. */
export const tanh = (x: Node): Node => unary('tanh', x)
/** max(x, 0), element by element. */
export const relu = (x: Node): Node => unary('relu', x)
/** |x|, element by element. */
export const abs = (x: Node): Node => unary('abs', x)
/** a + b, under NumPy broadcasting. */
export const add = (a: Node, b: Node): Node => binary('add', a, b)
/** a − b, under NumPy broadcasting. */
export const sub = (a: Node, b: Node): Node => binary('sub', a, b)
/** a · b, element by element, under NumPy broadcasting. */
export const mul = (a: Node, b: Node): Node => binary('mul', a, b)
/** a / b, under NumPy broadcasting. */
export const div = (a: Node, b: Node): Node => binary('div', a, b)
/** aᵇ, under NumPy broadcasting. */
export const pow = (a: Node, b: Node): Node => binary('pow', a, b)
/** The larger of a and b, under NumPy broadcasting. */
export const maximum = (a: Node, b: Node): Node => binary('maximum', a, b)
/** The smaller of a and b, under NumPy broadcasting. */
export const minimum = (a: Node, b: Node): Node => binary('minimum', a, b)
/** 1 where a < b, else 0. */
export const less = (a: Node, b: Node): Node => binary('less', a, b)
/** 1 where a = b, else 0. */
export const equal = (a: Node, b: Node): Node => binary('equal', a, b)
/** x σ(βx), under NumPy broadcasting: near 0 where βx is far below it, and near x far above. */
export const swish = (x: Node, beta: Node): Node => binary('swish', x, beta)
/** x², element by element. */
export const square = (x: Node): Node => mul(x, x)

/** x · factor. */
export function scale(x: Node, factor: number): Node {
  requireNodes('scale', x)
  requireNumber('scale', 'factor', factor)
  return mul(x, scalar(x.graph, factor))
}

/** x + term. */
export function offset(x: Node, term: number): Node {
  requireNodes('offset', x)
  requireNumber('offset', 'term', term)
  return add(x, scalar(x.graph, term))
}

function requireOperation(op: string, known: object): void {
  if (typeof op !== 'string' || !Object.hasOwn(known, op))
    throw invalid(show(op), `there is no such operation; it must be one of ${Object.keys(known).join(', ')}`)
}
