import type { BinaryOp, Node, Op, UnaryOp } from '../../graph'
import * as g from '../../graph'

/**
 * How a node between the data and the first trained weights depends on the data. `linear`: up to a constant, it is. `monotone`: each of
 * its numbers rises or falls with one number that is linear in the data, or it is a soft-max or standard score of those. What such a
 * function makes one, data between them make too, and the certainty around the data sees that. `turning`: anything else.
 */
type Way = 'linear' | 'monotone' | 'turning'

/** These move numbers about. */
const MOVES: readonly Op[] = ['reshape', 'transpose', 'broadcast', 'slice', 'pad', 'reverse', 'concat']
/** These add numbers up. */
const SUMS: readonly Op[] = ['add', 'sub', 'sum', 'gemm', 'matMul', 'conv', 'convInputGrad', 'convFilterGrad', 'scatterAdd'] // biome-ignore format: one line
/** Two operands that move make a product in these. */
const PRODUCTS: readonly Op[] = ['gemm', 'matMul', 'conv', 'convInputGrad', 'convFilterGrad', 'scatterAdd']
/** Where one operand moves, these scale it or shift it. */
const BESIDE_FIXED: readonly Op[] = ['mul', 'div', 'add', 'sub', 'neg']
/** Functions of one number that rise or fall everywhere, or stay. */
const MONOTONE: readonly Op[] = [
  ...(['exp', 'log', 'sqrt', 'sigmoid', 'tanh', 'relu', 'softplus', 'sign', 'floor', 'ceil', 'round', 'erf'] as const),
  ...(['asin', 'acos', 'atan', 'sinh', 'asinh', 'acosh', 'atanh', 'expm1', 'log1p'] as const),
  ...(['maximum', 'minimum', 'less'] as const),
]
/** Numbers of a row: what makes them one is a shift or a factor, along which data lie without a gap. */
const OF_A_ROW: readonly Op[] = ['standardize', 'softmax', 'logSoftmax']

/**
 * Whether a function may turn back between the data and the first trained weights, as a square or GELU does, or a sum of functions
 * behind weights that are not trained. Then these weights read the same of other data too. What is not known to keep on is taken to turn.
 *
 * @param trained the nodes of the weights whose gradient is shared
 * @param data the nodes of the searched inputs
 */
export function turnsBack(trained: readonly Node[], data: readonly Node[], outputs: readonly Node[]): boolean {
  const weighed = new Set<Node>(trained)
  const ways = new Map<Node, Way>(data.map((node) => [node, 'linear']))
  for (const node of g.reachable(outputs)) {
    if (ways.has(node)) continue
    if (node.inputs.some((n) => weighed.has(n))) weighed.add(node)
    if (!node.inputs.some((n) => ways.has(n))) continue
    const way = weighed.has(node) ? 'linear' : wayOf(node, ways)
    if (way === 'turning') return true
    ways.set(node, way)
  }
  return false
}

/** The way of a node from those of its operands; operands without one do not move. */
function wayOf(node: Node, ways: ReadonlyMap<Node, Way>): Way {
  const { op, inputs } = node
  const moving = inputs.flatMap((n) => ways.get(n) ?? [])
  const linear = moving.every((way) => way === 'linear')
  const one = moving.length === 1
  if (MOVES.includes(op)) return linear ? 'linear' : 'monotone'
  // places in a table are whole numbers
  if (op === 'gather' || op === 'scatterAdd') {
    if (ways.has(inputs[1])) return 'turning'
    if (op === 'gather') return moving[0]
  }
  // a mask that is fixed takes numbers from one side or the other
  if (op === 'select' && !ways.has(inputs[0])) return linear ? 'linear' : 'monotone'
  if (op === 'div' && one && ways.has(inputs[1])) return 'monotone'
  if (BESIDE_FIXED.includes(op) && one) return moving[0]
  if (SUMS.includes(op) && linear && (one || !PRODUCTS.includes(op))) return 'linear'
  if (MONOTONE.includes(op) && one) return 'monotone'
  if (OF_A_ROW.includes(op)) return 'monotone'
  return op === 'select' && keepsOn(node, ways) ? 'monotone' : 'turning'
}

/** Sizes at which a function in pieces is looked at, with both signs. */
const SIZES = Array.from({ length: 41 }, (_, k) => 2 ** (k / 2 - 10))
/** How far from the border of two pieces they are compared. */
const BESIDE = 1e-9
/** Rounding. */
const EQUAL = 1e-12

/** Whether a function in pieces, such as ELU or a leaky ReLU, rises everywhere or falls everywhere, as its pieces do. */
function keepsOn(node: Node, ways: ReadonlyMap<Node, Way>): boolean {
  const [mask] = node.inputs
  const source = mask.inputs.filter((n) => ways.has(n))
  if (mask.op !== 'less' || source.length !== 1) return false
  const borders = new Set([0])
  const valueAt = (at: number): number | undefined => numberOf(node, source[0], at, borders)
  if (valueAt(0) === undefined) return false
  const places = [...SIZES.flatMap((v) => [-v, v]), ...[...borders].flatMap((v) => [v - BESIDE, v, v + BESIDE])]
  const values = places.sort((a, b) => a - b).map((at) => valueAt(at)!)
  const rises = (sign: number) => values.every((v, i) => i === 0 || sign * (v - values[i - 1]) >= -EQUAL * (1 + Math.abs(v))) // biome-ignore format: one line
  return rises(1) || rises(-1)
}

/** The value of a function of one number at a number; undefined where it reads anything else. */
function numberOf(node: Node, source: Node, at: number, constants: Set<number>): number | undefined {
  if (node === source) return at
  const constant = g.uniformValue(node)
  if (constant !== undefined) {
    constants.add(constant)
    return constant
  }
  const read = node.inputs.map((n) => numberOf(n, source, at, constants))
  if (read.length === 0 || read.some((v) => v === undefined)) return undefined
  const [a, b, c] = read as number[]
  if (node.op === 'select') return a !== 0 ? b : c
  if (node.op in g.numbers.unary) return g.numbers.unary[node.op as UnaryOp](a)
  return node.op in g.numbers.binary ? g.numbers.binary[node.op as BinaryOp](a, b) : undefined
}
