import type * as g from '../../graph'
import { atOnce } from '../../numbers/steps'
import { fittedFactor } from '../../numbers/stretches'
import { flat, mapped, type Values } from '../../numbers/values'
import type { Evaluator, Executable, Program, Runtime } from '../../runtime/runtime'
import { type Certainty, type CertaintyProblem, certaintyOf } from './certainty'
import { curvatureAt, type UnknownGroup } from './curvature'
import { passesForMixture } from './mixtures'
import { floorsOf, reachedParameter, residualProgram, timesFactor, weightOfTensor } from './shared-residual'

/** A client's gradient as a graph, what was shared of it, and a point whose certainty is asked. */
export interface GradientCertainty
  extends Pick<CertaintyProblem, 'point' | 'groups' | 'seed' | 'budget' | 'cut' | 'resample'> {
  readonly runtime: Runtime
  /** One for each tensor that was shared. */
  readonly gradients: readonly g.Node[]
  /** What moves, one for each group of unknowns. */
  readonly unknowns: readonly g.Node<'input'>[]
  readonly parameters: ReadonlyMap<string, Values>
  /** Names of the parameters that last; see `Executable.bind`. */
  readonly lasting?: ReadonlySet<string>
  readonly shared: readonly Values[]
  /** For each shared tensor, the expected squared norm of what was lost. Default 0. */
  readonly lost?: readonly number[]
  /** Whether what was shared has a factor that is not known: then it is one more unknown. */
  readonly fitsFactor?: boolean
  /** How many of the first groups are data: it is asked whether the mean of several samples would pass for them. Default 0: it is not. */
  readonly mixtures?: number
}

/** How certain the point is, and what happens to the fitted factor elsewhere. */
export interface FoundCertainty {
  readonly certainty: Certainty
  /** Whether a tenth of a unit along everything that is free changes the fitted factor by more than one part in a hundred. */
  readonly factorMoves: boolean
  /**
   * Whether one sample near the point has the mean of the gradients at x + δ and x − δ, as far as what was shared can tell: then
   * the point may stand for any number of samples. Undefined where that was not asked, and where the work was cut short.
   */
  readonly hidesMixtures?: boolean
}

/** A rounding of float32, in units of an unknown. */
const ROUNDING = 2 ** -22

/**
 * How far what was shared determines the unknowns of a gradient at a point.
 *
 * @returns undefined where the work was cut short before anybody could say whether something is free, and where the model has no finite value nearby
 */
