import type { Node } from '../../graph'
import * as g from '../../graph'

/** The smallest normal float32: what a logarithm sees of a probability that rounding has made 0. */
const TINY = 2 ** -126

/** log p, finite at p = 0. */
export const stableLog = (p: Node): Node => g.log(g.maximum(p, g.scalar(p.graph, TINY)))
