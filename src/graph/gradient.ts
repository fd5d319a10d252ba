import { invalid, requireNodeList, requireNodes } from './checks'
import { add } from './elementwise'
import { fill } from './leaves'
import { type Node, type Op, reachable } from './node'
import { sameShape, sizeOf } from './shape'
import { type VjpRule, vjp } from './vjp'

/**
 * Reverse-mode gradient ⟨seed, ∂y/∂x⟩ of y for each x, as nodes of the same graph; seed is 1 for a scalar y.
 *
 * Every rule is written in primitives that have rules themselves, so a gradient can be differentiated again, to any
 * order.
 *
 * @throws DlgError `invalid-graph` for a y that is no scalar without a seed, and for a seed of another shape
 */
export function grad(y: Node, xs: readonly Node[], seed?: Node): Node[] {
  requireNodeList('grad', xs)
  requireNodes('grad', y, ...xs, ...(seed === undefined ? [] : [seed]))
  if (!seed && sizeOf(y.shape) !== 1)
    throw invalid('grad', `y has shape [${y.shape}]; it must be a scalar, or have a seed of its shape`)
  if (seed && !sameShape(seed.shape, y.shape))
    throw invalid('grad', `the seed has shape [${seed.shape}]; it must have that of y, [${y.shape}]`)
  const nodes = reachable([y])
  const active = new Set<Node>(xs)
  for (const node of nodes) if (node.inputs.some((n) => active.has(n))) active.add(node)
  const cotangents = new Map<Node, Node>([[y, seed ?? fill(y.graph, 1, y.shape)]])
  for (const node of nodes.reverse()) {
    const cotangent = cotangents.get(node)
    if (!cotangent || !active.has(node)) continue
    const rule = vjp[node.op] as VjpRule<Op>
    node.inputs.forEach((source, i) => {
      if (!active.has(source)) return
      const part = rule(node, cotangent, i)
      if (!part) return
      const before = cotangents.get(source)
      cotangents.set(source, before ? add(before, part) : part)
    })
  }
  return xs.map((x) => cotangents.get(x) ?? fill(x.graph, 0, x.shape))
}
