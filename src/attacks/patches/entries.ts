import { type Node, type Op, reachable, sizeOf } from '../../graph'
import { random } from '../../numbers/random'
import { mapped, type Values } from '../../numbers/values'
import { reference } from '../../runtime/reference'
import { evaluate } from '../../runtime/runtime'

/** Which number of a leaf each number of a node is: node[i] = scale[i] · leaf[entry[i]] + offset[i]. */
export interface Entries {
  readonly entry: Int32Array
  readonly scale: Float64Array
  readonly offset: Float64Array
}

/** Operations that move numbers about, scale them or add to them. Pads and joined zeros have a scale of 0. */
const MOVES: readonly Op[] = [
  ...(['reshape', 'transpose', 'broadcast', 'slice', 'pad', 'reverse', 'concat', 'gather', 'select'] as const),
  ...(['add', 'sub', 'mul', 'div', 'neg', 'input', 'parameter', 'constant', 'iota', 'equal', 'less'] as const),
]

/** Whether a node could be numbers of leaves in another order, as far as its operations tell. */
export const onlyMoves = (node: Node): boolean => reachable([node]).every(({ op }) => MOVES.includes(op))

/**
 * Finds out which number of a leaf each number of a node is, however the node reshapes, cuts, transposes and normalises it: the
 * node is evaluated at 0, at 1, and at 1, 2, 3, …, and what this gives must hold at random numbers too.
 *
 * @param bound values of the parameters
 * @param rest taken after each evaluation
 * @returns undefined where some number of the node is made of several, or is not linear in the leaf
 */
export async function entriesOf(
  node: Node,
  leaf: Node,
  bound: ReadonlyMap<string, Values>,
  rest: () => Promise<void> = async () => {},
): Promise<Entries | undefined> {
  if (!onlyMoves(node)) return undefined
  const size = sizeOf(leaf.shape)
  const at = async (values: Float64Array): Promise<Values> => {
    const parameters = leaf.op === 'parameter' ? new Map([...bound, [leaf.attributes.name, values] as const]) : bound
    const inputs = leaf.op === 'input' ? { nodes: [leaf], values: [values] } : { nodes: [], values: [] }
    const [found] = await evaluate(reference(), { inputs: inputs.nodes, outputs: [node] }, parameters, inputs.values)
    await rest()
    return found
  }
  const zeros = new Float64Array(size)
  const offset = Float64Array.from(await at(zeros))
  const scale = mapped(await at(new Float64Array(size).fill(1)), (v, i) => v - offset[i])
  const counted = await at(mapped(zeros, (_, i) => i + 1))
  const entry = new Int32Array(counted.length)
  for (let i = 0; i < entry.length; i++)
    entry[i] = scale[i] === 0 ? -1 : Math.round((counted[i] - offset[i]) / scale[i]) - 1
  const draw = random(1, size)
  const test = mapped(zeros, () => draw.normal())
  const tested = await at(test)
  for (const [i, from] of entry.entries()) {
    const expected = offset[i] + (from < 0 ? 0 : scale[i] * test[from])
    if (!(from < size && Math.abs(tested[i] - expected) <= 1e-9 * (1 + Math.abs(tested[i])))) return undefined
  }
  return { entry, scale, offset }
}

/** Whether every number of the node is a number of the leaf as it is, and none comes twice. */
export const eachOnce = ({ entry, scale, offset }: Entries): boolean =>
  new Set(entry).size === entry.length && scale.every((v) => v === 1) && offset.every((v) => v === 0)
