import { invalid } from '../errors/checks'
import { type OptimizerState, requirePoint, requireStep, type SynchronousOptimizer } from './optimizer'
import { requireNumber, requireOneOf, withDefaults, wrong } from './options'
import { DECAYS, type Schedule, scheduledRate } from './schedule'
import { allFinite, dot, times } from './vectors'

/** Options of {@link adam}. */
export interface AdamOptions extends Schedule {
  /** η > 0: about how far a coordinate moves in one step. Default 0.1. */
  readonly learningRate: number
  /** Decay of the mean of the gradients, in [0, 1). Default 0.9. */
  readonly beta1: number
  /** Decay of the mean of their squares, in [0, 1). Default 0.999. */
  readonly beta2: number
  /** Added to the denominator, > 0. Default 1e-8. */
  readonly epsilon: number
  /** λ ≥ 0 of AdamW: each step first scales the point by 1 − ηλ. Default 0. */
  readonly weightDecay: number
  /**
   * The form of the gradient g that Adam sees: g itself, sign(g) (Geiping et al. 2020, "Inverting Gradients"), or the soft
   * tanh(σg)/σ with σ = 1 − t/steps, which turns from bounded to the gradient itself. Default 'none'.
   */
  readonly gradientSign: 'none' | 'sign' | 'soft'
  /** Scale a gradient with a larger ‖g‖₂ down to this, > 0, before its sign is taken. Default: never. */
  readonly gradientClip: number | undefined
  /** Applied to every new point, for instance to keep it in a box. Default: none. */
  readonly project: ((point: Float64Array) => Float64Array) | undefined
}

/** State of {@link adam}. */
export interface AdamState extends OptimizerState {
  /** m */
  readonly mean: Float64Array
  /** v */
  readonly square: Float64Array
  /** Steps that went into m and v. */
  readonly age: number
  /** Multiplies the learning rate; below 1 after a restart. */
  readonly scale: number
}

const defaults: AdamOptions = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  gradientSign: 'none',
  steps: undefined,
  decay: 'none',
  warmup: 0,
  gradientClip: undefined,
  project: undefined,
}

/**
 * Adam (Kingma & Ba 2015) with decoupled weight decay (AdamW; Loshchilov & Hutter 2019):
 *
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², x ← (1 − ηλ)x − η · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε).
 *
 * One evaluation per iteration. It stops only when a linear or cosine decay has reached zero, or on a non-finite gradient;
 * it never comes to rest before that.
 *
 * @throws DlgError `invalid-option` for an unknown name, or a value out of its range
 */
export function adam(options: Partial<AdamOptions> = {}): SynchronousOptimizer<AdamState> {
  const settings = withDefaults('adam', defaults, options)
  validate(settings)
  const { learningRate, beta1, beta2, epsilon, weightDecay, project } = settings

  const begin = (point: Float64Array, scale: number) => ({
    point,
    mean: new Float64Array(point.length),
    square: new Float64Array(point.length),
    age: 0,
    scale,
  })

  return {
    name: 'adam',
    patience: Number.POSITIVE_INFINITY,
    settings,
    init(point) {
      requirePoint('adam', point)
      return { iteration: 0, evaluations: 0, ...begin(point.slice(), 1) }
    },
    restart({ iteration, evaluations }, point, scale) {
      requirePoint('adam', point)
      requireNumber('adam', 'scale', scale, { atLeast: 0 })
      return { iteration, evaluations, ...begin(point.slice(), scale) }
    },
    step(state, evaluation) {
      requireStep('adam', state, evaluation)
      const rate = learningRate * state.scale * scheduledRate(settings, state.iteration)
      const counted: AdamState = { ...state, iteration: state.iteration + 1, evaluations: state.evaluations + 1 }
      if (!allFinite(evaluation.gradient)) return { ...counted, stopped: 'diverged' }
      if (rate === 0) return { ...counted, stopped: 'step' }
      const gradient = shaped(evaluation.gradient, settings, state.iteration)
      const age = state.age + 1
      const rateOfMean = rate / (1 - beta1 ** age)
      const rootOfSquare = Math.sqrt(1 - beta2 ** age)
      const mean = new Float64Array(gradient.length)
      const square = new Float64Array(gradient.length)
      const next = new Float64Array(gradient.length)
      for (let i = 0; i < next.length; i++) {
        mean[i] = beta1 * state.mean[i] + (1 - beta1) * gradient[i]
        square[i] = beta2 * state.square[i] + (1 - beta2) * gradient[i] * gradient[i]
        const kept = state.point[i] * (1 - rate * weightDecay)
        next[i] = kept - (rateOfMean * mean[i]) / (Math.sqrt(square[i]) / rootOfSquare + epsilon)
      }
      return { ...counted, point: project ? projected(project, next) : next, mean, square, age }
    },
  }
}

/** A copy, because a projection may answer with a buffer of its own. */
function projected(project: (point: Float64Array) => Float64Array, point: Float64Array): Float64Array {
  const { length } = point
  const answer = project(point)
  if (answer instanceof Float64Array && answer.length === length) return answer.slice()
  throw invalid(`adam: project() must return a Float64Array of ${length} numbers`)
}

/** The gradient clipped, then signed. */
function shaped(gradient: Float64Array, options: AdamOptions, iteration: number): Float64Array {
  const norm = options.gradientClip === undefined ? 0 : Math.sqrt(dot(gradient, gradient))
  const clipped = norm > options.gradientClip! ? times(options.gradientClip! / norm, gradient) : gradient
  if (options.gradientSign === 'sign') return clipped.map(Math.sign)
  const softness = 1 - iteration / options.steps!
  // σ → 0 gives the gradient itself.
  if (options.gradientSign === 'soft' && softness > 0) return clipped.map((g) => Math.tanh(softness * g) / softness)
  return clipped
}

function validate(options: AdamOptions): void {
  requireNumber('adam', 'learningRate', options.learningRate, { above: 0 })
  requireNumber('adam', 'beta1', options.beta1, { atLeast: 0, below: 1 })
  requireNumber('adam', 'beta2', options.beta2, { atLeast: 0, below: 1 })
  requireNumber('adam', 'epsilon', options.epsilon, { above: 0 })
  requireNumber('adam', 'weightDecay', options.weightDecay, { atLeast: 0 })
  requireNumber('adam', 'warmup', options.warmup, { atLeast: 0, integer: true })
  requireOneOf('adam', 'gradientSign', options.gradientSign, ['none', 'sign', 'soft'])
  requireOneOf('adam', 'decay', options.decay, DECAYS)
  if (options.gradientClip !== undefined) requireNumber('adam', 'gradientClip', options.gradientClip, { above: 0 })
  const { project } = options
  if (project !== undefined && typeof project !== 'function') throw wrong('adam', 'project', project, 'a function')
  if (options.steps === undefined) {
    const needed = options.gradientSign === 'soft' ? "gradientSign 'soft'" : `decay '${options.decay}'`
    if (needed !== "decay 'none'") throw invalid(`adam: ${needed} needs steps, the planned number of iterations`)
    return
  }
  requireNumber('adam', 'steps', options.steps, { atLeast: 1, integer: true })
  if (options.warmup >= options.steps) throw wrong('adam', 'warmup', options.warmup, `below steps (${options.steps})`)
}
