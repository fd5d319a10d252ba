import * as g from '../../graph'
import { rebuiltAll } from './readers'

/**
 * Derivatives of standardized rows written out, r · (v − mean v − s · mean(s·v)): what several of them compute, s and r and means,
 * is computed once.
 */
export function openStandardized(outputs: readonly g.Node[]): g.Node[] {
  return rebuiltAll(outputs, (node) => {
    if (node.op !== 'standardizeGrad') return node
    const [x, v] = node.inputs
    const { epsilon } = node.attributes
    const s = g.standardize(x, epsilon)
    const mean = (n: g.Node) => g.mean(n, [x.shape.length - 1])
    const along = g.sub(v, g.mul(s, mean(g.mul(s, v))))
    return g.broadcast(g.mul(g.inverseDeviation(x, epsilon), g.sub(along, mean(v))), node.shape)
  })
}
