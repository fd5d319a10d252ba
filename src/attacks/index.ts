/**
 * Every attack under one contract: what it assumes, how it runs on a target, and what it found with which evidence.
 *
 * @module dlg-ts/attacks
 */

import type { Model } from '../client/model/model'
import type { SharedGradients } from '../client/shared/read-gradients'
import type { SharedUpdate } from '../client/shared/shared-update'
import { openTarget, type Target } from '../client/target'
import { type TargetOptions, targetOptions } from '../client/target-options'
import { choice } from '../errors/checks'
import { type Attack, type Control, type Outcome, runAttack } from './contract/attack'
import { dager } from './dager/attack'
import { denseInversion, isolatedSamples } from './dense/attacks'
import { labelInference } from './labels/attack'
import { gradientMatching } from './matching'
import { patchInversion } from './patches/attack'
import { rGap } from './r-gap/attack'
import { spearAttack } from './spear/attack'
import { tableAttack } from './tabular/attack'
import { tiger } from './tiger/attack'
import { tokenSets } from './tokens/attack'
import { baskets } from './tokens/baskets'

export type { Shared } from '../client/shared/read-shared'
export type {
  Assumptions,
  Attack,
  AttackProgress,
  Control,
  Evidence,
  Found,
  Outcome,
  OutcomeStatus,
  Work,
} from './contract/attack'
export { outcome, runAttack } from './contract/attack'
export { THREAT_MODELS, type ThreatModel } from './contract/threat-model'
export type { TracePoint } from './contract/trace'
export type { DagerOptions } from './dager/attack'
export type { DenseInversionOptions } from './dense/attacks'
export type { MatchingOptions } from './matching'
export type { PatchInversionOptions } from './patches/attack'
export type { RGapOptions } from './r-gap/attack'
export type { SpearAttackOptions } from './spear/attack'
export type { TableAttackOptions } from './tabular/attack'
export type { TigerOptions } from './tiger/attack'
export type { Target, TargetOptions }

/** Every attack of this library by name, the cheapest first. */
export const attacks = {
  'label-inference': labelInference,
  'token-set': tokenSets,
  'embedding-groups': baskets,
  'dense-inversion': denseInversion,
  'patch-inversion': patchInversion,
  'r-gap': rGap,
  spear: spearAttack,
  'isolated-inputs': isolatedSamples,
  dager,
  tiger,
  tableak: tableAttack,
  'gradient-matching': gradientMatching,
} as const satisfies Readonly<Record<string, Attack<never>>>

/** The name of an attack of the registry. */
export type AttackName = keyof typeof attacks

/**
 * Reads everything an attacker has, for any number of attacks on it.
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`
 * @param shared the gradient: a list in the order of the trained weights, or a map by their names; or an update
 * @param options how the client trains, how many samples it averages, and what else is known
 * @throws DlgError for what is wrong with the model, what was shared, or the options
 */
export const targetOf = (
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: TargetOptions = {},
): Promise<Target> => openTarget(model, shared, targetOptions(options))

/**
 * Runs an attack by name, or one of the caller's own.
 *
 * @returns the outcome, `refused` where the attack does not apply; the caller frees it with `dispose()`
 * @throws DlgError `invalid-option` for a name that there is not, `aborted`, and what the attack throws
 */
export async function attack<Options extends object>(
  which: AttackName | Attack<Options>,
  target: Target,
  options: Options = {} as Options,
  control: Control = {},
): Promise<Outcome> {
  const chosen =
    typeof which === 'object' && which !== null && typeof which.run === 'function'
      ? which
      : attacks[choice('attack', which, Object.keys(attacks) as AttackName[], 'an object with refuses() and run()')]
  return runAttack(chosen as Attack<Options>, target, options, control)
}
