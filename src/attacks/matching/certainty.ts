import { sizeOf } from '../../graph'
import { type Certainty, certaintyOf } from '../../measure/certainty/certainty'
import type { EvaluateResidual, UnknownGroup } from '../../measure/certainty/curvature'
import {
  FLOAT32,
  fittedFactor,
  floorsOf,
  reachedParameter,
  timesFactor,
  weightOfTensor,
} from '../../measure/certainty/shared-residual'
import type { Random } from '../../numbers/random'
import { squaredNorm } from '../../numbers/values'
import type { Evaluator, Executable, Program, Values } from '../../runtime/runtime'
import type { Attack } from './attack'
import { inTensors, type LeakageCertainty } from './certainty-tensors'
import type { UnconstrainedPrograms } from './objective/attack-objective'
import { sharedParameter } from './objective/objective'
import type { Settings } from './options'
import type { Part, TargetReading } from './point'
import { objectiveIn } from './search/evaluation'
import { newProgress, type Progress } from './search/progress'
import { isCut } from './search/restarts'
import { type SearchSettings, search } from './search/search'

/** Iterations of a repeated search. */
const CONTINUED = 300
/** A rounding of float32, in units of an unknown. */
const ROUNDING = 2 ** -22

/**
 * A point with everything that certainty is asked about: the searched inputs, then the searched targets themselves, in place of
 * the numbers that a soft-max or a sigmoid turns into targets. The logit of a sure label moves nothing; its probability does.
 */
export interface Unconstrained {
  readonly programs: UnconstrainedPrograms
  readonly point: Float64Array
  readonly groups: readonly UnknownGroup[]
  readonly inputs: readonly Part[]
  readonly targets: readonly TargetReading[]
}

export function unconstrainedAt(attack: Attack, at: Float64Array, settings: Settings): Unconstrained {
  const { point: layout, unconstrained } = attack.objective
  const targets = attack.targetsOf(at).filter(({ name }) => layout.targets.some((t) => t.name === name))
  const point = flat([...attack.inputsOf(at), ...targets].map(({ values }) => values))
  const groups = groupsOf(layout.inputs, targets, settings)
  return { programs: unconstrained(), point, groups, inputs: layout.inputs, targets }
}

/** A flat point as the inputs of a program. */
export const partsOf = (groups: readonly UnknownGroup[], at: Float64Array): Float64Array[] =>
  groups.map(({ start, size }) => at.subarray(start, start + size))

/**
 * How far what was shared determines a match.
 *
 * @param found where the search ended
 * @param fitsFactor whether what was shared has a factor that is not known: then it is one more unknown
 * @param progress the clock and the evaluations that the budget counts
 * @returns undefined where the caller aborted before every unknown was looked at, or where the model has no finite value nearby
 */
