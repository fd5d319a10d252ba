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
  return pullBack([y], [seed ?? fill(y.graph, 1, y.shape)], xs)
}

/**
 * Σᵢ ⟨seedᵢ, ∂yᵢ/∂x⟩ for each x, as nodes of the same graph; the seeds count as numbers, whatever they are computed from.
 *
 * @throws DlgError `invalid-graph` for a seed of another shape than its y, or another number of seeds
 */
export function pullBack(ys: readonly Node[], seeds: readonly Node[], xs: readonly Node[]): Node[] {
  requireNodeList('pullBack', ys, 1)
  requireNodeList('pullBack', seeds)
  requireNodeList('pullBack', xs)
  requireNodes('pullBack', ...ys, ...seeds, ...xs)
  if (ys.length !== seeds.length || ys.some((y, i) => !sameShape(y.shape, seeds[i].shape)))
    throw invalid('pullBack', 'there must be a seed for each y, of its shape')
  const nodes = reachable(ys)
  const active = new Set<Node>(xs)
  for (const node of nodes) if (node.inputs.some((n) => active.has(n))) active.add(node)
  const cotangents = new Map<Node, Node>()
  const give = (node: Node, part: Node): void => {
    const before = cotangents.get(node)
    cotangents.set(node, before ? add(before, part) : part)
  }
  for (const [i, y] of ys.entries()) give(y, seeds[i])
  for (const node of nodes.reverse()) {
    const cotangent = cotangents.get(node)
    if (!cotangent || !active.has(node)) continue
    const rule = vjp[node.op] as VjpRule<Op>
    node.inputs.forEach((source, i) => {
      if (!active.has(source)) return
      const part = rule(node, cotangent, i)
      if (part) give(source, part)
    })
  }
  return xs.map((x) => cotangents.get(x) ?? fill(x.graph, 0, x.shape))
}
