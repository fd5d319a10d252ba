import { type Node, reshape, sizeOf } from '../../graph'
import { operands, plan } from '../plan'
import type { Program } from '../runtime'
import { rebuilt } from './readers'

/** From so many numbers on, 1 MB, a value is gone from a core's own cache when it is read late. */
const LARGE = 2 ** 18

/** Whether a value that an evaluation computes is large. */
export const isLarge = ({ varying, shape }: Node): boolean => varying && sizeOf(shape) >= LARGE

/** All that is read from a large value is at most this part of it: the copies that bring it together are little beside reading it. */
const SMALL = 1 / 4

/**
 * A program in which all that is read from a large value is read in succession, while that value is near: the results of its readers are
 * joined, and taken apart for those that need them. For a runtime that goes depth first, and would come back to the value late: the difference
 * of a filter's gradient from the shared one is squared at the end of an evaluation, and read twice long before.
 *
 * @param large how many numbers make a value large
 */
export function readInSuccession({ inputs, outputs }: Program, large = LARGE): Program {
  const readers = runningReaders({ inputs, outputs })
  const groups = new Map<Node, readonly Node[]>()
  for (const [node, list] of readers) {
    const size = sizeOf(node.shape)
    if (size < large || list.length < 2 || outputs.includes(node)) continue
    const copied = list.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    // a slice is a copy itself
    const isFree = list.every((reader) => reader.op !== 'slice' && !groups.has(reader))
    if (!isFree || copied > SMALL * size || list.some((reader) => dependsOnAny(reader, list, groups))) continue
    for (const reader of list) groups.set(reader, list)
  }
  return groups.size === 0 ? { inputs, outputs } : { inputs, outputs: joined(outputs, groups) }
}

/** Who computes with each node as an evaluation runs. */
function runningReaders(program: Program): ReadonlyMap<Node, readonly Node[]> {
  const readers = new Map<Node, Node[]>()
  for (const { node } of plan(program).steps)
    for (const source of new Set(operands(node))) {
      if (!source.varying) continue
      const list = readers.get(source)
      if (list) list.push(node)
      else readers.set(source, [node])
    }
  return readers
}

/** Whether a node cannot be computed before some of `others` are; what is joined is computed together. */
function dependsOnAny(node: Node, others: readonly Node[], groups: ReadonlyMap<Node, readonly Node[]>): boolean {
  const wanted = new Set(others)
  const seen = new Set<Node>()
  const stack = [...node.inputs]
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (seen.has(next) || !next.varying) continue
    if (wanted.has(next)) return true
    seen.add(next)
    for (const together of groups.get(next) ?? [next]) stack.push(...together.inputs)
  }
  return false
}

/** The outputs with the nodes of each group as parts of one. A group is built when the first of its nodes is asked for. */
function joined(outputs: readonly Node[], groups: ReadonlyMap<Node, readonly Node[]>): Node[] {
  const built = new Map<Node, Node>()
  const stack = [...outputs]
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (built.has(node)) continue
    if (!node.varying) {
      built.set(node, node)
      continue
    }
    const group = groups.get(node) ?? [node]
    const missing = group.flatMap(({ inputs }) => inputs.filter((n) => !built.has(n)))
    if (missing.length > 0) {
      stack.push(node, ...missing)
      continue
    }
    const made = group.map((member) => rebuilt(member, member.inputs.map((n) => built.get(n)!))) // biome-ignore format: one line
    const parts = group.length > 1 ? together(made) : made
    for (const [i, part] of parts.entries()) built.set(group[i], part)
  }
  return outputs.map((node) => built.get(node)!)
}

/** Parts of one node with the values of these nodes. Constructors would read each where it comes from, so the parts are made without them. */
function together(nodes: readonly Node[]): Node[] {
  const [{ graph }] = nodes
  const sizes = nodes.map(({ shape }) => sizeOf(shape))
  const all = sizes.reduce((a, b) => a + b, 0)
  const whole = graph.intern('concat', nodes.map((node, i) => reshape(node, [sizes[i]])), { axis: 0 }, [all]) // biome-ignore format: one line
  let begin = 0
  return nodes.map(({ shape }, i) => {
    const part = graph.intern('slice', [whole], { start: [begin] }, [sizes[i]])
    begin += sizes[i]
    return shape.length === 1 ? part : graph.intern('reshape', [part], {}, shape)
  })
}
