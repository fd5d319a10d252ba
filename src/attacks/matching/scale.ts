import type { Status } from '../../measure/verdict'
import type { Attack } from './attack'
import type { FactorReading } from './factor'
import type { Settings } from './options'
import { near, scaleCause } from './scale-cause'
import { objectiveIn } from './search/evaluation'
import { newProgress, type Progress } from './search/progress'
import { isCut } from './search/restarts'
import { type RestartOutcome, search } from './search/search'
import { continued } from './search-again'

/** The common factor of what was shared. */
export interface FittedScale {
  /**
   * What the gradient of the reconstruction has to be multiplied by to come closest to what was shared: 1 when model, loss and
   * options are those of the client, −1 when a sign is turned. Without a match it says in which direction to look. With labels that
   * were searched and `scale: 'auto'`, it is the factor that goes with the labels that are reported; another factor goes with
   * others. Undefined where the attack was cut short, and where nobody stated a factor and the labels that were found could as well
   * be others with one.
   */
  readonly scale: number | undefined
  /** What is known to make such a factor, and the option that takes it into account; undefined where it is near 1 or nothing fits. */
  readonly scaleHint: string | undefined
}

/** The factor of a match. */
export function scaleOfMatch({ factor, open, others }: FactorReading, settings: Settings): FittedScale {
  const stated = settings.scale === 'auto' ? 1 : settings.scale
  if (others.length > 0) return { scale: undefined, scaleHint: otherwise(others) }
  if (!open) return { scale: stated, scaleHint: undefined }
  return { scale: stated * factor, scaleHint: scaleCause(factor, settings) }
}

function otherwise(others: FactorReading['others']): string {
  const each = others.map(
    ({ labels, factor }) =>
      `${labels.length === 1 ? `label ${labels[0]}` : `labels ${labels.join(', ')}`} with a factor of ${Number(factor.toPrecision(3))} (scale)`,
  )
  return `the labels found are not of one class each, and nobody stated a factor: ${each.join(' or ')} explains what was shared as well`
}

/** Evaluations of the search that tells whether a factor is what stood in the way. */
const TRIED = 300
/** Relative loss at which it is. */
const EXPLAINED = 1e-6

/**
 * Looks for a factor that nobody stated where a search with known labels came to rest without a match. At the end of such a search the
 * best factor is near 1, whatever the client's was: the search made up for it with the data. So it begins anew, and compares
 * gradients at any factor.
 *
 * @returns undefined where that matches nothing either
 */
export async function unstatedFactor(
  attack: Attack,
  { status, evaluations }: Pick<RestartOutcome, 'status' | 'evaluations'>,
  settings: Settings,
  progress: Progress,
): Promise<FittedScale | undefined> {
  const { objective } = attack
  const searched = objective.point.targets.length > 0
  // a search that was hardly begun tells nothing
  const rested = status === 'stalled' || (status === 'max-iterations' && evaluations >= TRIED)
  if (settings.scale === 'auto' || settings.scaleStated || settings.distance.factorFree || searched || !rested)
    return undefined
  const left = settings.budget.evaluations - progress.evaluations
  const milliseconds = settings.budget.milliseconds - progress.milliseconds()
  if (settings.signal?.aborted || left < TRIED || milliseconds <= 0) return undefined
  const executable = await settings.runtime.compile(objective.factorFree())
  try {
    const evaluator = await executable.bind(objective.parameters, objective.lasting)
    const own = newProgress(1)
    const cancel = () => {
      own.cancelled = true
    }
    settings.signal?.addEventListener('abort', cancel)
    try {
      const layout = { ...objective, sizes: objective.point.sizes, priorWeight: undefined, samples: undefined }
      const limits = { evaluations: TRIED, milliseconds }
      const end = await search(
        objectiveIn(evaluator, layout, undefined),
        { ...continued(limits), tolerance: EXPLAINED },
        ...([own, 0, await attack.start(0)] as const),
      )
      if (end.relativeLoss > EXPLAINED) return undefined
      const factor = await attack.scaleAt(end.point)
      if (near(factor, 1) || !Number.isFinite(factor)) return undefined
      const words = `scale: ${Number((settings.scale * factor).toPrecision(3))}`
      return {
        scale: settings.scale * factor,
        scaleHint: [
          `other data match at another factor: ${words}, or scale: 'auto'`,
          scaleCause(factor, { ...settings, scale: 'auto' }),
        ]
          .filter((hint) => hint !== undefined)
          .join('; '),
      }
    } finally {
      settings.signal?.removeEventListener('abort', cancel)
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** The factor where nothing was matched; one is not looked for where the attack was cut short, unless it was asked for. */
export async function fitScale(
  attack: Attack,
  best: Float64Array,
  status: Status,
  settings: Settings,
): Promise<FittedScale> {
  const [given, fitted] = settings.scale === 'auto' ? [1, true] : [settings.scale, false]
  const factor = fitted || !isCut({ status }) ? await attack.scaleAt(best) : Number.NaN
  if (!Number.isFinite(factor)) return { scale: undefined, scaleHint: undefined }
  return { scale: given * factor, scaleHint: scaleCause(factor, settings) }
}
