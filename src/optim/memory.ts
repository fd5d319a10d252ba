/** A step that was taken: s = length · direction, over which the gradient changed by y = ∇f − before. */
export interface Observation {
  readonly direction: Float64Array
  readonly length: number
  /** The gradient where the step began. */
  readonly before: Float64Array
}

/** A direction and what is known of the curvature now. */
export interface Descent<C> {
  readonly curvature: C
  /** d = −H∇f */
  readonly direction: Float64Array
  /** ∇fᵀd */
  readonly slope: number
  /** max|dᵢ| */
  readonly reach: number
}

/** How L-BFGS remembers its steps and turns them into directions. */
export interface CurvatureMemory<C = unknown> {
  /** Nothing observed yet: H = I. */
  readonly empty: C
  /** Takes in the newest step, if there is one, which led to a point of this gradient, and gives −H∇f there. */
  descend(curvature: C, newest: Observation | undefined, gradient: Float64Array): Descent<C> | Promise<Descent<C>>
}

/** Which observations a memory keeps. */
export interface MemoryLimits {
  /** Most pairs. */
  readonly historySize: number
  /** A pair with yᵀs at or below this is left out: H would stop being positive definite, and −H∇f a way down. */
  readonly curvature: number
}