export async function attackCertainty(
  attack: Attack,
  found: Float64Array,
  fitsFactor: boolean,
  settings: Settings,
  progress: Progress = newProgress(1),
): Promise<LeakageCertainty | undefined> {
  const { parameters, lasting, shared, lost } = attack.objective
  const { runtime, signal, budget } = settings
  const millisecondsLeft = () => budget.milliseconds - progress.milliseconds()
  const cut = () => signal?.aborted === true || millisecondsLeft() <= 0
  const evaluationsLeft = budget.evaluations - progress.evaluations
  if (cut() || evaluationsLeft <= 0) return undefined
  const { programs, point, groups, inputs, targets } = unconstrainedAt(attack, found, settings)
  const held: { dispose(): void }[] = []
  const keep = <T extends { dispose(): void }>(resource: T): T => {
    held.push(resource)
    return resource
  }
  const compiled = async (program: Program): Promise<Executable> => keep(await runtime.compile(program))
  const bound = async (executable: Executable, own: readonly (readonly [string, Values])[]): Promise<Evaluator> =>
    keep(await executable.bind(new Map([...parameters, ...own]), lasting))
  try {
    const gradients = await bound(await compiled(programs.gradients), [])
    /** The gradient times the factor that is fitted here; the factor. */
    const reachedAt = async (at: Float64Array) => {
      const own = await gradients.run(partsOf(groups, at))
      const factor = fitsFactor ? fittedFactor(own, shared) : 1
      return { factor, values: timesFactor(own, factor) }
    }
    const here = await reachedAt(point)
    const beside = await reachedAt(besides(point, groups))
    const { weights, floor } = floorsOf({ shared, reached: here.values, beside: beside.values, lost })
    const residual = await bound(await compiled(programs.residual(fitsFactor)), [
      ...here.values.map((values, i) => [reachedParameter(i), values] as const),
      ...weights.map((weight, i) => [weightOfTensor(i), Float64Array.of(weight)] as const),
    ])
    let spent = 3
    const evaluate: EvaluateResidual = async (at) => {
      spent++
      const [, ...derivatives] = await residual.run(partsOf(groups, at))
      return { gradient: flat(derivatives) }
    }
    let distance: Executable | undefined
    const resample = async (random: Random) => {
      if (cut()) return undefined
      distance ??= await compiled(programs.objective)
      const noise = shared.map((values, i) => [sharedParameter(i), noisy(values, lost[i], random)] as const)
      const evaluator = await bound(distance, noise)
      const limits = { evaluations: evaluationsLeft - spent, milliseconds: millisecondsLeft() }
      const { objective } = attack
      const layout = { ...objective, sizes: groups.map(({ size }) => size), priorWeight: undefined, samples: undefined }
      const own = newProgress(1)
      const cancel = () => {
        own.cancelled = true
      }
      signal?.addEventListener('abort', cancel)
      try {
        const end = await search(objectiveIn(evaluator, layout, undefined), continued(limits), own, 0, point)
        spent += end.evaluations
        return isCut(end) ? undefined : end.point
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    }
    const certainty = await certaintyOf({
      ...{ point, groups, cut, floor, evaluate, seed: settings.seed },
      numbers: shared.reduce((n, { length }) => n + length, 0),
      ...(settings.certainty === 'bars' && { resample }),
      budget: evaluationsLeft,
    })
    if (!certainty) return undefined
    const moved = fitsFactor ? freeMove(certainty, groups) : undefined
    const along = async (step: number) =>
      (await reachedAt(point.map((v, i) => v + step * moved![i]))).factor / here.factor - 1
    // the fitted factor changes by more than one part in a hundred along a free move
    const scale = moved !== undefined && Math.max(Math.abs(await along(1)), Math.abs(await along(-1))) > 0.01
    return inTensors(certainty, groups, inputs, targets, scale)
  } finally {
    for (const resource of held.reverse()) resource.dispose()
  }
}

/** How a search is repeated: without priors, until it comes to rest. */
const continued = (budget: SearchSettings['budget']): SearchSettings => ({
  preset: 'robust',
  optimizer: { name: 'lbfgs', preset: 'robust' },
  iterations: CONTINUED,
  patience: undefined,
  tolerance: 0,
  priorEasing: 1,
  budget,
})

function groupsOf(
  inputs: readonly Part[],
  targets: readonly TargetReading[],
  { dataRange: [low, high] }: Settings,
): UnknownGroup[] {
  const parts = [
    ...inputs.map(({ name, shape }) => ({ name, size: sizeOf(shape), unit: high - low })),
    ...targets.map(({ name, shape, kind, values }) => ({
      name,
      size: sizeOf(shape),
      // the targets of a regression have no range; their size is what there is
      unit: kind === 'numbers' ? values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1 : 1,
      ...(kind === 'classes' && { classes: shape[shape.length - 1] }),
    })),
  ]
  let start = 0
  return parts.map((part) => {
    const group = { ...part, start }
    start += part.size
    return group
  })
}

/** All parts one after the other. */
export function flat(parts: readonly Values[]): Float64Array {
  const out = new Float64Array(parts.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** The point with every unknown moved by a rounding, in both directions in turn. */
function besides(point: Float64Array, groups: readonly UnknownGroup[]): Float64Array {
  const out = point.slice()
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) out[i] += (i % 2 === 0 ? 1 : -1) * ROUNDING * unit
  return out
}

/** With normal noise of the expected squared norm of what was lost; float32 loses something everywhere. */
function noisy(values: Values, lost: number, random: Random): Float64Array {
  const size = Math.sqrt(Math.max(lost, FLOAT32 * squaredNorm([values])) / values.length)
  return Float64Array.from(values, (v) => v + size * random.normal())
}

/** A tenth of a unit along everything that is free at once, in the numbers of the point; undefined where nothing is. */
function freeMove({ silent, directions }: Certainty, groups: readonly UnknownGroup[]): Float64Array | undefined {
  if (directions.length === 0 && silent.every((v) => v === 0)) return undefined
  const move = Float64Array.from(silent, (v, i) => (v === 0 ? 0 : i % 2 === 0 ? 1 : -1))
  for (const { vector } of directions) {
    const fastest = vector.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    for (let i = 0; i < move.length; i++) move[i] += vector[i] / fastest
  }
  const fastest = move.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) move[i] *= (0.1 * unit) / fastest
  return move
}
