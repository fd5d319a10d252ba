import { DlgError } from '../errors/dlg-error'
import type { LineSearch, LineSearchState, Ray, Trial } from './line-search'
import { requireNumber, withDefaults } from './options'

/** Options of {@link strongWolfe}. */
export interface StrongWolfeOptions {
  /** c₁ in (0, 1): the least decrease, as a fraction of what the slope at the start promises. Default 1e-4. */
  readonly sufficientDecrease: number
  /** c₂ in (c₁, 1): how much of the slope at the start may be left. Default 0.9. */
  readonly remainingSlope: number
  /** Give up when the bracket is shorter than this in every coordinate, ≥ 0. Default 1e-9. */
  readonly changeTolerance: number
  /** Trials after the first, ≥ 1. Default 25. */
  readonly iterations: number
}

/** State of {@link strongWolfe}. */
export interface StrongWolfeState extends LineSearchState {
  readonly ray: Ray
  /** Trials before the one asked for. */
  readonly iteration: number
  /** While the steps still grow: the trial before. */
  readonly previous: Trial
  /** Two trials with an acceptable step between them, in the order in which they were found. */
  readonly bracket?: readonly [Trial, Trial]
  /** Whether the last interpolation fell into the outer tenth of the bracket. */
  readonly crowded: boolean
}

const defaults: StrongWolfeOptions = {
  sufficientDecrease: 1e-4,
  remainingSlope: 0.9,
  changeTolerance: 1e-9,
  iterations: 25,
}

/**
 * A line search for the strong Wolfe conditions
 *
 * φ(t) ≤ φ(0) + c₁ t φ′(0) and |φ′(t)| ≤ −c₂ φ′(0):
 *
 * steps grow until two trials bracket such a t, then cubic interpolation closes in on it (Nocedal & Wright,
 * algorithms 3.5 and 3.6). With the defaults it is trial for trial the `_strong_wolfe` of PyTorch's LBFGS.
 * When it gives up, the best trial so far is accepted, which may be the start.
 *
 * A non-finite trial counts as φ = +∞: it fails the first condition, so the bracket ends there and is bisected.
 *
 * @throws DlgError `invalid-option` for an unknown name, or a value out of its range
 */
