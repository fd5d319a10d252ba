import { approximates } from '../../client/shared/update-options'
import { countOf } from '../../errors/counted'
import type { Settings } from './options'

type ScaleSettings = Pick<Settings, 'batchSize' | 'reduction' | 'update' | 'scale'>

/** A factor, and how it comes about. */
interface Cause {
  readonly factor: number
  readonly words: string
}

/** How near a factor is to that of a cause, in parts of it. */
const NEAR = 0.02

/** Whether a factor is another one, to two parts in a hundred. */
export const near = (factor: number, other: number): boolean => Math.abs(factor / other - 1) < NEAR

/**
 * What makes what was shared this many times the gradient, and the option that takes it into account.
 *
 * A factor that was not fitted in the search comes from a point that matches nothing: it tells that there is one, and not which.
 */
export function scaleCause(factor: number, training: ScaleSettings): string | undefined {
  if (near(factor, 1) || approximates(training.update)) return undefined
  const turned = factor < 0 ? turnedSign(factor, training) : undefined
  if (training.scale !== 'auto')
    return `${turned ? `perhaps ${turned}; ` : ''}scale: 'auto' fits a factor that is not known`
  const size = causes(training).find((cause) => near(Math.abs(factor), cause.factor))?.words
  return [turned, size].filter((words) => words !== undefined).join('; ') || undefined
}

function causes({ batchSize, reduction, update }: ScaleSettings): Cause[] {
  const local = update?.steps[0].size ?? batchSize
  const steps = update?.steps.length ?? 1
  const sum = { factor: local, words: "the client's loss is a sum over its samples: reduction: 'sum'" }
  const mean = { factor: 1 / local, words: "the client's loss is a mean over its samples: reduction: 'mean'" }
  return [
    ...(local > 1 ? [reduction === 'mean' ? sum : mean] : []),
    ...(steps > 1
      ? [{ factor: 1 / steps, words: `what was shared is a mean over ${countOf(steps, 'local step')}` }]
      : []),
    { factor: 2, words: "the client's loss is twice this one" },
    { factor: 0.5, words: "the client's loss is half of this one" },
  ]
}

/** Down the loss instead of up. */
function turnedSign(factor: number, { update, scale }: ScaleSettings): string {
  if (update) return 'the sign is turned: delta points the other way (update.sign), or before and after are mixed up'
  if (scale !== 'auto' || near(factor, -1)) return 'the sign is turned, as in an update: scale: -1, or { delta }'
  const rate = Number((-factor).toPrecision(3))
  return `the sign is turned, as in an update: { delta } with update: { learningRate: ${rate} }`
}
