import { requireTarget } from '../attacks/contract/attack'
import type { Target } from '../client/target'
import { hasMethod, invalid, knownNames, number, show } from '../errors/checks'
import { type Random, random } from '../numbers/random'
import type { Values } from '../numbers/values'

/** A change that a client makes to its gradient before it shares it, and the attacker that knows of this change. */
export interface Defence {
  /** Stable, in lower case with hyphens. */
  readonly name: string
  /** What is done, with its parameters, in plain words. */
  readonly description: string
  /**
   * The gradients as they are shared.
   *
   * @param gradients in the order of the trained weights; they are left as they are
   * @param random every random number of the defence comes from here
   */
  apply(gradients: readonly Values[], random: Random): readonly Values[]
  /**
   * The target as an attacker sees it who knows of the defence and its parameters, and not of its random numbers: another floor,
   * a factor that must be fitted, or tensors that say nothing.
   */
  adapt(target: Target): Target
}

/**
 * The target that a client under a defence leaves behind.
 *
 * @param target what the client would share without a defence
 * @param options `seed` of the defence's random numbers
 * @throws DlgError `invalid-option`, `invalid-data` for what is no target
 * @returns what is shared, for an attacker who knows of the defence; `adaptive: false` for one who does not
 */
export function defended(
  target: Target,
  defence: Defence,
  options: { readonly seed: number; readonly adaptive?: boolean },
): Target {
  requireTarget(target)
  if (!hasMethod(defence, 'apply', 'adapt'))
    throw invalid(`the defence is ${show(defence)}; it must be an object with apply() and adapt()`)
  knownNames('options', options, ['seed', 'adaptive'])
  const { seed, adaptive = true } = options
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  if (typeof adaptive !== 'boolean') throw invalid(`adaptive is ${show(adaptive)}; it must be true or false`)
  const gradients = defence.apply(target.gradients, random(seed, 0x6465_66))
  // the part of the regularizers is the same under every defence that adds to the gradient or rounds it
  const penalty = (i: number, k: number): number => target.gradients[i][k] - target.dataGradients[i][k]
  const dataGradients =
    target.dataGradients === target.gradients
      ? gradients
      : gradients.map((values, i) => Float64Array.from(values, (v, k) => v - penalty(i, k)))
  const shared: Target = { ...target, gradients, dataGradients }
  return adaptive ? defence.adapt(shared) : shared
}
