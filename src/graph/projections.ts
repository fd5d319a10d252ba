import { add } from './elementwise'
import { matMul } from './linear'
import { type Node, reachable } from './node'
import { sameShape } from './shape'
import { concat, reshape, swapLast, transpose } from './structure'

/** A projection to the heads: a product, and what happens to it before it is one matrix per head. */
interface Chain {
  readonly product: Node<'matMul'>
  readonly steps: readonly Node[]
}

/**
 * The loss with the projections of attention joined: query, key and value of the same tokens are one product with all their
 * weights, moved to the heads as one and taken apart there. So their derivatives of every order are joined as well.
 */
export function joinProjections(loss: Node): Node {
  const readers = new Map<Node, Node[]>()
  const nodes = reachable([loss])
  for (const node of nodes) for (const n of node.inputs) readers.set(n, [...(readers.get(n) ?? []), node])
  const groups = new Map<string, Chain[]>()
  for (const node of nodes) {
    const chain = node.op === 'matMul' && !node.inputs[1].varying ? chainOf(node, readers) : undefined
    if (!chain) continue
    const key = `${chain.product.inputs[0].id} ${chain.product.inputs[1].shape} ${signature(chain)}`
    groups.set(key, [...(groups.get(key) ?? []), chain])
  }
  const replaced = new Map<Node, Node>()
  const joined = [...groups.values()].filter((group) => group.length > 1)
  if (joined.length === 0) return loss
  const groupOf = new Map<Node, readonly Chain[]>(joined.flatMap((group) => group.map((chain) => [chain.steps[chain.steps.length - 1], group] as const))) // biome-ignore format: one line
  const build = (node: Node): Node => {
    const known = replaced.get(node)
    if (known) return known
    const group = groupOf.get(node)
    if (group) {
      const source = build(group[0].product.inputs[0])
      join(group, source).forEach((part, i) => {
        replaced.set(group[i].steps[group[i].steps.length - 1], part)
      })
      return replaced.get(node)!
    }
    const inputs = node.inputs.map(build)
    const same = inputs.every((n, i) => n === node.inputs[i])
    const made = same ? node : node.graph.intern(node.op, inputs, node.attributes, node.shape)
    replaced.set(node, made)
    return made
  }
  for (const node of nodes) if (!groupOf.has(node)) build(node)
  return build(loss)
}

/** Bias, reshape and transpose behind a product that nobody else reads; undefined where it does not end among heads. */
function chainOf(product: Node<'matMul'>, readers: ReadonlyMap<Node, readonly Node[]>): Chain | undefined {
  if (product.shape.length !== 2) return undefined
  const columns = product.shape[1]
  const steps: Node[] = []
  let split = false
  for (let at: Node = product; ; ) {
    const next: readonly Node[] = readers.get(at) ?? []
    if (next.length !== 1) return undefined
    const [node] = next
    const rank = node.shape.length
    if (node.op === 'transpose') return split ? { product, steps: [...steps, node] } : undefined
    if (node.op === 'reshape') {
      const last = node.shape[rank - 1]
      if (split || (last !== columns && !(rank > 2 && last * node.shape[rank - 2] === columns))) return undefined
      split = last !== columns
    } else if (node.op === 'add') {
      const bias = node.inputs.find((n) => n !== at)
      if (split || !bias || bias.varying || bias.shape[bias.shape.length - 1] !== columns) return undefined
    } else return undefined
    steps.push(node)
    at = node
  }
}

/** What chains must share to be joined. A last transpose may exchange the last two axes. */
function signature({ steps }: Chain): string {
  return steps
    .map((node) => {
      if (node.op !== 'transpose')
        return `${node.op} ${node.shape} ${node.inputs.filter((n) => !n.varying).map((n) => n.shape)}`
      return `transpose ${straight(node)}`
    })
    .join()
}

/** The permutation with the head's own axis last. */
function straight(node: Node<'transpose'>): readonly number[] {
  const { permutation } = node.attributes
  const last = permutation.length - 1
  return permutation[last] === last
    ? permutation
    : permutation.with(last, permutation[last - 1]).with(last - 1, permutation[last])
}

function join(group: readonly Chain[], source: Node): Node[] {
  const count = group.length
  const [{ steps }] = group
  let whole = matMul(
    source,
    concat(
      group.map(({ product }) => product.inputs[1]),
      1,
    ),
  )
  for (const [at, node] of steps.entries()) {
    const rank = node.shape.length
    if (node.op === 'add') {
      const biases = group.map((chain) => chain.steps[at].inputs.find((n) => !n.varying)!)
      whole = add(whole, concat(biases, biases[0].shape.length - 1))
    } else if (node.op === 'reshape') {
      const axis = node.shape[rank - 1] === node.inputs[0].shape[node.inputs[0].shape.length - 1] ? rank - 1 : rank - 2
      whole = reshape(whole, node.shape.with(axis, node.shape[axis] * count))
    } else if (node.op === 'transpose') {
      const order = straight(node)
      whole = transpose(whole, order)
      const axis = order.indexOf(rank - 2)
      const size = whole.shape[axis] / count
      return group.map((chain, i) => {
        // a slice would move below the transpose, which is to be one for all
        const start = whole.shape.map((_, k) => (k === axis ? i * size : 0))
        const part = node.graph.intern('slice', [whole], { start }, whole.shape.with(axis, size))
        const last = chain.steps[at] as Node<'transpose'>
        return sameShape(last.attributes.permutation, order) ? part : swapLast(part)
      })
    }
  }
  return []
}
