import { type Node, reachable, sizeOf } from '../graph'

/** Multiplications and additions of one evaluation, roughly: what a plain interpreter's time goes with. */
export const workOf = (outputs: readonly Node[]): number =>
  reachable(outputs).reduce((sum, node) => sum + workOfNode(node), 0)

function workOfNode(node: Node): number {
  const size = sizeOf(node.shape)
  const [a, b] = node.inputs
  switch (node.op) {
    case 'matMul':
      return size * a.shape[a.shape.length - 1]
    // ⟨y, conv(x, w)⟩ takes |w| / outputs products for each element of y
    case 'conv':
      return products(node, b)
    case 'convInputGrad':
      return products(a, b)
    case 'convFilterGrad':
      return products(b, node)
    default:
      return size
  }
}

const products = (y: Node, w: Node): number => (sizeOf(y.shape) * sizeOf(w.shape)) / w.shape[0]
