import { sizeOf } from '../../graph'
import { gradientCertainty, groupsInOrder } from '../../measure/certainty/gradient-certainty'
import { flat } from '../../numbers/values'
import type { Attack } from './attack'
import { inTensors, type LeakageCertainty } from './certainty-tensors'
import type { Settings } from './options'
import type { Part, TargetReading } from './point'
import { newProgress, type Progress } from './search/progress'
import { type SearchEnd, searchesAgain } from './search-again'

/**
 * A point with everything that certainty is asked about: the searched inputs, then the searched targets themselves, in place of
 * the numbers that a soft-max or a sigmoid turns into targets. The logit of a sure label moves nothing; its probability does.
 */
export interface Unconstrained extends SearchEnd {
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
 * @returns undefined where the work ended before anybody could say whether something is free, or where the model has no finite value nearby
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
  const again = searchesAgain(attack, { programs, point, groups }, settings, {
    ...{ cut, told, evaluations: budget, milliseconds: millisecondsLeft },
  })
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
      ...(settings.certainty === 'bars' && { resample: again.search }),
    })
    return answer && inTensors(answer, groups, inputs, targets)
  } finally {
    again.dispose()
  }
}
