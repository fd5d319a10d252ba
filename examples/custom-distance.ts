/**
 * A distance between gradients of your own, written in the graph's primitives so that it can be differentiated.
 * Here: L2 plus α L1, as TAG has it (Deng et al., 2021).
 *
 *   npx tsx examples/custom-distance.ts
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { type Distance, deepLeakageFromGradients, graph as g, gradientsOf } from '../src' // 'dlg-ts'
import { mse } from '../src/metrics' // 'dlg-ts/metrics'
import { lenet } from './models/lenet'

const EPSILON = 1e-3

/** Σ ‖Δ‖² + α Σ ‖Δ‖₁ over the tensors of the gradient, with Δ = gradient − target. */
const tag = (alpha: number): Distance => ({
  name: `tag(${alpha})`,
  measure: (gradients, targets) =>
    gradients
      .map((gradient, i) => {
        const difference = g.sub(gradient, targets[i])
        // |Δ| as √(Δ² + ε²) − ε: smooth at 0
        const size = g.offset(g.sqrt(g.offset(g.square(difference), EPSILON ** 2)), -EPSILON)
        const ones = g.fill(gradient.graph, 1, gradient.shape)
        return g.add(g.inner(difference, difference), g.scale(g.inner(size, ones), alpha))
      })
      .reduce((a, b) => g.add(a, b)),
  // what a relative loss of 1 is: the distance of a gradient of zeros, so that tolerances mean the same everywhere
  unit: (targets) =>
    targets.reduce((sum, t) => sum + Array.from(t).reduce((s, v) => s + v * v + alpha * Math.abs(v), 0), 0),
})

const model = lenet({ size: 12, classes: 10 })
const secret = tf.randomUniform([1, 12, 12, 3], 0, 1, 'float32', 5)
const shared = await gradientsOf(model, secret, [3])

for (const [name, distance] of [
  ['l2', 'l2'],
  ['cosine', 'cosine'],
  ['yours', tag(1e-3)],
] as const) {
  const leak = await deepLeakageFromGradients(model, shared, { distance, seed: 1, restarts: 1 })
  const error = mse(leak.data.dataSync(), secret.dataSync())
  console.log(`${name}: ${leak.status}, mse ${error.toExponential(1)}, ${leak.evaluations} evaluations`)
  leak.dispose()
}
