import type { Status } from '../../measure/verdict'
import type { Attack } from './attack'
import type { FactorReading } from './factor'
import type { Settings } from './options'
import { scaleCause } from './scale-cause'
import { isCut } from './search/restarts'

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
