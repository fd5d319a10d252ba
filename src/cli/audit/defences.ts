import {
  clipping,
  composed,
  type Defence,
  dpSgd,
  gaussianNoise,
  laplaceNoise,
  pruning,
  quantised,
  signs,
  topK,
  withheld,
} from '../../defences'
import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { isRecord } from '../../io/bytes/untrusted'
import { nearest } from '../arguments'

// biome-ignore lint/suspicious/noExplicitAny: each checks what it is given
type Make = (given: any) => Defence

/** The functions of `dlg-ts/defences` by their names, each of what stands beside its name in the file. */
const MAKERS: Readonly<Record<string, Make>> = {
  ...{ gaussianNoise, laplaceNoise, clipping, dpSgd, pruning, topK, withheld },
  quantised(given) {
    if (!isRecord(given)) return quantised(given)
    const { type, ...options } = given as { type: 'float16' }
    return quantised(type, options)
  },
  signs(given) {
    if (given === true || (isRecord(given) && Object.keys(given).length === 0)) return signs()
    throw wrong(`signs is ${show(given)}; it must be true`)
  },
  composed(given) {
    if (!Array.isArray(given)) throw wrong(`composed is ${show(given)}; it must be a list of defences`)
    return composed(...given.map((one) => defenceOf(one)))
  },
}

const wrong = (what: string): DlgError => new DlgError('invalid-option', what)

/**
 * A defence out of JSON, such as `{ "gaussianNoise": { "std": 0.01 } }`.
 *
 * @throws DlgError `invalid-option`
 */
export function defenceOf(given: unknown): Defence {
  const names = Object.keys(MAKERS)
  if (isRecord(given) && Object.keys(given).length === 1) {
    const [[name, value]] = Object.entries(given)
    if (Object.hasOwn(MAKERS, name)) return MAKERS[name](value)
    const meant = nearest(name, names)
    throw wrong(`there is no defence '${name}'; ${meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}`}`)
  }
  throw wrong(
    `a defence is ${show(given)}; it must be "none", or an object such as {"gaussianNoise": {"std": 0.01}} with one of ${names.join(', ')}`,
  )
}
