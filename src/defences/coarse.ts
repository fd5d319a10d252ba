import { storageNorm } from '../client/shared/rounding'
import type { Target } from '../client/target'
import { choice, knownNames } from '../errors/checks'
import { largest } from '../numbers/norms'
import { SIGNIFICAND_BITS } from '../numbers/stored-dtype'
import { mapped, type Values } from '../numbers/values'
import { hingeOfSigns, withFloor } from './attacker'
import { type Defence, described } from './defence'

/** A type that a gradient can be rounded to. */
export type QuantisedType = 'float16' | 'bfloat16' | 'int8'

/** Options of {@link quantised}. */
export interface QuantisedOptions {
  /** To the nearest value, ties to even (default), or up or down at random so that the mean is right. */
  readonly rounding?: 'nearest' | 'stochastic'
}

/** Least exponent of a normal number, and the largest number. */
const FLOATS = {
  float16: { exponent: -14, most: 65_504 },
  bfloat16: { exponent: -126, most: 2 ** 128 - 2 ** 120 },
} as const

/**
 * Numbers as a shorter type holds them. Floats that are too large become the largest; `int8` has a scale of max|g| / 127 for each
 * tensor.
 *
 * @throws DlgError `invalid-option`
 */
export function quantised(type: QuantisedType, options: QuantisedOptions = {}): Defence {
  choice('type', type, ['float16', 'bfloat16', 'int8'])
  knownNames('options', options, ['rounding'])
  const { rounding = 'nearest' } = options
  choice('rounding', rounding, ['nearest', 'stochastic'])
  return described({ floor: 'relative' })({
    name: `quantised-${type}`,
    description: `rounds to ${type}${rounding === 'stochastic' ? ', up or down at random' : ''}`,
    apply: (gradients, { uniform }) =>
      gradients.map((values) => {
        const [step, most] = steps(values, type)
        return mapped(values, (v) => {
          const size = step(v)
          if (size === 0) return v
          const units = v / size
          const whole = rounding === 'nearest' ? nearest(units) : Math.floor(units + uniform())
          return Math.max(-most, Math.min(most, whole * size))
        })
      }),
    adapt(target) {
      const stored = (values: Values) =>
        type === 'int8'
          ? { dtype: type, quantization: { scale: largest(values) / 127, min: 0 } }
          : ({ dtype: type } as const)
      // the error of rounding at random is f(1 − f) of a step squared, a sixth on average; to the nearest it is a twelfth
      const times = rounding === 'stochastic' ? 2 : 1
      const adapted: Target = { ...target, settings: { ...target.settings, precision: type } }
      return withFloor(
        adapted,
        target.gradients.map((values) => times * storageNorm(values, stored(values))),
      )
    },
  })
}

/** The distance between two neighbours at a number, and the largest number. */
function steps(values: Values, type: QuantisedType): [step: (v: number) => number, most: number] {
  if (type === 'int8') {
    const scale = largest(values) / 127
    return [() => scale, 127 * scale]
  }
  const { exponent, most } = FLOATS[type]
  const unit = 1 - SIGNIFICAND_BITS[type]
  return [(v) => 2 ** (Math.max(exponent, Math.floor(Math.log2(Math.abs(v)))) + unit), most]
}

/** The nearest whole number, ties to even. */
function nearest(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1
}

/** Shares the sign of every number, −1, 0 or 1 (Bernstein et al. 2018, signSGD). */
export function signs(): Defence {
  return described({ hides: 'sizes' })({
    name: 'signs',
    description: 'shares the sign of every number alone',
    apply: (gradients) => gradients.map((values) => mapped(values, Math.sign)),
    adapt: (target) => ({ ...target, dataGradients: target.gradients }),
    matching: () => ({ distance: hingeOfSigns, certainty: false }),
  })
}
