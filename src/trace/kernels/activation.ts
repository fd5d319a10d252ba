import type { Node } from '../../graph'
import * as g from '../../graph'
import { elu, leakyRelu, prelu, relu6 } from './elementwise'

/** The activation at the end of a fused kernel, by tfjs's name. */
export function activate(x: Node, name: string | undefined, alpha?: Node, leakyAlpha = 0.2): Node {
  switch (name) {
    case undefined:
    case null:
    case 'linear':
      return x
    case 'relu':
      return g.relu(x)
    case 'relu6':
      return relu6(x)
    case 'elu':
      return elu(x)
    case 'sigmoid':
      return g.sigmoid(x)
    case 'leakyrelu':
      return leakyRelu(x, leakyAlpha)
    case 'prelu':
      return prelu(x, alpha!)
    default:
      throw new Error(`fused activation '${name}' is not known`)
  }
}
