import type { Target } from '../client/target'
import { type Random, random } from '../numbers/random'
import type { Values } from '../numbers/values'

/** What a client does to its gradient before sharing it, and the attacker that knows of it. */
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
 * @param seed of the defence's random numbers
 * @returns what is shared, for an attacker who knows of the defence; `adaptive: false` for one who does not
 */
export function defended(
  target: Target,
  defence: Defence,
  { seed, adaptive = true }: { readonly seed: number; readonly adaptive?: boolean },
): Target {
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
