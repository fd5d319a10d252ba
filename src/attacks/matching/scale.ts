import type { Status } from '../../measure/verdict'
import type { Attack } from './attack'
import type { Settings } from './options'
import { scaleCause } from './scale-cause'
import { isCut } from './search/restarts'

/** The common factor of what was shared. */
export interface FittedScale {
  /**
   * What the gradient of the reconstruction has to be multiplied by to come closest to what was shared: 1 when model, loss and
   * options are those of the client, −1 when a sign is turned. Exact after `converged`; otherwise it says in which direction to
   * look. Undefined where the attack was cut short.
   */
  readonly scale: number | undefined
  /** What is known to make such a factor, and the option that takes it into account; undefined where it is near 1 or nothing fits. */
  readonly scaleHint: string | undefined
}

/** The factor after a search; a gradient that was matched without fitting one is known to have none but that given. */
export async function fitScale(
  attack: Attack,
  best: Float64Array,
  status: Status,
  settings: Settings,
): Promise<FittedScale> {
  const [given, fitted] = settings.scale === 'auto' ? [1, true] : [settings.scale, false]
  if (!fitted && status === 'converged') return { scale: given, scaleHint: undefined }
  const factor = fitted || !isCut({ status }) ? await attack.scaleAt(best) : Number.NaN
  if (!Number.isFinite(factor)) return { scale: undefined, scaleHint: undefined }
  return { scale: given * factor, scaleHint: scaleCause(factor, settings) }
}