export function strongWolfe(options: Partial<StrongWolfeOptions> = {}): LineSearch<StrongWolfeState> {
  const owner = 'strongWolfe'
  const { sufficientDecrease, remainingSlope, changeTolerance, iterations } = withDefaults(owner, defaults, options)
  requireNumber(owner, 'sufficientDecrease', sufficientDecrease, { above: 0, below: 1 })
  requireNumber(owner, 'remainingSlope', remainingSlope, { above: sufficientDecrease, below: 1 })
  requireNumber(owner, 'changeTolerance', changeTolerance, { atLeast: 0 })
  requireNumber(owner, 'iterations', iterations, { atLeast: 1, integer: true })

  const tooHigh = ({ start }: Ray, trial: Trial) =>
    trial.value > start.value + sufficientDecrease * trial.step * start.slope
  const flatEnough = ({ start }: Ray, trial: Trial) => Math.abs(trial.slope) <= -remainingSlope * start.slope

  /** The next trial inside the bracket, or the end. */
  function narrow(state: StrongWolfeState, bracket: readonly [Trial, Trial]): StrongWolfeState {
    const [a, b] = bracket
    const width = Math.abs(b.step - a.step)
    if (state.iteration >= iterations || width * state.ray.reach < changeTolerance) {
      return { ...state, accepted: bracket[lowerOf(bracket)] }
    }
    const left = Math.min(a.step, b.step)
    const right = Math.max(a.step, b.step)
    const margin = 0.1 * (right - left)
    let step = cubicMinimizer(a, b, left, right)
    let crowded = Math.min(right - step, step - left) < margin
    // Twice in the outer tenth, or on an end: the bracket would barely shrink, so step in by a tenth.
    if (crowded && (state.crowded || step >= right || step <= left)) {
      step = Math.abs(step - right) < Math.abs(step - left) ? right - margin : left + margin
      crowded = false
    }
    return { ...state, step, bracket, crowded, iteration: state.iteration + 1 }
  }

  function grow(state: StrongWolfeState, trial: Trial): StrongWolfeState {
    const { ray, previous, iteration } = state
    if (iteration >= iterations) {
      return { ...state, accepted: ray.start.value <= trial.value ? ray.start : trial }
    }
    if (tooHigh(ray, trial) || (iteration > 1 && trial.value >= previous.value)) return narrow(state, [previous, trial])
    if (flatEnough(ray, trial)) return { ...state, accepted: trial }
    if (trial.slope >= 0) return narrow(state, [previous, trial])
    const least = trial.step + 0.01 * (trial.step - previous.step)
    const step = cubicMinimizer(previous, trial, least, 10 * trial.step)
    return { ...state, step, previous: trial, iteration: iteration + 1 }
  }

  function shrink(state: StrongWolfeState, bracket: readonly [Trial, Trial], trial: Trial): StrongWolfeState {
    const low = lowerOf(bracket)
    const high = low === 0 ? 1 : 0
    if (tooHigh(state.ray, trial) || trial.value >= bracket[low].value) {
      return narrow(state, low === 0 ? [bracket[0], trial] : [trial, bracket[1]])
    }
    if (flatEnough(state.ray, trial)) return { ...state, accepted: trial }
    // The slope tells on which side of the trial the minimum lies.
    const beyondLow = trial.slope * (bracket[high].step - bracket[low].step) >= 0
    const other = beyondLow ? bracket[low] : bracket[high]
    return narrow(state, low === 0 ? [trial, other] : [other, trial])
  }

  return {
    name: 'strong-wolfe',
    settings: { sufficientDecrease, remainingSlope, changeTolerance, iterations },
    init(ray) {
      requireTrial(ray?.start)
      if (!(typeof ray.step === 'number' && ray.step > 0 && typeof ray.reach === 'number' && ray.reach >= 0))
        throw new DlgError('invalid-data', 'strongWolfe: a ray must have a step above 0 and a reach of at least 0')
      return { ray, step: ray.step, iteration: 0, previous: ray.start, crowded: false }
    },
    step(state, trial) {
      requireTrial(trial)
      const finite = Number.isFinite(trial.value) && Number.isFinite(trial.slope)
      const seen = finite ? trial : { ...trial, value: Number.POSITIVE_INFINITY }
      return state.bracket ? shrink(state, state.bracket, seen) : grow(state, seen)
    },
  }
}

/** @throws DlgError `invalid-data` unless there are numbers, of any size. */
function requireTrial(trial: Trial): void {
  if (typeof trial?.step === 'number' && typeof trial.value === 'number' && typeof trial.slope === 'number') return
  throw new DlgError(
    'invalid-data',
    'strongWolfe: a trial must be { step, value, slope, gradient }, the first three numbers',
  )
}

/** The index of the lower end; the first where they are level. */
function lowerOf([a, b]: readonly [Trial, Trial]): 0 | 1 {
  return a.value <= b.value ? 0 : 1
}

/**
 * The minimiser of the cubic with the values and slopes of `a` and `b`, kept within [`lower`, `upper`]:
 *
 * d₁ = a′ + b′ − 3(a − b)/(tₐ − t_b), d₂ = √(d₁² − a′b′), t = t_b − (t_b − tₐ)(b′ + d₂ − d₁)/(b′ − a′ + 2d₂)
 *
 * for tₐ ≤ t_b (Nocedal & Wright, equation 3.59); the middle of the bounds when the cubic has no minimum or
 * an end is not finite.
 */
export function cubicMinimizer(a: Trial, b: Trial, lower: number, upper: number): number {
  const [near, far] = a.step <= b.step ? [a, b] : [b, a]
  const d1 = near.slope + far.slope - (3 * (near.value - far.value)) / (near.step - far.step)
  const square = d1 * d1 - near.slope * far.slope
  const middle = (lower + upper) / 2
  if (!(square >= 0)) return middle
  const d2 = Math.sqrt(square)
  const t = far.step - (far.step - near.step) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2))
  return Number.isNaN(t) ? middle : Math.min(Math.max(t, lower), upper)
}
