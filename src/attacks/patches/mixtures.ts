import type { Target } from '../../client/target'
import { eachGradient, relativeResidual } from '../../measure/residual'
import { normOf } from '../../numbers/norms'
import { random } from '../../numbers/random'
import { meanOfTwo } from '../../numbers/stretches'
import { mapped, type Values } from '../../numbers/values'
import { type Pause, paced, restBy } from '../contract/pause'
import { withoutPenalties } from '../dense/certificate'
import { solutionIn } from './exact-patches'
import type { PatchEmbedding } from './patch-embedding'
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
 * @param floor residual up to which a gradient is the shared one
 * @param pause asked after every gradient
 * @throws CUT
 */
export async function passesForMixture(
  target: Target,
  embedding: PatchEmbedding,
  data: Float64Array,
  labels: readonly number[],
  floor: number,
  pause: Pause,
): Promise<boolean> {
  const rest = restBy(pause)
  const { normal } = random(1, 0x6d6978)
  const rms = normOf([data]) / Math.sqrt(data.length) || 1
  const steps = [mapped(data, (v) => SPREAD * v), mapped(data, () => SPREAD * rms * normal())]
  for (const step of steps) {
    const pair = await gradientsOf([1, -1].map((sign) => data.map((v, i) => v + sign * step[i])))
    const mixture = await paced(meanOfTwo(pair[0], pair[1]), pause)
    const mixed: Target = { ...target, gradients: mixture, dataGradients: withoutPenalties(target, mixture) }
    const solution = await solutionIn(embedding, mixed, pause)
    if (!solution) continue
    // each direction that the linear system leaves open is refined in as many numbers as a patch has
    const open = (embedding.patches - solution.rank) * embedding.numbers
    const more = await refined(mixed, solution, open, labels, pause)
    const [found] = await gradientsOf([more?.data ?? solution.data])
    if ((await paced(relativeResidual(target, found, mixture), pause)) <= CLEAR * floor) return true
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
