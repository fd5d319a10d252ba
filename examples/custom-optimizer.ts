/**
 * An optimizer of your own: `init` makes a state, `step` takes a state and the objective at its point, and returns the
 * next state. Here: the spectral gradient method (Barzilai, Borwein 1988; Raydan 1997), which needs no memory.
 *
 *   npx tsx examples/custom-optimizer.ts
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, type Evaluation, gradientsOf, type Optimizer, type OptimizerState } from '../src' // 'dlg-ts'
import { mse } from '../src/metrics' // 'dlg-ts/metrics'
import { lenet } from './models/lenet'

interface Accepted extends Evaluation {
  readonly point: Float64Array
}

interface Spectral extends OptimizerState {
  /** The last point that was good enough; `point` is a step of `length` from it. */
  readonly at?: Accepted
  readonly length: number
  readonly recent: readonly number[]
}

/** Searches stop after 20 iterations without progress, and this method goes up and down: an iteration is 20 steps. */
const INNER = 20

const spectral = (): Optimizer<Spectral> => ({
  name: 'spectral',
  init: (point) => ({ point, iteration: 0, evaluations: 0, length: 0, recent: [] }),
  step(state, { value, gradient }) {
    const { at, recent } = state
    const evaluations = state.evaluations + 1
    const next = (from: Accepted, length: number, values: readonly number[]): Spectral => ({
      at: from,
      length,
      recent: values,
      evaluations,
      iteration: Math.floor(evaluations / INNER),
      point: from.point.map((v, i) => v - length * from.gradient[i]),
    })
    // worse than all of the last ten: too long a step
    if (at && !(value <= Math.max(...recent))) return next(at, state.length / 4, recent)
    const here = { point: state.point, value, gradient }
    const length = at ? (spectralLength(at, here) ?? state.length) : 0.1 / norm(gradient)
    return next(here, length, [...recent, value].slice(-10))
  },
})

/** sᵀs / sᵀy: one curvature for all directions, measured along the last step. */
function spectralLength(a: Accepted, b: Accepted): number | undefined {
  let [ss, sy] = [0, 0]
  for (let i = 0; i < a.point.length; i++) {
    const s = b.point[i] - a.point[i]
    ss += s * s
    sy += s * (b.gradient[i] - a.gradient[i])
  }
  return sy > 0 ? ss / sy : undefined
}

const norm = (v: Float64Array): number => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0))

const model = lenet({ size: 12, classes: 10 })
const secret = tf.randomUniform([1, 12, 12, 3], 0, 1, 'float32', 5)
const shared = await gradientsOf(model, secret, [3])

for (const [name, optimizer] of [
  ['lbfgs', 'lbfgs'],
  ['yours', spectral()],
] as const) {
  const leak = await deepLeakageFromGradients(model, shared, { optimizer, seed: 1, restarts: 1 })
  const error = mse(leak.data.dataSync(), secret.dataSync())
  console.log(`${name}: ${leak.status}, mse ${error.toExponential(1)}, ${leak.evaluations} evaluations`)
  leak.dispose()
}
