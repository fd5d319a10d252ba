/** The objective along a ray, φ(t) = f(x + t·d), at one t. */
export interface Trial {
  /** t ≥ 0 */
  readonly step: number
  /** φ(t) */
  readonly value: number
  /** φ′(t) = ∇f(x + t·d)ᵀd */
  readonly slope: number
  /** ∇f(x + t·d), for the optimizer to go on with; a line search only hands it through. */
  readonly gradient: Float64Array
}

/** Where a line search begins. */
export interface Ray {
  /** The trial at t = 0, with a negative slope. */
  readonly start: Trial
  /** The first t to try, > 0. */
  readonly step: number
  /** max|dᵢ|: a change of t by δ moves no coordinate of the point by more than δ·reach. */
  readonly reach: number
}

/** The part of a line search's state that others read. */
export interface LineSearchState {
  /** The t to evaluate next. */
  readonly step: number
  /** The trial it settled on, once it has; the one at t = 0 says that it found nothing better. */
  readonly accepted?: Trial
}

/** A search for a good t > 0 along a ray, which asks for evaluations as an optimizer does. */
export interface LineSearch<S extends LineSearchState = LineSearchState> {
  readonly name: string
  /** As of an optimizer: the numbers that its functions keep to themselves. */
  readonly settings?: unknown
  /** The state at the start of a search along `ray`. */
  init(ray: Ray): S
  /** The trial at `state.step` in (its value and slope may be non-finite), the next state out. */
  step(state: S, trial: Trial): S
}
