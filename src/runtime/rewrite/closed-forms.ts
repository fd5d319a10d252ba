import * as g from '../../graph'
import { raw } from './emit'
import { rebuiltAll } from './readers'

/** Operations with closed derivatives, which a rewritten program has none of. */
export type Opened = keyof typeof opened | keyof typeof swishes

/** What they are written out: what several of them compute is computed once. */
const opened = {
  /** r · (v − mean v − s · mean(s·v)) */
  standardizeGrad: (node: g.Node<'standardizeGrad'>): g.Node => {
    const [x, v] = node.inputs
    const { epsilon } = node.attributes
    const s = g.standardize(x, epsilon)
    const mean = (n: g.Node) => g.mean(n, [x.shape.length - 1])
    const along = g.sub(v, g.mul(s, mean(g.mul(s, v))))
    return g.mul(g.inverseDeviation(x, epsilon), g.sub(along, mean(v)))
  },
  // the constructor would make it what it was
  gelu: ({ inputs: [x] }: g.Node): g.Node => raw('mul', raw('mul', twiceNormal(x), x), g.scalar(x.graph, 0.5)),
  geluDerivative: ({ inputs: [x] }: g.Node): g.Node => g.scale(g.add(twiceNormal(x), g.mul(x, twiceDensity(x))), 0.5),
  geluSecondDerivative: ({ inputs: [x] }: g.Node): g.Node =>
    g.scale(g.mul(g.sub(g.fill(x.graph, 2, []), g.square(x)), twiceDensity(x)), 0.5),
}

/** 2 Φ(x) = 1 + erf(x / √2) */
const twiceNormal = (x: g.Node): g.Node => g.offset(g.unary('erf', g.scale(x, Math.SQRT1_2)), 1)

/** 2 φ(x), with its number in the exponent, where it costs no product of its own */
const twiceDensity = (x: g.Node): g.Node =>
  g.exp(g.offset(g.scale(g.square(x), -0.5), Math.log(2 / Math.sqrt(2 * Math.PI))))

/** The outputs without operations whose derivatives are closed, but for swish, its derivatives and what is made of it. */
export function openClosedForms(outputs: readonly g.Node[]): g.Node[] {
  return rebuiltAll(outputs, (node) => {
    const open = opened[node.op as keyof typeof opened] as ((node: g.Node) => g.Node) | undefined
    return open ? g.broadcast(open(node), node.shape) : node
  })
}

/** βx, s = σ(βx), 1 − s and 1 + βx (1 − s): what swish and its derivatives share. */
function gateOf(x: g.Node, beta: g.Node) {
  const one = g.scalar(x.graph, 1)
  const u = raw('mul', x, beta)
  const s = g.sigmoid(u)
  const rest = raw('sub', one, s)
  return { u, s, rest, rise: raw('add', raw('mul', u, rest), one) }
}

const swishes = {
  swish: (x: g.Node, beta: g.Node) => raw('mul', x, gateOf(x, beta).s),
  // s + u s (1 − s)
  swishDerivative(x: g.Node, beta: g.Node) {
    const { s, rise } = gateOf(x, beta)
    return raw('mul', s, rise)
  },
  // β s (1 − s) (2 + u (1 − 2s)), where u (1 − 2s) = 2u (1 − s) − u
  swishSecondDerivative(x: g.Node, beta: g.Node) {
    const { u, s, rest, rise } = gateOf(x, beta)
    return raw('mul', raw('mul', raw('mul', s, rest), raw('sub', raw('add', rise, rise), u)), beta)
  },
  smoothMaximum(a: g.Node, b: g.Node, beta: g.Node) {
    const { s, rest } = gateOf(raw('sub', b, a), beta)
    return raw('add', raw('mul', s, b), raw('mul', rest, a))
  },
}

/**
 * The outputs with swish and its derivatives written out. That comes last: in sums of products, what they share would be multiplied out.
 */
export function openSwishes(outputs: readonly g.Node[]): g.Node[] {
  return rebuiltAll(outputs, (node) => {
    const open = swishes[node.op as keyof typeof swishes] as ((...inputs: readonly g.Node[]) => g.Node) | undefined
    return open ? g.broadcast(open(...node.inputs), node.shape) : node
  })
}
