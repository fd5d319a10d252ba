import type { Distance } from '../attacks/matching/objective/distance'
import type { Target } from '../client/target'
import * as g from '../graph'
import { squaredNorm } from '../numbers/values'
import type { DefenceMatching } from './defence'

/**
 * Most of the squared norm of a gradient that a floor counts. Attacks in closed form call a match proven up to a few times the
 * floor's root, and a floor of most of the gradient would prove everything.
 */
const MOST_FLOOR = 1e-4

/**
 * The target with a higher floor: the attacker expects its own data to miss what was shared by more.
 *
 * @param lost for each gradient, the squared norm that the defence is expected to have changed
 */
export function withFloor(target: Target, lost: readonly number[]): Target {
  const all = target.lost.map((before, i) => before + lost[i])
  const part = lost.reduce((a, b) => a + b, 0) / Math.max(squaredNorm(target.gradients), Number.MIN_VALUE)
  return { ...target, lost: all, rounding: Math.max(target.rounding, Math.min(target.rounding + part, MOST_FLOOR)) }
}

/** The relative loss that is expected of the client's own data, all of it. */
export const floorOf = ({ lost, gradients }: Target): number =>
  lost.reduce((a, b) => a + b, 0) / Math.max(squaredNorm(gradients), Number.MIN_VALUE)

/** The target with a factor that nobody knows: the part of the model's regularizers cannot be told any more. */
export const withFactor = (target: Target): Target => ({
  ...target,
  dataGradients: target.gradients,
  settings: { ...target.settings, scale: 'auto', positiveFactor: target.settings.scale !== 'auto' },
})

/** Most of the shared gradient that a search may leave unexplained: a gradient of zero leaves all of it. */
export const MOST_TOLERANCE = 0.99

/** Floor from which total variation is held; below, it is eased as always: that there is noise does not show in the data yet. */
const HELD = 3e-5

/**
 * A search that knows the noise.
 *
 * - Distance: Σ_ℓ ‖g_ℓ − g*_ℓ‖² / s_ℓ², with the variance s_ℓ² of the noise on a number of each tensor; plain where all are equal.
 * - Prior, of images: total variation with the floor as its weight, all the way. That is near the weight of the most probable image
 *   where neighbours differ by a Laplace distribution of mean 0.05: 2 s² · 2n / (0.05 N ‖g*‖²) ≈ floor for n pixels and N numbers.
 *   Easing would take the prior away and fit the noise.
 * - Stop: the squared distance of the truth is s² χ²_N, and a fit of p unknowns takes p of the N away. What explains more
 *   than that explains noise.
 */
export function matchingNoise(target: Target): DefenceMatching {
  const { lost, gradients, model, searched, settings } = target
  if (!(floorOf(target) > 0)) return {}
  const variances = lost.map((squared, i) => squared / gradients[i].length)
  const alike = variances.every((s) => Math.abs(s - variances[0]) <= 1e-6 * variances[0])
  const count = gradients.reduce((sum, { length }) => sum + length, 0)
  // a tensor whose noise is nothing still has that of float32
  const least = 1e-10 * (squaredNorm(gradients) / count)
  const weights = variances.map((s) => 1 / Math.max(s, least))
  const unit = gradients.reduce((sum, values, i) => sum + weights[i] * squaredNorm([values]), 0)
  // noise is no more than all of what was shared, however large it happened to be
  const floor = Math.min(1, lost.reduce((sum, squared, i) => sum + weights[i] * squared, 0) / unit)
  const shapes = searched.map((name) => model.inputs.find((input) => input.name === name)?.shape ?? [])
  const unknowns = settings.batchSize * shapes.reduce((sum, shape) => sum + g.sizeOf(shape), 0)
  const [shape] = shapes
  const image = shape?.length === 3 && shape[0] > 1 && shape[1] > 1
  return {
    ...(!alike && { distance: weighted(weights) }),
    ...(image &&
      floor >= HELD && {
        priors: { [shape[2] === 3 ? 'colorTotalVariation' : 'totalVariation']: floor },
        priorEasing: 1,
      }),
    tolerance: Math.min(MOST_TOLERANCE, floor * Math.max(0.5, 1 - unknowns / count)),
  }
}

