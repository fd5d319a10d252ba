import type { TracedGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import { paced } from '../contract/pause'
import { exactDataIn } from '../dense/exact-data'
import { exactPatchesIn } from '../patches/exact-patches'
import type { PresetName, Settings } from './options'
import { type Preparing, pauseOf } from './preparing'

/** Recipes that begin at a closed form. */
const FREE: readonly PresetName[] = ['auto', 'robust', 'attention']

/**
 * One sample that stands in the gradient itself: where the model begins with a dense layer with bias, or with patches and trained
 * positions.
 *
 * @returns undefined where there is none
 * @throws CUT
 */
export async function closedForm(
  traced: TracedGradient,
  target: Target,
  preparing: Preparing,
): Promise<Float64Array | undefined> {
  if (target.settings.batchSize !== 1 || traced.inputs.length !== 1) return undefined
  const pause = pauseOf(preparing, 'the data are looked for in closed form')
  const dense = await paced(exactDataIn(traced, target.dataGradients), pause)
  if (dense) return dense.input
  const patches = await exactPatchesIn(target, pause, traced)
  return typeof patches === 'string' ? undefined : patches.data
}

/**
 * Starts where the data stand in the gradient themselves. The search then has nothing left to do but to prove it, or to go on
 * from there where the closed form leaves something open. A prior would lead away from there, so that only the caller's own
 * count. A start of the caller's stays.
 */
export async function withClosedForm(
  settings: Settings,
  traced: TracedGradient,
  target: Target,
  preparing: Preparing,
): Promise<Settings> {
  const free = typeof settings.init === 'string' && FREE.includes(settings.preset)
  const found = free ? await closedForm(traced, target, preparing) : undefined
  return found ? { ...settings, init: { data: found }, priors: settings.priors ?? [] } : settings
}
