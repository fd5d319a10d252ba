import type { Node, Op } from '../../graph'

/** Functions of one number that have the same value twice. */
const TURNING: readonly Op[] = ['abs', 'sin', 'cos', 'tan', 'cosh', 'pow']
/** These turn back where both operands move with the data: nobody sees which of two numbers is the larger, or which factor is which. */
const OF_TWO: readonly Op[] = ['mul', 'div', 'matMul', 'conv', 'maximum', 'minimum']

/**
 * Whether a function turns back between the data and the first trained weights, as a square does. Then these weights read the same of
 * other data too.
 *
 * @param trained the nodes of the weights whose gradient is shared
 * @param data the nodes of the searched inputs
 */
export function turnsBack(trained: readonly Node[], data: readonly Node[], outputs: readonly Node[]): boolean {
  const [weighed, moving] = [new Set<Node>(trained), new Set<Node>(data)]
  for (const node of behind(outputs)) {
    if (node.inputs.some((n) => weighed.has(n))) weighed.add(node)
    const moves = node.inputs.filter((n) => moving.has(n)).length
    if (moves === 0) continue
    moving.add(node)
    const turning = TURNING.includes(node.op) || (OF_TWO.includes(node.op) && moves > 1)
    if (turning && !weighed.has(node)) return true
  }
  return false
}

/** The nodes and everything that they are made of, inputs before users. */
function behind(nodes: readonly Node[]): Node[] {
  const found = new Set<Node>()
  const stack = [...nodes]
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (found.has(node)) continue
    found.add(node)
    stack.push(...node.inputs)
  }
  return [...found].sort((a, b) => a.id - b.id)
}
