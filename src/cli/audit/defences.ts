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
  ...{ gaussianNoise, laplaceNoise, clipping, pruning, topK, withheld },
  dpSgd(given) {
    if (isRecord(given) && Object.hasOwn(given, 'examples'))
      throw wrong('dpSgd has examples, which JSON cannot hold; leave them out, or write the audit file as a module')
    return dpSgd(given)
  },
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
    return composed(...given.map((one) => defenceOf(one, 'a part of composed', 'an object')))
  },
}

const wrong = (what: string): DlgError => new DlgError('invalid-option', what)

/**
 * The defences of an audit file.
 *
 * @throws DlgError `invalid-option`, with the place of the defence
 */
export const defencesOf = (given: readonly unknown[]): ('none' | Defence)[] =>
  given.map((one, i) => {
    try {
      return one === 'none' ? one : defenceOf(one)
    } catch (cause) {
      if (!(cause instanceof DlgError)) throw cause
      throw new DlgError(cause.code, `defences[${i}]: ${cause.message}`, { cause })
    }
  })

/**
 * A defence out of JSON, such as `{ "gaussianNoise": { "std": 0.01 } }`.
 *
 * @param what it is, and what it must be, in the words of an error
 * @throws DlgError `invalid-option`
 */
function defenceOf(given: unknown, what = 'a defence', right = '"none", or an object'): Defence {
  const names = Object.keys(MAKERS)
  if (isRecord(given) && Object.keys(given).length === 1) {
    const [[name, value]] = Object.entries(given)
    if (Object.hasOwn(MAKERS, name)) return MAKERS[name](value)
    const meant = nearest(name, names)
    throw wrong(`there is no defence '${name}'; ${meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}`}`)
  }
  throw wrong(
    `${what} is ${show(given)}; it must be ${right} such as {"gaussianNoise": {"std": 0.01}} with one of ${names.join(', ')}`,
  )
}
