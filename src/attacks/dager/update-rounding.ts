import { weightParameter } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import type { Values } from '../../numbers/values'
import type { Transformer } from './transformer'

/** What rounding of weights took of the gradient that an update gives. */
export interface UpdateRounding {
  /** ‖rounding‖² / ‖gradient‖²; 0 where no update was shared. */
  readonly part: number
  /** By tensor, as the transformer names it, and by number: the squared rounding that is expected. */
  readonly byName: ReadonlyMap<string, (i: number) => number>
}

/** Nothing was rounded. */
export const NO_ROUNDING: UpdateRounding = { part: 0, byName: new Map() }

/** A weight is rounded to the numbers beside it, which lie as far apart as it is large. */
export function roundingOf(
  { trained, weights, lost, rounding, settings }: Target,
  { named = (name) => name }: Transformer,
): UpdateRounding {
  if (!settings.update) return NO_ROUNDING
  const byName = trained.map((weight, k): [string, (i: number) => number] => {
    const values = weights.get(weightParameter(weight))!
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += spacing(values, i) ** 2
    const unit = sum > 0 ? lost[k] / sum : 0
    const even = sum > 0 ? 0 : lost[k] / values.length
    return [named(weight.name), (i) => unit * spacing(values, i) ** 2 + even]
  })
  return { part: rounding, byName: new Map(byName) }
}

/** The distance of a float32 number to the next, in units of its significand's last bit. */
const spacing = (values: Values, i: number): number =>
  values[i] === 0 ? 0 : 2 ** Math.floor(Math.log2(Math.abs(values[i])))
