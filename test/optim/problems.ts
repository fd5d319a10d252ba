import type { Evaluation, Optimizer, OptimizerState, SynchronousOptimizer } from '../../src/optim'

export type Objective = (x: Float64Array) => Evaluation

/** Σ 100(xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)² */
export const rosenbrock: Objective = (x) => {
  const gradient = new Float64Array(x.length)
  let value = 0
  for (let i = 0; i + 1 < x.length; i++) {
    const bend = x[i + 1] - x[i] ** 2
    value += 100 * bend ** 2 + (1 - x[i]) ** 2
    gradient[i] += -400 * x[i] * bend - 2 * (1 - x[i])
    gradient[i + 1] += 200 * bend
  }
  return { value, gradient }
}

/** ½Σ κᵢ(xᵢ − 1)² + ½Σ(xᵢ₊₁ − xᵢ)², κ from 1 to 1,000 */
export const quadratic: Objective = (x) => {
  const gradient = new Float64Array(x.length)
  let value = 0
  for (let i = 0; i < x.length; i++) {
    const kappa = 1000 ** (i / (x.length - 1))
    value += 0.5 * kappa * (x[i] - 1) ** 2
    gradient[i] += kappa * (x[i] - 1)
    if (i + 1 === x.length) break
    const difference = x[i + 1] - x[i]
    value += 0.5 * difference ** 2
    gradient[i] -= difference
    gradient[i + 1] += difference
  }
  return { value, gradient }
}

/** Σ i(xᵢ − 1)⁴ + (Σxᵢ)²/10 */
export const quartic: Objective = (x) => {
  const sum = x.reduce((a, b) => a + b, 0)
  const value = x.reduce((v, xi, i) => v + (i + 1) * (xi - 1) ** 4, 0.1 * sum ** 2)
  return { value, gradient: x.map((xi, i) => 4 * (i + 1) * (xi - 1) ** 3 + 0.2 * sum) }
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z))

/** 100Σₖ(σ(aₖᵀx) − σ(aₖᵀx*))², aₖⱼ = sin(kj), x*ⱼ = cos 3j: not convex, like a leaked gradient. */
export const sigmoids: Objective = (x) => {
  const gradient = new Float64Array(x.length)
  let value = 0
  for (let k = 1; k <= 2 * x.length; k++) {
    let z = 0
    let target = 0
    for (let j = 1; j <= x.length; j++) {
      z += Math.sin(k * j) * x[j - 1]
      target += Math.sin(k * j) * Math.cos(3 * j)
    }
    const s = sigmoid(z)
    const residual = s - sigmoid(target)
    value += 100 * residual ** 2
    for (let j = 1; j <= x.length; j++) gradient[j - 1] += 200 * residual * s * (1 - s) * Math.sin(k * j)
  }
  return { value, gradient }
}

/** Minimum 0 at (3, 0.5). */
export const beale: Objective = ([x, y]) => {
  const terms = [1.5, 2.25, 2.625].map((c, k) => c - x + x * y ** (k + 1))
  return {
    value: terms.reduce((sum, t) => sum + t * t, 0),
    gradient: Float64Array.of(
      terms.reduce((sum, t, k) => sum + 2 * t * (y ** (k + 1) - 1), 0),
      terms.reduce((sum, t, k) => sum + 2 * t * x * (k + 1) * y ** k, 0),
    ),
  }
}

/** Four minima of value 0. */
export const himmelblau: Objective = ([x, y]) => {
  const a = x * x + y - 11
  const b = x + y * y - 7
  return { value: a * a + b * b, gradient: Float64Array.of(4 * a * x + 2 * b, 2 * a + 4 * b * y) }
}

export const objectives: Record<string, Objective> = { rosenbrock, quadratic, quartic, sigmoids }

/** The starts of torch-traces.py. */
export function startOf(name: string, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) =>
    name === 'rosenbrock' ? (i % 2 === 0 ? -1.2 : 1) : Math.sin(i + 1),
  )
}

/** Every state from the first to a stop or the limit. */
export function run<S extends OptimizerState>(
  optimizer: Optimizer<S>,
  objective: Objective,
  start: Float64Array,
  evaluations = 1000,
): S[] {
  const states = [optimizer.init(start)]
  for (let state = states[0]; !state.stopped && state.evaluations < evaluations; ) {
    state = (optimizer as SynchronousOptimizer<S>).step(state, objective(state.point))
    states.push(state)
  }
  return states
}

/** A deep copy, to compare with later. */
export const snapshot = <T>(value: T): T => structuredClone(value)
