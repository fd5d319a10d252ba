import { show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { normOf } from '../numbers/norms'
import { mapped, type Values } from '../numbers/values'

/** What a defence leaves of a gradient, for training. */
export interface Utility {
  /** ⟨g, g'⟩ / (‖g‖ ‖g'‖) over all tensors: 1 keeps the direction. 0 where one of them is zero. */
  readonly cosine: number
  /** ‖g' − g‖ / ‖g‖ of each tensor; 0 where both are zero, Infinity where g alone is. */
  readonly relativeErrors: readonly number[]
}

/**
 * Compares a gradient with what is shared of it. One gradient says little: noise that is large in one step averages out over many.
 *
 * @param raw the client's gradients, one entry per trained weight
 * @param shared the same after a defence
 * @throws DlgError `invalid-gradients` for lists of other sizes, and for numbers that are not finite
 */
export function utilityOf(raw: readonly Values[], shared: readonly Values[]): Utility {
  requireGradients('raw', raw)
  requireGradients('shared', shared)
  const wrong = (what: string) => new DlgError('invalid-gradients', `${what}; raw and shared must have the same sizes`)
  if (raw.length !== shared.length) throw wrong(`there are ${raw.length} raw gradients and ${shared.length} shared`)
  const other = raw.findIndex((values, i) => values.length !== shared[i].length)
  if (other >= 0)
    throw wrong(`gradient ${other} has ${countOf(raw[other].length, 'number')} and ${shared[other].length} shared`)
  const [length, sharedLength] = [normOf(raw), normOf(shared)]
  let product = 0
  for (const [i, values] of raw.entries())
    for (let k = 0; k < values.length; k++) product += (values[k] / length) * (shared[i][k] / sharedLength)
  return {
    cosine: length === 0 || sharedLength === 0 ? 0 : Math.max(-1, Math.min(1, product)),
    relativeErrors: raw.map((values, i) => {
      const off = normOf([mapped(values, (v, k) => shared[i][k] - v)])
      return off === 0 ? 0 : off / normOf([values])
    }),
  }
}

function requireGradients(name: string, gradients: readonly Values[]): void {
  const right = 'it must be a list with a Float64Array or Float32Array of finite numbers for each trained weight'
  const wrong = (what: string) => new DlgError('invalid-gradients', `${name} ${what}; ${right}`)
  if (!Array.isArray(gradients) || gradients.length === 0) throw wrong(`is ${show(gradients)}`)
  for (const [i, values] of gradients.entries()) {
    if (!(values instanceof Float64Array || values instanceof Float32Array)) throw wrong(`has ${show(values)} at ${i}`)
    const at = values.findIndex((v) => !Number.isFinite(v))
    if (at >= 0) throw wrong(`has ${values[at]} at position ${at} of gradient ${i}`)
  }
}
