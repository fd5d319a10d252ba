import { DlgError } from '../errors'
import type { Node } from '../graph'
import * as g from '../graph'

/** What plausible data look like, as a penalty beside the distance. */
export interface Prior {
  readonly name: string
  /** Weight relative to the distance in its unit. */
  readonly weight: number
  /** The penalty as a scalar node, from data [batch, …]. */
  measure(data: Node): Node
}

/** Keeps the slope of √(d² + ε²) finite where neighbours are equal: L-BFGS needs a smooth objective. */
const SMOOTHING = 1e-6

/** Mean absolute difference of neighbours along height and width, of images [batch, height, width, channels]. */
export function totalVariation(weight: number): Prior {
  return {
    name: 'totalVariation',
    weight,
    measure(data) {
      if (data.shape.length !== 4)
        throw new DlgError(
          'invalid-option',
          `the prior totalVariation needs images [batch, height, width, channels]; data is [${data.shape}]`,
        )
      const along = (axis: number): Node => {
        const n = data.shape[axis]
        if (n < 2) return g.scalar(data.graph, 0)
        const difference = g.sub(g.sliceAxis(data, axis, 1, n - 1), g.sliceAxis(data, axis, 0, n - 1))
        return g.reshape(g.mean(g.sqrt(g.offset(g.square(difference), SMOOTHING))), [])
      }
      return g.add(along(1), along(2))
    },
  }
}

/** Mean of x². */
export function norm(weight: number): Prior {
  return { name: 'norm', weight, measure: (data) => g.reshape(g.mean(g.square(data)), []) }
}

/** Mean squared distance of values to the interval [low, high]. */
export function box(weight: number, [low, high]: readonly [number, number]): Prior {
  return {
    name: 'box',
    weight,
    measure(data) {
      const above = g.relu(g.offset(data, -high))
      const below = g.relu(g.offset(g.neg(data), low))
      return g.reshape(g.mean(g.add(g.square(above), g.square(below))), [])
    },
  }
}