export async function gradientCertainty(asked: GradientCertainty): Promise<FoundCertainty | undefined> {
  const { runtime, gradients, unknowns, parameters, lasting, shared, point, groups, cut, fitsFactor = false } = asked
  const { lost = shared.map(() => 0) } = asked
  const held: { dispose(): void }[] = []
  // the caller is told of every long step: to compile a program takes as long as many evaluations of it
  const compiled = async (program: Program): Promise<Executable> => {
    cut?.()
    const executable = await runtime.compile(program)
    held.push(executable)
    cut?.()
    return executable
  }
  const bound = async (executable: Executable, own: readonly (readonly [string, Values])[]): Promise<Evaluator> => {
    const evaluator = await executable.bind(new Map([...parameters, ...own]), lasting)
    held.push(evaluator)
    cut?.()
    return evaluator
  }
  try {
    const evaluator = await bound(await compiled({ inputs: unknowns, outputs: gradients }), [])
    /** The gradient, and the factor that fits best. */
    const reachedAt = async (at: Float64Array, given?: number) => {
      const own = await evaluator.run(partsOf(groups, at))
      cut?.()
      const factor = given ?? (fitsFactor ? atOnce(fittedFactor(own, shared)) : 1)
      const values = timesFactor(own, factor)
      cut?.()
      return { factor, values }
    }
    const here = await reachedAt(point)
    const beside = [await reachedAt(besides(point, groups, 1)), await reachedAt(besides(point, groups, -1))]
    const { weights, floor, noise } = floorsOf({
      ...{ shared, lost, reached: here.values },
      beside: [beside[0].values, beside[1].values],
    })
    cut?.()
    let executable: Executable | undefined
    const boundResidual = async (reached: readonly Values[]) => {
      executable ??= await compiled(residualProgram(gradients, unknowns, fitsFactor))
      return bound(executable, [
        ...reached.map((values, i) => [reachedParameter(i), values] as const),
        ...weights.map((weight, i) => [weightOfTensor(i), Float64Array.of(weight)] as const),
      ])
    }
    let residual: Evaluator | undefined
    const evaluate = async (at: Float64Array) => {
      residual ??= await boundResidual(here.values)
      const [, ...derivatives] = await residual.run(partsOf(groups, at))
      return { gradient: flat(derivatives) }
    }
    const againstMixture = async (mixture: readonly Values[]) => {
      const trial = await boundResidual(mixture)
      return async (at: Float64Array) => {
        const [[value], ...derivatives] = await trial.run(partsOf(groups, at))
        return { value, gradient: flat(derivatives) }
      }
    }
    const reach = async (at: Float64Array) => {
      const own = await evaluator.run(partsOf(groups, at))
      return flat(own.map((values, i) => mapped(values, (v) => weights[i] * here.factor * v)))
    }
    const certainty = await certaintyOf({
      ...asked,
      ...{ fitsFactor, floor, noise },
      numbers: shared.reduce((n, { length }) => n + length, 0),
      evaluate,
      reach,
    })
    if (!certainty) return undefined
    const data = groups.slice(0, asked.mixtures ?? 0)
    const hidesMixtures =
      data.length > 0
        ? await passesForMixture(curvatureAt({ ...asked, evaluate, budget: Number.POSITIVE_INFINITY }), point, {
            ...{ inputs: data.length, floor, weights, here: here.values, sensitivity: certainty.sensitivity },
            shapes: gradients.map(({ shape }) => shape),
            gradientAt: async (at) => (await reachedAt(at, here.factor)).values,
            // a search is worth its work where nothing else is open
            against: certainty.determined ? againstMixture : undefined,
          })
        : undefined
    const moved = fitsFactor ? freeMove(certainty, groups) : undefined
    const change = async (sign: number) =>
      Math.abs((await reachedAt(point.map((v, i) => v + sign * moved![i]))).factor / here.factor - 1)
    return {
      certainty,
      factorMoves: moved !== undefined && Math.max(await change(1), await change(-1)) > 0.01,
      hidesMixtures,
    }
  } finally {
    for (const resource of held.reverse()) resource.dispose()
  }
}

/** A flat point as the inputs of a program. */
export const partsOf = (groups: readonly UnknownGroup[], at: Float64Array): Float64Array[] =>
  groups.map(({ start, size }) => at.subarray(start, start + size))

/** Groups of unknowns one after the other. */
export function groupsInOrder(groups: readonly Omit<UnknownGroup, 'start'>[]): UnknownGroup[] {
  let start = 0
  return groups.map((group) => {
    const placed = { ...group, start }
    start += group.size
    return placed
  })
}

/** The point with every unknown moved by a rounding, up and down in turn. */
function besides(point: Float64Array, groups: readonly UnknownGroup[], sign: number): Float64Array {
  const out = point.slice()
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) out[i] += (i % 2 === 0 ? sign : -sign) * ROUNDING * unit
  return out
}

/** A tenth of a unit along everything that is free at once, in the numbers of the point; undefined where nothing is. */
function freeMove({ silent, directions }: Certainty, groups: readonly UnknownGroup[]): Float64Array | undefined {
  if (directions.length === 0 && silent.every((v) => v === 0)) return undefined
  const move = mapped(silent, (v, i) => (v === 0 ? 0 : i % 2 === 0 ? 1 : -1))
  for (const { vector } of directions) {
    const fastest = vector.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    for (let i = 0; i < move.length; i++) move[i] += vector[i] / fastest
  }
  const fastest = move.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) move[i] *= (0.1 * unit) / fastest
  return move
}
