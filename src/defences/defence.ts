import { requireTarget } from '../attacks/contract/checks'
import type { MatchingOptions } from '../attacks/matching'
import type { Target } from '../client/target'
import { hasMethod, invalid, knownNames, number, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { type Random, random } from '../numbers/random'
import { mapped, type Values } from '../numbers/values'

/** A change that a client makes to its gradient before it shares it, and the attacker that knows of this change. */
export interface Defence {
  /** Stable, in lower case with hyphens. */
  readonly name: string
  /** What is done, with its parameters, in plain words. */
  readonly description: string
  /**
   * What tells a defence of your own from another of the same name, description and functions, such as a version: nobody sees what a
   * function keeps to itself. An audit goes on with the results of the same defence alone.
   */
  readonly settings?: unknown
  /**
   * The gradients as they are shared.
   *
   * @param gradients in the order of the trained weights; they are left as they are
   * @param random every random number of the defence comes from here
   * @param weights names of the weights, in the same order
   * @returns one for each, new ones; zeros where a gradient is not shared
   */
  apply(gradients: readonly Values[], random: Random, weights: readonly string[]): readonly Values[]
  /**
   * The target as an attacker sees it who knows of the defence and its parameters, and not of its random numbers: another floor,
   * a factor that must be fitted, or tensors that say nothing.
   *
   * @param target where defences are composed, its `lost` has the floors of those before, in the units of their own gradients
   */
  adapt(target: Target): Target
  /**
   * Options of gradient matching that this attacker takes: a distance, priors, a tolerance.
   *
   * @param target what is shared, adapted
   */
  matching?(target: Target): DefenceMatching
  /** Why the defence cannot be applied to what a client would share, in one sentence; undefined where it can. */
  refuses?(target: Target): string | undefined
}

/** The options of gradient matching that an attacker changes who knows of a defence. */
export type DefenceMatching = Pick<
  MatchingOptions,
  'distance' | 'priors' | 'priorEasing' | 'tolerance' | 'certainty' | 'preset'
>

/**
 * The target that a client under a defence leaves behind.
 *
 * @param target what the client would share without a defence
 * @param options `seed` of the defence's random numbers
 * @throws DlgError `invalid-option`, also where the defence cannot be applied here; `invalid-data` for what is no target;
 * `invalid-gradients` where the defence leaves nothing but zeros, or does not return finite numbers of the gradients' sizes
 * @returns what is shared, for an attacker who knows of the defence; `adaptive: false` for one who does not
 */
export function defended(
  target: Target,
  defence: Defence,
  options: { readonly seed: number; readonly adaptive?: boolean },
): Target {
  const shared = defendedUnlessZeros(target, defence, options)
  if (shared === undefined) throw new DlgError('invalid-gradients', zerosAlone(defence))
  return shared
}

/** Why nothing can be attacked where a defence leaves nothing. */
export const zerosAlone = ({ name }: Defence): string =>
  `the defence '${name}' leaves zeros alone: there is nothing to attack`

/** As {@link defended}; undefined where the defence leaves nothing but zeros. */
export function defendedUnlessZeros(
  target: Target,
  defence: Defence,
  options: { readonly seed: number; readonly adaptive?: boolean },
): Target | undefined {
  requireTarget(target)
  requireDefence('the defence', defence)
  knownNames('options', options, ['seed', 'adaptive'])
  const { seed, adaptive = true } = options
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  if (typeof adaptive !== 'boolean') throw invalid(`adaptive is ${show(adaptive)}; it must be true or false`)
  const refusal = defence.refuses?.(target)
  if (refusal !== undefined) throw invalid(`the defence '${defence.name}' cannot be applied here: ${refusal}`)
  const names = target.trained.map(({ name }) => name)
  const gradients = defence.apply(target.gradients, random(seed, 0x6465_66), names)
  requireGradients(defence, target, gradients)
  if (gradients.every((values) => values.every((v: number) => v === 0))) return undefined
  // the part of the regularizers is the same under every defence that adds to the gradient or rounds it
  const penalty = (i: number, k: number): number => target.gradients[i][k] - target.dataGradients[i][k]
  const dataGradients =
    target.dataGradients === target.gradients
      ? gradients
      : gradients.map((values, i) => mapped(values, (v, k) => v - penalty(i, k)))
  const shared: Target = { ...target, gradients, dataGradients }
  return adaptive ? defence.adapt(shared) : shared
}

/** What tells defences of this library apart, and those that are composed. */
const identities = new WeakMap<Defence, unknown>()

/** What a defence of this library does to the floors of those before it, and those after it to its own. */
interface Nature {
  /** How its floor is known: in numbers of its own, or beside the size of what is shared. Left out where it has none. */
  readonly floor?: 'absolute' | 'relative'
  /** What nobody knows after it: by which factor it multiplied what was there (`units`), or how large any number was (`sizes`). */
  readonly hides?: 'units' | 'sizes'
}

const natures = new WeakMap<Defence, Nature>()

/** A defence whose description has all that tells it from others. */
export const described =
  (nature: Nature = {}) =>
  <D extends Defence>(defence: D): D => {
    identities.set(defence, [defence.name, defence.description])
    natures.set(defence, nature)
    return defence
  }

/** Whether the floor of a defence is not known any more once a later one was applied. */
function isHidden(defence: Defence, later: Defence): boolean {
  const { floor } = natures.get(defence) ?? {}
  const { hides } = natures.get(later) ?? {}
  return hides === 'sizes' ? floor !== undefined : hides === 'units' && floor === 'absolute'
}

/** The defences that a composed one applies, one after the other. */
const partsOf = new WeakMap<Defence, readonly Defence[]>()

/** All that can be seen of what makes a defence another one: of one of the caller's own, its fields and the text of its functions. */
export const identityOf = (defence: Defence): unknown => identities.get(defence) ?? defence

/** @throws DlgError `invalid-option` */
export function requireDefence(what: string, defence: Defence): void {
  if (!hasMethod(defence, 'apply', 'adapt'))
    throw invalid(
      `${what} is ${show(defence)}; it must be an object with apply() and adapt(), as gaussianNoise({ std: 0.01 }) makes`,
    )
  for (const word of ['name', 'description'] as const)
    if (typeof defence[word] !== 'string')
      throw invalid(`${what} has a ${word} of ${show(defence[word])}; it must be a text`)
  for (const name of ['matching', 'refuses'] as const)
    if (defence[name] !== undefined && typeof defence[name] !== 'function')
      throw invalid(`${what} has ${name} ${show(defence[name])}; it must be a function or be left out`)
}

function requireGradients({ name }: Defence, target: Target, gradients: readonly Values[]): void {
  const wrong = (what: string): DlgError =>
    new DlgError(
      'invalid-gradients',
      `the defence '${name}' returned ${what}; it must return a Float64Array or Float32Array of its own for each gradient`,
    )
  if (!Array.isArray(gradients) || gradients.length !== target.gradients.length)
    throw wrong(
      Array.isArray(gradients)
        ? `${gradients.length} for ${countOf(target.gradients.length, 'gradient')}`
        : show(gradients),
    )
  for (const [i, values] of gradients.entries()) {
    if (!(values instanceof Float64Array || values instanceof Float32Array)) throw wrong(`${show(values)} at ${i}`)
    if (values.length !== target.gradients[i].length)
      throw wrong(`${countOf(values.length, 'number')} for the ${target.gradients[i].length} of gradient ${i}`)
    const at = values.findIndex((v) => !Number.isFinite(Math.fround(v)))
    if (at >= 0)
      throw new DlgError(
        'invalid-gradients',
        `the defence '${name}' returned ${values[at]} at position ${at} of the gradient of '${target.trained[i].name}'; it must return numbers that are finite in float32`,
      )
  }
}

/**
 * Several defences, one after the other, such as clipping and then noise.
 *
 * The attacker adapts to each in order, and takes the last one's word on every option of gradient matching. Noise of a stated `std` is not
 * adapted to where clipping follows, which makes it smaller by a factor that nobody knows; and none is where signs follow. An attacker who
 * models all of them at once can be stronger.
 *
 * @throws DlgError `invalid-option` for what is no defence
 */
export function composed(...defences: readonly Defence[]): Defence {
  for (const [i, one] of defences.entries()) requireDefence(`defence ${i}`, one)
  if (defences.length === 0) throw invalid('no defence was given; give one at least')
  const parts = defences.flatMap((defence) => partsOf.get(defence) ?? [defence])
  const known = parts.filter((part, i) => !parts.slice(i + 1).some((later) => isHidden(part, later)))
  const whole: Defence = {
    name: defences.map(({ name }) => name).join('+'),
    description: defences.map(({ description }) => description).join(', then '),
    apply: (gradients, random, weights) =>
      defences.reduce((shared, defence) => defence.apply(shared, random, weights), gradients),
    adapt: (target) => known.reduce((adapted, defence) => defence.adapt(adapted), target),
    matching: (target) => Object.assign({}, ...known.map((defence) => defence.matching?.(target))),
    refuses: (target) => defences.map((defence) => defence.refuses?.(target)).find((reason) => reason !== undefined),
  }
  identities.set(whole, defences.map(identityOf))
  partsOf.set(whole, parts)
  return whole
}
