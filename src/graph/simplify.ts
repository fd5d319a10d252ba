import { binary, select, unary } from './elementwise'
import { fill, scalar, uniformValue } from './leaves'
import type { BinaryOp, Node, UnaryOp } from './node'
import { joinedPads } from './slicing'
import { standardize } from './standardize'

const is = (node: Node, value: number): boolean => uniformValue(node) === value

/** A cheaper node with the value of `op(x)`, if there is one. */
export function simplifyUnary(op: UnaryOp, x: Node): Node | undefined {
  if (op === 'neg') {
    if (x.op === 'neg') return x.inputs[0]
    if (x.op === 'sub') return binary('sub', x.inputs[1], x.inputs[0])
    const scaled = asScaled(x)
    if (scaled) return binary('mul', scaled.rest, scalar(x.graph, -scaled.factor))
  }
  return undefined
}

/** A cheaper node with the value of `op(a, b)`, up to broadcasting, if there is one. */
export function simplifyBinary(op: BinaryOp, a: Node, b: Node): Node | undefined {
  switch (op) {
    case 'add':
      return simplifyAdd(a, b)
    case 'sub':
      return simplifySub(a, b)
    case 'mul':
      return simplifyMul(a, b)
    case 'div':
      return simplifyDiv(a, b)
    case 'pow':
      return simplifyPow(a, uniformValue(b))
    case 'maximum':
    case 'minimum':
      return a === b ? a : undefined
    default:
      return undefined
  }
}

function simplifyAdd(a: Node, b: Node): Node | undefined {
  if (is(b, 0)) return a
  if (is(a, 0)) return b
  if (a === b) return binary('mul', a, scalar(a.graph, 2))
  if (b.op === 'neg') return binary('sub', a, b.inputs[0])
  if (a.op === 'neg') return binary('sub', b, a.inputs[0])
  return (
    joinedPads(a, b) ??
    joinedChoices(a, b) ??
    joinedScales('add', a, b) ??
    (a.id > b.id ? binary('add', b, a) : undefined)
  )
}

/** a where the mask is 0 plus b where it is not, each 0 elsewhere: one choice between them. */
function joinedChoices(a: Node, b: Node): Node | undefined {
  if (a.op !== 'select' || b.op !== 'select' || a.inputs[0] !== b.inputs[0]) return undefined
  const [mask, ...first] = a.inputs
  const [, ...second] = b.inputs
  if (is(first[0], 0) && is(second[1], 0)) return select(mask, second[0], first[1])
  if (is(first[1], 0) && is(second[0], 0)) return select(mask, first[0], second[1])
  return undefined
}

function simplifySub(a: Node, b: Node): Node | undefined {
  if (is(b, 0)) return a
  if (is(a, 0)) return unary('neg', b)
  if (a === b) return fill(a.graph, 0, a.shape)
  if (b.op === 'neg') return binary('add', a, b.inputs[0])
  return joinedScales('sub', a, b)
}

/** c·a ± c·b = c·(a ± b) for a number c. */
function joinedScales(op: 'add' | 'sub', a: Node, b: Node): Node | undefined {
  const [left, right] = [asScaled(a), asScaled(b)]
  if (left?.factor === undefined || left.factor !== right?.factor) return undefined
  return binary('mul', binary(op, left.rest, right.rest), scalar(a.graph, left.factor))
}

function simplifyMul(a: Node, b: Node): Node | undefined {
  const [x, y] = [uniformValue(a), uniformValue(b)]
  if (x !== undefined) return binary('mul', b, scalar(a.graph, x))
  if (y === 1) return a
  if (y === 0) return scalar(a.graph, 0)
  if (y === -1) return unary('neg', a)
  if (y !== undefined) {
    const scaled = asScaled(a)
    if (scaled) return binary('mul', scaled.rest, scalar(a.graph, scaled.factor * y))
    const inner = asStaticProduct(a)
    return inner && binary('mul', inner.rest, binary('mul', inner.factor, b))
  }
  const known = timesReciprocal(a, b) ?? timesReciprocal(b, a) ?? timesNormal(a, b) ?? timesNormal(b, a)
  if (known) return known
  // what is bound once gathers: (x·s)·t = x·(s·t) for s, t that do not vary
  if (!b.varying && a.varying) {
    const inner = asStaticProduct(a)
    if (inner) return binary('mul', inner.rest, binary('mul', inner.factor, b))
  }
  if (!a.varying && b.varying) return binary('mul', b, a)
  // numbers move outwards, where they meet other numbers: (c·p)·b = c·(p·b)
  const left = asScaled(a)
  const right = left || b.varying !== a.varying ? undefined : asScaled(b)
  const scaled = left ?? right
  if (scaled) return binary('mul', binary('mul', scaled.rest, left ? b : a), scalar(a.graph, scaled.factor))
  return a.id > b.id && a.varying === b.varying ? binary('mul', b, a) : undefined
}

