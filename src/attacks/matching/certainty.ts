import { sizeOf } from '../../graph'
import { type Certainty, certaintyOf, type Resampling } from '../../measure/certainty/certainty'
import type { UnknownGroup } from '../../measure/certainty/curvature'
import type { Random } from '../../numbers/random'
import { squaredNorm } from '../../numbers/values'
import { type Evaluator, evaluate, type Program, type Values } from '../../runtime/runtime'
import type { Attack } from './attack'
import { inTensors, type LeakageCertainty } from './certainty-tensors'
import { sharedParameter } from './objective/objective'
import type { Settings } from './options'
import type { Part } from './point'
import { objectiveIn } from './search/evaluation'
import { newProgress, type Progress } from './search/progress'
import { isCut } from './search/restarts'
import { type SearchSettings, search, type Trial } from './search/search'

/** Relative loss that float32 leaves: ten roundings of 2⁻²³, squared. */
const FLOAT32 = 1e-12
/** Iterations of a repeated search. */
const CONTINUED = 100

/**
 * @param found where the search ended
 * @param progress the clock and the evaluations that the budget counts
 * @returns undefined where the caller aborted before every unknown was looked at, or where the model has no finite value nearby
 */
export async function attackCertainty(
  attack: Attack,
  found: Pick<Trial, 'point' | 'relativeLoss'>,
  settings: Settings,
  progress: Progress = newProgress(1),
): Promise<LeakageCertainty | undefined> {
  const { objective: traced } = attack
  const { point: layout, parameters, lasting, unit, objectivePerLoss, rounding } = traced
  const programs = traced.unconstrained()
  const { runtime, signal, budget } = settings
  const millisecondsLeft = () => budget.milliseconds - progress.milliseconds()
  const cut = () => signal?.aborted === true || millisecondsLeft() <= 0
  const evaluationsLeft = budget.evaluations - progress.evaluations
  if (cut() || evaluationsLeft <= 0) return undefined
  const readings = attack.targetsOf(found.point).filter(({ name }) => layout.targets.some((t) => t.name === name))
  const inputs = layout.inputs
  const point = flat([...attack.inputsOf(found.point), ...readings].map(({ values }) => values))
  const groups = groupsOf(inputs, readings, settings)
  const partsOf = (at: Float64Array) => groups.map(({ start, size }) => at.subarray(start, start + size))
  const gradient = await evaluate(runtime, programs.gradients, parameters, partsOf(point))
  const executable = await runtime.compile(programs.objective)
  const sizes = groups.map(({ size }) => size)
  const objectiveOf = (evaluator: Evaluator) =>
    objectiveIn(evaluator, { sizes, unit, priorWeight: undefined, rounding, samples: undefined }, undefined)
  let spent = 0
  /** Runs the objective with other gradients in place of the shared ones. */
  const matching = async <T>(shared: readonly Values[], run: (evaluator: Evaluator) => Promise<T>): Promise<T> => {
    const values = new Map([...parameters, ...shared.map((v, i) => [sharedParameter(i), v] as const)])
    const evaluator = await executable.bind(values, lasting)
    try {
      return await run(evaluator)
    } finally {
      evaluator.dispose()
    }
  }
  const resample = ({ noise, until, random }: Resampling) =>
    matching(noisy(gradient, noise, random), async (evaluator) => {
      const own = newProgress(1)
      const cancel = () => {
        own.cancelled = true
      }
      signal?.addEventListener('abort', cancel)
      try {
        const limits = { evaluations: evaluationsLeft - spent, milliseconds: millisecondsLeft() }
        const start = near(point, groups, random)
        const end = await search(objectiveOf(evaluator), continued(until, limits), own, 0, start)
        spent += end.evaluations
        return isCut(end) ? undefined : end.point
      } finally {
        signal?.removeEventListener('abort', cancel)
      }
    })
  try {
    const certainty = await matching(gradient, (evaluator) => {
      const objective = objectiveOf(evaluator)
      return certaintyOf({
        ...{ point, groups, cut, seed: settings.seed },
        residual: found.relativeLoss,
        numbers: gradient.reduce((n, { length }) => n + length, 0),
        precision: Math.max(FLOAT32, rounding),
        ...(settings.certainty === 'bars' && { resample }),
        budget: evaluationsLeft,
        async evaluate(at) {
          spent++
          const { gradient: derivative } = await objective.evaluate(at)
          return { gradient: derivative.map((v) => v / objectivePerLoss) }
        },
      })
    })
    if (!certainty) return undefined
    const moved = settings.scale === 'auto' ? freeMove(certainty) : undefined
    const scale = moved ? await changesScale(attack, programs.scale, settings, point, moved, groups) : false
    return inTensors(certainty, groups, inputs, readings, scale)
  } finally {
    executable.dispose()
  }
}

/** A start a fiftieth of a unit from the point, in every unknown. */
function near(point: Float64Array, groups: readonly UnknownGroup[], random: Random): Float64Array {
  const out = point.slice()
  for (const { start, size, unit } of groups)
    for (let i = start; i < start + size; i++) out[i] += 0.02 * unit * random.normal()
  return out
}

/** How a search is repeated: without priors, to the loss of the first one. */
const continued = (tolerance: number, budget: SearchSettings['budget']): SearchSettings => ({
  preset: 'robust',
  optimizer: { name: 'lbfgs', preset: 'robust' },
  iterations: CONTINUED,
  patience: undefined,
  tolerance,
  priorEasing: 1,
  budget,
})

function groupsOf(
  inputs: readonly Part[],
  targets: readonly (Part & { readonly kind: string; readonly values: Float32Array })[],
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

function flat(parts: readonly Float32Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Normal noise of relative squared size `noise` in all, for every tensor in proportion to its own norm. */
function noisy(gradients: readonly Values[], noise: number, random: Random): Float64Array[] {
  return gradients.map((values) => {
    const size = Math.sqrt((noise * squaredNorm([values])) / values.length)
    return Float64Array.from(values, (v) => v + size * random.normal())
  })
}

/** A tenth of a unit along everything that is free at once; undefined where nothing is. */
function freeMove({ silent, directions }: Certainty): Float64Array | undefined {
  if (directions.length === 0 && silent.every((v) => v === 0)) return undefined
  const move = Float64Array.from(silent, (v, i) => (v === 0 ? 0 : i % 2 === 0 ? 1 : -1))
  for (const { vector } of directions) {
    const fastest = vector.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    for (let i = 0; i < move.length; i++) move[i] += vector[i] / fastest
  }
  const fastest = move.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  return move.map((v) => (0.1 * v) / fastest)
}

/** Whether the fitted factor changes by more than one part in a hundred along a free move. */
async function changesScale(
  { objective: traced }: Attack,
  program: Program,
  { runtime }: Settings,
  point: Float64Array,
  move: Float64Array,
  groups: readonly UnknownGroup[],
): Promise<boolean> {
  const at = async (step: number): Promise<number> => {
    const parts = groups.map(({ start, size, unit }) =>
      Float64Array.from({ length: size }, (_, i) => point[start + i] + step * unit * move[start + i]),
    )
    return (await evaluate(runtime, program, traced.parameters, parts))[0][0]
  }
  const [here, ahead, behind] = [await at(0), await at(1), await at(-1)]
  return Math.max(Math.abs(ahead / here - 1), Math.abs(behind / here - 1)) > 0.01
}
