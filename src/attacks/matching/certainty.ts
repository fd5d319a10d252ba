import { sizeOf } from '../../graph'
import type { UnknownGroup } from '../../measure/certainty/curvature'
import { gradientCertainty, groupsInOrder } from '../../measure/certainty/gradient-certainty'
import { FLOAT32 } from '../../measure/certainty/shared-residual'
import type { Random } from '../../numbers/random'
import { flat, mapped, squaredNorm } from '../../numbers/values'
import type { Executable, Values } from '../../runtime/runtime'
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
  const [low, high] = settings.dataRange
  const targets = attack.targetsOf(at).filter(({ name }) => layout.targets.some((t) => t.name === name))
  const point = flat([...attack.inputsOf(at), ...targets].map(({ values }) => values))
  const groups = groupsInOrder([
    ...layout.inputs.map(({ name, shape }) => ({ name, size: sizeOf(shape), unit: high - low })),
    ...targets.map(({ name, shape, kind, values }) => ({
      name,
      size: sizeOf(shape),
      // the targets of a regression have no range; their size is what there is
      unit: kind === 'numbers' ? values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1 : 1,
      ...(kind === 'classes' && { classes: shape[shape.length - 1] }),
    })),
  ])
  return { programs: unconstrained(), point, groups, inputs: layout.inputs, targets }
}

/**
 * How far what was shared determines a match.
 *
 * @param found where the search ended
 * @param fitsFactor whether what was shared has a factor that is not known: then it is one more unknown
 * @param progress the clock and the evaluations that the budget counts
 * @param told is called again and again; what it throws ends the work
 * @returns undefined where the caller aborted before every unknown was looked at, or where the model has no finite value nearby
 */
export async function attackCertainty(
  attack: Attack,
  found: Float64Array,
  fitsFactor: boolean,
  settings: Settings,
  progress: Progress = newProgress(1),
  told: () => void = () => {},
): Promise<LeakageCertainty | undefined> {
  const { parameters, lasting, shared, lost } = attack.objective
  const { runtime, signal, seed } = settings
  const millisecondsLeft = () => settings.budget.milliseconds - progress.milliseconds()
  const cut = () => {
    told()
    return signal?.aborted === true || millisecondsLeft() <= 0
  }
  const budget = settings.budget.evaluations - progress.evaluations
  if (cut() || budget <= 0) return undefined
  const { programs, point, groups, inputs, targets } = unconstrainedAt(attack, found, settings)
  let executable: Executable | undefined
  let left = budget
  const resample = async (random: Random) => {
    if (cut()) return undefined
    executable ??= await runtime.compile(programs.objective)
    const noise = shared.map((values, i) => [sharedParameter(i), noisy(values, lost[i], random)] as const)
    const evaluator = await executable.bind(new Map([...parameters, ...noise]), lasting)
    const layout = {
      ...attack.objective,
      sizes: groups.map(({ size }) => size),
      priorWeight: undefined,
      samples: undefined,
    }
    const own = newProgress(1)
    const cancel = () => {
      own.cancelled = true
    }
    signal?.addEventListener('abort', cancel)
    try {
      const limits = { evaluations: left, milliseconds: millisecondsLeft() }
      const end = await search(objectiveIn(evaluator, layout, undefined), continued(limits), own, 0, point, told)
      left -= end.evaluations
      return isCut(end) ? undefined : end.point
    } finally {
      signal?.removeEventListener('abort', cancel)
      evaluator.dispose()
    }
  }
  try {
    const { inputs: unknowns, outputs: gradients } = programs.gradients
    const answer = await gradientCertainty({
      ...{
        runtime,
        gradients,
        unknowns,
        parameters,
        lasting,
        shared,
        lost,
        fitsFactor,
        point,
        groups,
        cut,
        budget,
        seed,
        mixtures: inputs.length,
      },
      ...(settings.certainty === 'bars' && { resample }),
    })
    return answer && inTensors(answer, groups, inputs, targets)
  } finally {
    executable?.dispose()
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

/** With normal noise of the expected squared norm of what was lost; float32 loses something everywhere. */
function noisy(values: Values, lost: number, random: Random): Float64Array {
  const size = Math.sqrt(Math.max(lost, FLOAT32 * squaredNorm([values])) / values.length)
  return mapped(values, (v) => v + size * random.normal())
}