/** a / √… as a · (1 / √…), where it standardizes rows. */
const timesReciprocal = (a: Node, b: Node): Node | undefined =>
  b.op === 'div' && is(b.inputs[0], 1) ? standardized(a, b.inputs[1]) : undefined

/** x (1 + erf(x / √2)) is 2 gelu(x), whose derivatives are closed. Weights of float32 round √½. */
function timesNormal(x: Node, b: Node): Node | undefined {
  if (b.op !== 'add') return undefined
  const erf = b.inputs.find((n) => n.op === 'erf')
  if (!erf || !b.inputs.some((n) => is(n, 1))) return undefined
  const inner = asScaled(erf.inputs[0])
  const isNormal = inner?.rest === x && Math.abs(inner.factor / Math.SQRT1_2 - 1) < 1e-7
  return isNormal ? binary('mul', unary('gelu', x), scalar(x.graph, 2)) : undefined
}

/** rest · factor for a factor that is bound once, where a varying node has that form; the factor is a parameter's size. */
function asStaticProduct(node: Node): { rest: Node; factor: Node } | undefined {
  if (node.op !== 'mul' || !node.varying) return undefined
  const [rest, factor] = node.inputs
  return factor.varying || uniformValue(factor) !== undefined ? undefined : { rest, factor }
}

/** c · rest for a number c, where the node has that form. */
function asScaled(node: Node): { rest: Node; factor: number } | undefined {
  if (node.op === 'neg') return { rest: node.inputs[0], factor: -1 }
  if (node.op !== 'mul') return undefined
  const factor = uniformValue(node.inputs[1])
  return factor === undefined ? undefined : { rest: node.inputs[0], factor }
}

function simplifyDiv(a: Node, b: Node): Node | undefined {
  const divisor = uniformValue(b)
  if (divisor !== undefined && divisor !== 0) return binary('mul', a, scalar(a.graph, 1 / divisor))
  if (is(a, 0)) return scalar(a.graph, 0)
  const rows = standardized(a, b)
  if (rows) return rows
  // a divisor that is bound once is a factor that is bound once, and meets others
  if (a.varying && !b.varying) return binary('mul', a, binary('div', scalar(a.graph, 1), b))
  // numbers move outwards: (c·p)/b = c·(p/b)
  const scaled = asScaled(a)
  return scaled && binary('mul', binary('div', scaled.rest, b), scalar(a.graph, scaled.factor))
}

function simplifyPow(a: Node, exponent: number | undefined): Node | undefined {
  switch (exponent) {
    case 0:
      return scalar(a.graph, 1)
    case 1:
      return a
    case 2:
      return binary('mul', a, a)
    case 3:
      return binary('mul', a, binary('mul', a, a))
    case -1:
      return binary('div', scalar(a.graph, 1), a)
    case 0.5:
      return unary('sqrt', a)
    case -0.5:
      return binary('div', scalar(a.graph, 1), unary('sqrt', a))
    default:
      return undefined
  }
}

/** The rows that a quotient standardizes, where it is (x − mean x) / √(mean (x − mean x)² + ε) over the last axis. */
function standardized(deviation: Node, root: Node): Node | undefined {
  if (deviation.op !== 'sub' || root.op !== 'sqrt' || root.inputs[0].op !== 'add') return undefined
  const [a, b] = root.inputs[0].inputs
  const epsilon = uniformValue(a) ?? uniformValue(b)
  const variance = uniformValue(a) === undefined ? a : b
  if (epsilon === undefined || epsilon <= 0) return undefined
  const [x, centre] = deviation.inputs
  const squares = meaned(variance)
  const isRows = meaned(centre) === x && squares?.op === 'mul' && squares.inputs.every((n) => n === deviation)
  return isRows ? standardize(x, epsilon) : undefined
}

/** What a node is the mean of, over the last axis. */
function meaned(node: Node): Node | undefined {
  if (node.op !== 'mul' || node.inputs[0].op !== 'sum') return undefined
  const [sum, factor] = node.inputs
  const [x] = sum.inputs
  const last = x.shape.length - 1
  const { axes } = (sum as Node<'sum'>).attributes
  const isMean = axes.length === 1 && axes[0] === last && Math.abs(uniformValue(factor)! * x.shape[last] - 1) < 1e-12
  return isMean ? x : undefined
}
