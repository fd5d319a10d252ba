import type { Random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { inner } from '../../numbers/vectors'
import { allFinite } from '../../optim/vectors'

/** A run of unknowns of one kind in the flat point. */
export interface UnknownGroup {
  readonly name: string
  /** Position of the first one in the point. */
  readonly start: number
  readonly size: number
  /** The change that counts as one: the width of the data's range, 1 for a probability. Above 0. */
  readonly unit: number
  /**
   * Numbers in a row that always add up to one: probabilities of this many classes. They only move against each other, so their
   * common shift is not a direction. Undefined where every number moves alone.
   */
  readonly classes?: number
}

/** The gradient of R(x) = ‖g(x) − g(x₀)‖² / ‖g*‖². */
export interface ResidualEvaluation {
  readonly gradient: Float64Array
}

export type EvaluateResidual = (point: Float64Array) => Promise<ResidualEvaluation>

/** A product with JᵀJ. */
export interface Product {
  /** JᵀJ z, projected like z. */
  readonly image: Float64Array
  /** zᵀJᵀJ z = ‖J z‖²: what moving along z does to what was shared. */
  readonly size: number
  /** By how much two estimates of the image differ: rounding, and the curvature that a step sees. Undefined for one estimate. */
  readonly doubt?: Float64Array
}

/**
 * The Gauss–Newton matrix JᵀJ of R at a point, J = ∂(g / ‖g*‖)/∂u, in unknowns u that are measured in their units. So
 * (JᵀJ)ᵢᵢ is the relative squared change of what was shared when unknown i moves by one unit.
 */
export interface Curvature {
  readonly size: number
  /**
   * Asks anything at u + h z, as one evaluation.
   *
   * @returns undefined where the work is to end, and where a number is not finite
   */
  asked(
    z: Float64Array,
    step: number,
    ask: (point: Float64Array) => Promise<Float64Array>,
  ): Promise<Float64Array | undefined>
  readonly groups: readonly UnknownGroup[]
  readonly evaluations: number
  /** Products that can still be had; 0 once the work is to end. */
  readonly left: number
  /** Whether the work was told to end, or a gradient was not finite. */
  readonly cut: boolean
  /** Tells the caller that the work goes on, between steps that take long. */
  tell(): void
  /** Does work in small parts; timers and signals run between them. @returns undefined where the work is to end */
  done<T>(steps: Steps<T>): Promise<T | undefined>
  /**
   * JᵀJ z ≈ (∇R(u + h z) − ∇R(u − h z)) / 4h, because ∇²R = 2 JᵀJ where R is 0. Two evaluations.
   *
   * Float32 makes an error of about 1e-7 ‖J‖ / h in it, so a direction that moves little needs a long step.
   *
   * @param z a direction; it must be projected
   * @param step h; the largest entry of h z says how many units an unknown moves
   */
  product(z: Float64Array, step: number): Promise<Product | undefined>
  /**
   * Richardson's (4 p(h/2) − p(h)) / 3 of two products: takes out the h² that a long step adds where a valley of R is curved.
   * Four evaluations.
   */
  refined(z: Float64Array, step: number): Promise<Product | undefined>
  /**
   * Takes the common shift of each row of probabilities out, in place.
   *
   * @param members the unknowns that move; the others stay where they are
   */
  project(z: Float64Array, members?: Uint8Array): Float64Array
}

export interface CurvatureOptions {
  readonly evaluate: EvaluateResidual
  readonly point: Float64Array
  readonly groups: readonly UnknownGroup[]
  /** Most evaluations. */
  readonly budget: number
  /** Whether the work is to end, asked before every evaluation. */
  readonly cut?: () => boolean
}

/** Longest time, in milliseconds, in which timers and signals do not run. */
const BREATH = 50

export function curvatureAt(options: CurvatureOptions): Curvature {
  const { evaluate, point, groups, budget, cut = () => false } = options
  const units = new Float64Array(point.length)
  for (const { start, size, unit } of groups) units.fill(unit, start, start + size)
  let evaluations = 0
  let ended = false
  let last = performance.now()
  const breathe = async (): Promise<void> => {
    if (performance.now() - last <= BREATH) return
    await new Promise((resolve) => setTimeout(resolve))
    last = performance.now()
  }
  const asked: Curvature['asked'] = async (direction, step, ask) => {
    await breathe()
    if (cut() || evaluations >= budget) return undefined
    evaluations++
    const answer = await ask(point.map((v, i) => v + step * units[i] * direction[i]))
    if (allFinite(answer)) return answer
    ended = true
    return undefined
  }
  const at = (direction: Float64Array, step: number) =>
    asked(direction, step, async (moved) => (await evaluate(moved)).gradient)

  const project = (z: Float64Array, members?: Uint8Array): Float64Array => {
    for (const { start, size, classes } of groups)
      for (let row = start; classes !== undefined && row < start + size; row += classes)
        center(z, row, classes, members)
    return z
  }
  const left = (): number => (ended || cut() ? 0 : Math.floor((budget - evaluations) / 2))
  const product = async (z: Float64Array, step: number): Promise<Product | undefined> => {
    if (left() < 1) return undefined
    const ahead = await at(z, step)
    const behind = ahead && (await at(z, -step))
    if (!ahead || !behind) return undefined
    const image = project(units.map((unit, i) => (unit * (ahead[i] - behind[i])) / (4 * step)))
    return { image, size: inner(z, image) }
  }
  return {
    ...{ size: point.length, groups, project, asked },
    get evaluations() {
      return evaluations
    },
    get left() {
      return left()
    },
    get cut() {
      return ended || cut()
    },
    tell: () => void cut(),
    async done(steps) {
      for (;;) {
        const { done, value } = steps.next()
        if (done) return value
        await breathe()
        if (cut()) return undefined
      }
    },
    product,
    async refined(z, step) {
      const long = left() < 2 ? undefined : await product(z, step)
      const short = long && (await product(z, step / 2))
      if (!long || !short) return undefined
      const image = short.image.map((v, i) => (4 * v - long.image[i]) / 3)
      return { image, size: inner(z, image), doubt: short.image.map((v, i) => v - long.image[i]) }
    },
  }
}

/** Subtracts the mean of a row's members from them. */
function center(z: Float64Array, start: number, count: number, members?: Uint8Array): void {
  let [sum, number] = [0, 0]
  for (let i = start; i < start + count; i++) {
    if (members && members[i] === 0) continue
    sum += z[i]
    number++
  }
  for (let i = start; i < start + count; i++) if (members?.[i] !== 0) z[i] -= sum / number
}

/** A vector of random signs on the members, and of zeros elsewhere; projected. */
export function randomSigns(curvature: Curvature, random: Random, members?: Uint8Array): Float64Array {
  const z = new Float64Array(curvature.size)
  for (let i = 0; i < z.length; i++) if (members?.[i] !== 0) z[i] = random.uniform() < 0.5 ? -1 : 1
  return curvature.project(z, members)
}

/** max |vᵢ| */
export const largest = (v: Float64Array): number => v.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
