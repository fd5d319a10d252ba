import type { UnknownGroup } from '../../measure/certainty/curvature'
import { FLOAT32 } from '../../measure/certainty/shared-residual'
import type { Random } from '../../numbers/random'
import { mapped, squaredNorm } from '../../numbers/values'
import { type Executable, evaluate } from '../../runtime/runtime'
import type { Attack } from './attack'
import type { UnconstrainedPrograms } from './objective/attack-objective'
import { sharedParameter } from './objective/objective'
import type { Settings } from './options'
import { inUnitsOf, objectiveIn } from './search/evaluation'
import { newProgress } from './search/progress'
import { isCut } from './search/restarts'
import { type SearchSettings, search } from './search/search'

/**
 * Squared relative noise that a search in float32 resolves. The bars are as far as the data move with the noise, to first order: noise that
 * is smaller is enlarged to it, and the movement made smaller again.
 */
const RESOLVED = 1e-8

/** Iterations of a repeated search. */
const CONTINUED = 300

/** Where a search ended: inputs, then the targets themselves. */
export interface SearchEnd {
  readonly programs: UnconstrainedPrograms
  readonly point: Float64Array
  readonly groups: readonly UnknownGroup[]
}

/** What the searches for error bars may use, and who is told of them. */
interface Limits {
  /** Whether the work is to end. */
  cut(): boolean
  told(): void
  /** Most evaluations of all of them. */
  readonly evaluations: number
  /** Milliseconds that are left. */
  milliseconds(): number
}

/** Searches that go on from where one ended, on what was shared with something added. */
export interface SearchesAgain {
  /**
   * @param random noise of the size that what was shared has is added; without, the search goes on to what was shared
   * @returns where it ends; undefined where it was cut short
   */
  search(random?: Random): Promise<Float64Array | undefined>
  dispose(): void
}

/**
 * A search in float32 resolves no movement on what rounding leaves of a match. To first order data move as far as what is added is large. So
 * noise, and what the search has left, g* − g(x′), are enlarged, and the movement is made smaller again.
 */
export function searchesAgain(
  { objective }: Attack,
  { programs, point, groups }: SearchEnd,
  { runtime, signal }: Settings,
  limits: Limits,
): SearchesAgain {
  const { parameters, lasting, shared, lost } = objective
  // float32 loses something everywhere
  const noises = shared.map((values, i) => Math.max(lost[i], FLOAT32 * squaredNorm([values])))
  let executable: Executable | undefined
  let left = limits.evaluations

  const leftOver = async (): Promise<Float64Array[]> => {
    const parts = groups.map(({ start, size }) => point.slice(start, start + size))
    const there = await evaluate(runtime, programs.gradients, parameters, parts)
    return shared.map((values, i) => mapped(values, (v, k) => v - there[i][k]))
  }

  /** Numbers that are added to what was shared, and how many times they are enlarged. */
  const added = async (random: Random | undefined) => {
    const unit = squaredNorm(shared)
    if (random) {
      const times = enlargement(noises.reduce((sum, noise) => sum + noise, 0) / unit)
      return { times, values: shared.map(({ length }, i) => normals(length, times ** 2 * noises[i], random)) }
    }
    const rest = await leftOver()
    const times = enlargement(squaredNorm(rest) / unit)
    return { times, values: rest.map((values) => mapped(values, (v) => (times - 1) * v)) }
  }

  return {
    async search(random) {
      if (limits.cut()) return undefined
      executable ??= await runtime.compile(programs.objective)
      const { times, values } = await added(random)
      const bound = shared.map((own, i) => [sharedParameter(i), mapped(own, (v, k) => v + values[i][k])] as const)
      const evaluator = await executable.bind(new Map([...parameters, ...bound]), lasting)
      const sizes = groups.map(({ size }) => size)
      const plain = objectiveIn(
        evaluator,
        { ...objective, sizes, priorWeight: undefined, samples: undefined },
        undefined,
      )
      const own = newProgress(1)
      const cancel = () => {
        own.cancelled = true
      }
      signal?.addEventListener('abort', cancel)
      try {
        const { value } = await plain.evaluate(point)
        const minimised = value > 0 ? inUnitsOf(plain, value) : plain
        const budget = { evaluations: left, milliseconds: limits.milliseconds() }
        const end = await search(minimised, continued(budget), own, 0, point, limits.told)
        left -= end.evaluations + 1
        return isCut(end) ? undefined : end.point.map((v, i) => point[i] + (v - point[i]) / times)
      } finally {
        signal?.removeEventListener('abort', cancel)
        evaluator.dispose()
      }
    },
    dispose: () => executable?.dispose(),
  }
}

/** How a search is repeated: without priors, until it comes to rest. */
export const continued = (budget: SearchSettings['budget']): SearchSettings => ({
  preset: 'robust',
  optimizer: { name: 'lbfgs', preset: 'robust' },
  iterations: CONTINUED,
  patience: undefined,
  tolerance: 0,
  priorEasing: 1,
  budget,
})

/** How many times what moves the data is enlarged, and the movement made smaller again. @param relative its squared relative size */
const enlargement = (relative: number): number => (relative > 0 ? Math.max(1, Math.sqrt(RESOLVED / relative)) : 1)

/** Normal numbers of an expected squared norm. */
const normals = (length: number, squares: number, random: Random): Float64Array =>
  Float64Array.from({ length }, () => Math.sqrt(squares / length) * random.normal())
