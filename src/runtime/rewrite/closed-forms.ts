import * as g from '../../graph'
import { raw } from './emit'
import { rebuiltAll } from './readers'

/** Operations with closed derivatives, which a rewritten program has none of. */
export type Opened = keyof typeof opened

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

/** The outputs without operations whose derivatives are closed. */
export function openClosedForms(outputs: readonly g.Node[]): g.Node[] {
  return rebuiltAll(outputs, (node) => {
    const open = opened[node.op as Opened] as ((node: g.Node) => g.Node) | undefined
    return open ? g.broadcast(open(node), node.shape) : node
  })
}
