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

/** Orthonormal opponent colours: brightness, red against blue, green against both. Columns of the matrix. */
const OPPONENTS = [
  [1 / Math.sqrt(3), 1 / Math.sqrt(2), 1 / Math.sqrt(6)],
  [1 / Math.sqrt(3), 0, -2 / Math.sqrt(6)],
  [1 / Math.sqrt(3), -1 / Math.sqrt(2), 1 / Math.sqrt(6)],
]

/**
 * Total variation in opponent colours, where colour counts `chroma` times as much as brightness: in photographs edges are
 * edges of brightness, and colour changes slowly. Of images [batch, height, width, 3].
 */
export function colorTotalVariation(weight: number, chroma = 4): Prior {
  const { measure: variation } = totalVariation(1)
  return {
    name: 'colorTotalVariation',
    weight,
    measure(data) {
      const channels = data.shape[3]
      if (data.shape.length !== 4 || channels !== 3)
        throw new DlgError(
          'invalid-option',
          `the prior colorTotalVariation needs images [batch, height, width, 3]; data is [${data.shape}]`,
        )
      const pixels = g.reshape(data, [g.sizeOf(data.shape) / channels, channels])
      const opponents = g.reshape(g.matMul(pixels, g.constant(data.graph, OPPONENTS.flat(), [3, 3])), data.shape)
      const brightness = variation(g.sliceAxis(opponents, 3, 0, 1))
      return g.add(brightness, g.scale(variation(g.sliceAxis(opponents, 3, 1, 2)), chroma))
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
