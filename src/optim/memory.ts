/** One observed step and the change of the gradient over it. */
export interface Observation {
  /** sₖ = xₖ₊₁ − xₖ */
  readonly s: Float64Array
  /** yₖ = ∇f(xₖ₊₁) − ∇f(xₖ) */
  readonly y: Float64Array
}

/** A direction and what is known of the curvature now. */
export interface Descent<C> {
  readonly curvature: C
  /** −H∇f */
  readonly direction: Float64Array
}

/** How L-BFGS remembers its steps and turns them into directions. */
export interface CurvatureMemory<C = unknown> {
  /** Nothing observed yet: H = I. */
  readonly empty: C
  /** Takes in the newest observation, if there is one, and gives −H∇f. */
  descend(curvature: C, newest: Observation | undefined, gradient: Float64Array): Descent<C> | Promise<Descent<C>>
}

/** Which observations a memory keeps. */
export interface MemoryLimits {
  /** Most pairs. */
  readonly historySize: number
  /** A pair with yᵀs at or below this is left out: H would stop being positive definite, and −H∇f a way down. */
  readonly curvature: number
}