const total = (nodes: readonly g.Node[]): g.Node => nodes.reduce(g.add)

/** Σ_ℓ w_ℓ ‖g_ℓ − g*_ℓ‖². */
const weighted = (weights: readonly number[]): Distance => ({
  name: 'l2 by noise',
  measure: (gradients, shared) =>
    total(
      gradients.map((n, i) => {
        const off = g.sub(n, shared[i])
        return g.scale(g.inner(off, off), weights[i])
      }),
    ),
  unit: (shared) => shared.reduce((sum, values, i) => sum + weights[i] * squaredNorm([values]), 0),
})

/** Larger than any gradient, and finite as its square is not needed. */
const HUGE = 1e30

/**
 * Σ (g − g*)² over the numbers that were kept, and of those that were not (g* = 0) the excess over the smallest that was:
 * Σ (|g| − t)₊². A number was dropped because it was no larger than t.
 *
 * @param per whether the smallest number kept is that of each tensor or of all
 */
export function keptDistance(per: 'tensor' | 'all'): Distance {
  return {
    name: per === 'all' ? 'l2 of what was kept' : 'l2 of what was kept of each tensor',
    measure(gradients, shared) {
      const { graph } = shared[0]
      const dropped = shared.map((n) => g.equal(n, g.fill(graph, 0, n.shape)))
      const smallest = shared.map((n, i) =>
        g.reshape(g.min(g.select(dropped[i], g.fill(graph, HUGE, n.shape), g.abs(n))), []),
      )
      const least = smallest.reduce(g.minimum)
      return total(
        gradients.map((n, i) => {
          const threshold = per === 'all' ? least : smallest[i]
          // where nothing was kept of a tensor that keeps its largest numbers, these are zero
          const bound = g.select(g.less(threshold, g.scalar(graph, HUGE / 2)), threshold, g.scalar(graph, 0))
          const excess = g.relu(g.sub(g.abs(n), g.broadcast(bound, n.shape)))
          const off = g.select(dropped[i], excess, g.sub(n, shared[i]))
          return g.inner(off, off)
        }),
      )
    },
    unit: squaredNorm,
  }
}

/** Σ_ℓ ‖g*_ℓ‖² (1 − cos_ℓ): every tensor has a factor of its own. */
export const cosineOfEach: Distance = {
  name: 'cosine of each tensor',
  factorFree: true,
  measure(gradients, shared) {
    const length = (n: g.Node) => g.sqrt(g.offset(g.inner(n, n), 1e-30))
    return total(
      gradients.map((n, i) => {
        const size = length(shared[i])
        // half the squared distance of two unit vectors is 1 − cos, and does not cancel
        const off = g.sub(g.mul(n, g.div(size, length(n))), shared[i])
        return g.scale(g.inner(off, off), 0.5)
      }),
    )
  },
  unit: squaredNorm,
}

/**
 * The part of a gradient that has the wrong sign, Σ (−s ĝ)₊² / N, ĝ the tensor over its root mean square: 0 where every sign is right
 * and ½ of a guess.
 */
export const hingeOfSigns: Distance = {
  name: 'hinge of signs',
  measure(gradients, shared) {
    const { graph } = shared[0]
    const count = gradients.reduce((sum, n) => sum + g.sizeOf(n.shape), 0)
    return total(
      gradients.map((n, i) => {
        const size = g.sizeOf(n.shape)
        const scaled = g.div(n, g.sqrt(g.offset(g.scale(g.inner(n, n), 1 / size), 1e-30)))
        const isZero = g.equal(shared[i], g.fill(graph, 0, n.shape))
        const off = g.select(isZero, scaled, g.relu(g.neg(g.mul(shared[i], scaled))))
        return g.scale(g.inner(off, off), 1 / count)
      }),
    )
  },
  unit: () => 0.5,
}
