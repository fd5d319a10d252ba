import type { Target } from '../../client/target'
import { differenceOf, eachGradient, factorOf } from '../../measure/residual'
import { normOf } from '../../numbers/norms'
import { random } from '../../numbers/random'
import { mapped, type Values } from '../../numbers/values'
import { type Pause, restBy } from '../contract/pause'
import { withoutPenalties } from '../dense/certificate'
import { solvedIn } from './exact-patches'
import { refined } from './refine'

/** How far the two samples of a trial mixture are from the data, in root mean squares of the data. */
const SPREAD = 0.25
/** A mixture shows where it is this many times further off than what counts as agreement. */
const CLEAR = 4

/**
 * Whether the mean of several samples may have passed for the patches found: the gradients at x + δ and x − δ, for a random δ and for one
 * along x, are averaged, solved and recomputed in the same way. Where a model is linear with one output, the result has their gradient too.
 *
 * @param labels the class of the sample
 * @param numbers of a patch: each direction that the linear system leaves open is refined in so many numbers
 * @param floor residual up to which a gradient is the shared one
 * @param pause asked after every gradient
 * @throws CUT
 */
export async function passesForMixture(
  target: Target,
  data: Float64Array,
  labels: readonly number[],
  numbers: number,
  floor: number,
  pause: Pause,
): Promise<boolean> {
  const rest = restBy(pause)
  const { normal } = random(1, 0x6d6978)
  const rms = normOf([data]) / Math.sqrt(data.length) || 1
  const steps = [mapped(data, (v) => SPREAD * v), mapped(data, () => SPREAD * rms * normal())]
  for (const step of steps) {
    const pair = await gradientsOf([1, -1].map((sign) => data.map((v, i) => v + sign * step[i])))
    const mixture = pair[0].map((values, t) => mapped(values, (v, i) => (v + pair[1][t][i]) / 2))
    const mixed: Target = { ...target, gradients: mixture, dataGradients: withoutPenalties(target, mixture) }
    const solved = await solvedIn(mixed, pause)
    if (typeof solved === 'string') continue
    const { embedding, solution } = solved
    const more = await refined(mixed, solution, (embedding.patches - solution.rank) * numbers, labels, pause)
    const [found] = await gradientsOf([more?.data ?? solution.data])
    const off = normOf(differenceOf(found, mixture, factorOf(target, found, mixture)))
    if (off <= CLEAR * floor * normOf(mixture)) return true
  }
  return false

  async function gradientsOf(choices: readonly Float64Array[]): Promise<Values[][]> {
    const found: Values[][] = []
    const inputs = choices.map((values) => [Float32Array.from(values)])
    for await (const gradients of eachGradient(target, inputs, [{ labels }])) {
      found.push(gradients)
      await rest()
    }
    return found
  }
}
