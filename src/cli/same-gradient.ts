import { targetOf } from '../attacks'
import { readTargets } from '../client/target-values'
import { trainingOf } from '../client/training-options'
import { floorOf } from '../defences/attacker'
import { differenceOf, factorOf, gradientsAt, RESIDUAL } from '../measure/residual'
import { normOf } from '../numbers/norms'
import { atOnce } from '../numbers/steps'
import type { Batch } from './example-batch'
import type { GradientFiles } from './gradient-files'
import type { FileModel } from './read-files'
import { sharedGradient } from './shared-gradient'
import type { Checked } from './training'

/** Whether a model with some data has a gradient: the first question where nothing is matched. */
export interface SameGradient {
  /** ‖g − g*‖ / ‖g*‖ over everything that was shared. */
  readonly residual: number
  /** Up to which the two are the same: float32, the type of the file, rounding of an update, noise. */
  readonly floor: number
  readonly same: boolean
  /** The weights that differ most, worst first. */
  readonly worst: readonly { readonly weight: string; readonly residual: number }[]
}

/** Weights that are named. */
const MOST = 5

/** How many times the floor a difference may be: the floor is what is expected on average. */
const FACTOR = 4

/** Compares what was shared with the gradient of the model on a batch. */
export async function sameGradient(
  model: FileModel,
  files: GradientFiles,
  { x, y }: Batch,
  given: Checked,
  report: (line: string) => void,
): Promise<SameGradient> {
  const shared = sharedGradient(model, files, report)
  const update = files.update && { update: files.update }
  const asked = { ...trainingOf(given), batchSize: x[0].shape[0], scale: files.scale, ...update }
  const target = await targetOf(model, shared, files.partial ? { ...asked, missing: 'allowed' } : asked)
  const data = await Promise.all(x.map(async (tensor) => Float32Array.from(await tensor.data())))
  const [found] = await gradientsAt(target, [data], await Promise.all(y.map(readTargets)))
  const difference = differenceOf(found, target.gradients, atOnce(factorOf(target, found)))
  const residual = normOf(difference) / normOf(target.gradients)
  const floor = Math.max(RESIDUAL, FACTOR * Math.sqrt(floorOf(target)))
  const parts = target.trained.map(({ name }, i) => ({
    weight: name,
    residual: normOf([difference[i]]) / Math.max(normOf([target.gradients[i]]), Number.MIN_VALUE),
  }))
  const worst = parts.sort((a, b) => b.residual - a.residual).slice(0, MOST)
  return { residual, floor, same: residual <= floor, worst }
}

/** What a comparison says, in one line. */
export function describeSame({ residual, floor, same, worst }: SameGradient): string {
  const off = `they differ by ${residual.toExponential(1)} of its norm`
  if (same) return `the shared gradient is that of these data: ${off}, where ${floor.toExponential(1)} is expected`
  const named = worst.map(({ weight, residual }) => `'${weight}' by ${residual.toPrecision(2)}`)
  return `the shared gradient is NOT that of these data: ${off}; most of all ${named.join(', ')}. Is it another loss, reduction, batch, layout or step?`
}
