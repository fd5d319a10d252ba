import { type Node, reachable, uniformValue, unshaped } from '../../graph'

/** A dense layer with bias that reads the data themselves: positions among the trained weights. */
export interface RowLayer {
  readonly weight: number
  readonly bias: number
  /** Whether the weight is kept as [out, in]. */
  readonly transposed: boolean
  /** z = x W + b, [batch, out] */
  readonly sum: Node
}

/** A {@link RowLayer} behind which there is a ReLU. */
export type ReluLayer = RowLayer

/**
 * Recognises, in a traced graph, a dense layer over the rows of the data whose output goes through a ReLU and nowhere else, and
 * whose weights nothing else reads.
 *
 * @param data [batch, ...inputShape]
 * @param outputs where to look: the loss
 * @returns the layer, or why there is none
 */
export function reluLayer(data: Node, trained: readonly Node[], outputs: readonly Node[]): ReluLayer | string {
  const layer = rowLayer(data, trained, outputs)
  if (typeof layer === 'string') return layer
  const users = usersIn(reachable(outputs), layer.sum)
  const other = users.find((user) => !isRelu(user))
  if (other || users.length === 0)
    return `no ReLU alone follows the first dense layer${other ? ` (there is ${other.op})` : ''}: its gradient has no zeros to go by`
  return layer
}

/** Recognises a dense layer over the rows of the data, whatever follows it, whose weights nothing else reads. */
export function rowLayer(data: Node, trained: readonly Node[], outputs: readonly Node[]): RowLayer | string {
  const nodes = reachable(outputs)
  const position = (node: Node): number => trained.indexOf(unshaped(node))
  const found = nodes.flatMap((sum) => {
    if (sum.op !== 'add') return []
    const [a, b] = sum.inputs
    return [
      [a, b],
      [b, a],
    ].flatMap(([product, term]) => {
      const layer = weightOf(unshaped(product), data, position)
      const bias = position(term)
      return layer && bias >= 0 ? [{ ...layer, bias, sum }] : []
    })
  })
  if (found.length === 0)
    return 'the model does not begin with a dense layer with a bias that reads the data themselves, and whose gradients were shared'
  const [layer] = found
  const twice = [layer.weight, layer.bias].some((at) => usersIn(nodes, trained[at]).length > 1)
  if (twice || found.length > 1)
    return 'the weights of the first dense layer are used more than once, or the data go through more than one: its gradient is a sum over the uses'
  return layer
}

/** What reads a node, through reshapes. */
const usersIn = (nodes: readonly Node[], node: Node): Node[] =>
  nodes.filter((user) => user.inputs.includes(node)).flatMap((user) => (isShape(user) ? usersIn(nodes, user) : [user]))

const isShape = ({ op }: Node): boolean => op === 'reshape' || op === 'broadcast' || op === 'transpose'

const isRelu = (node: Node): boolean =>
  node.op === 'relu' || (node.op === 'maximum' && node.inputs.some((n) => uniformValue(n) === 0))

/** The weight of a product with the data as rows, one for each sample. */
function weightOf(node: Node, data: Node, position: (node: Node) => number) {
  if (node.op !== 'matMul') return undefined
  const [row, factor] = node.inputs
  const [samples, ...shape] = data.shape
  const [rows, columns] = row.shape.slice(-2)
  if (unshaped(row) !== data || rows !== samples || columns !== shape.reduce((a, b) => a * b, 1)) return undefined
  const inner = unshaped(factor)
  const transposed = inner.op === 'transpose'
  const weight = position(transposed ? inner.inputs[0] : inner)
  return weight < 0 ? undefined : { weight, transposed }
}
