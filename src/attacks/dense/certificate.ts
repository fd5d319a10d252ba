import type { Target } from '../../client/target'
import type { PlainTargets } from '../../client/target-values'
import { eachGradient, factorOf, RESIDUAL } from '../../measure/residual'
import { normOf, transposed } from '../../numbers/norms'
import { random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { fittedFactor, meanOfTwo, relativeOf, squaresApart } from '../../numbers/stretches'
import { mapped, squaredNorm, type Values } from '../../numbers/values'
import { type Pause, paced, restBy } from '../contract/pause'
import type { DenseGradient } from './dense-gradient'
import type { DenseLayer } from './first-dense'
import { AGREEMENT, denseInput } from './invert-dense'
import { ALIKE } from './isolated-inputs'

/** What recomputation says about data that were read from the gradient of the first dense layer. */
export interface Certificate {
  /**
   * One of two relative distances ‖g − g*‖ / ‖g*‖: over everything that was shared, or over the first layer alone, whose gradient may
   * be a small part of the whole. It is the one that is further above its floor.
   */
  readonly residual: number
  /** The residual up to which that part of what was shared cannot tell two gradients apart. */
  readonly floor: number
  /** Whether the gradient of the data is the shared one to the floor. */
  readonly holds: boolean
  /** What the gradient of the data must be multiplied by to be the shared one to the floor; undefined where no factor does it. */
  readonly factor: number | undefined
  /** Whether a mixture of two samples near the data would have been told from one sample, by its neurons or by its residual. */
  readonly showsMixtures: boolean
}

/** How many times what is lost on average a whole layer may have lost: a rounding is at most √3 times the average one. */
const SURE = 2.5

/** The most by which neurons may differ and agree all the same. */
export const MOST = 0.5

/** Trial mixtures. */
const MIXTURES = 3
/** How far the two samples of a trial mixture are from the data, in root mean squares of the data. */
const SPREAD = 0.25
/** A mixture shows where it is this many times further off than what counts as agreement. */
const CLEAR = 4

/**
 * Deviation of the neurons, and residual, that the precision of what was shared explains. The layer's own gradient may be a small part of
 * all that was shared, and the numbers that it lost may be a large part of it: as where weights are shared that moved by little.
 */
export const roundingOf = ({ rounding, lost, dataGradients }: Target, { weight, bias }: DenseLayer) => {
  const part = (at: number): number => lost[at] / Math.max(squaredNorm([dataGradients[at]]), Number.MIN_VALUE)
  // ‖∂W‖ ≈ ‖x‖ ‖∂b‖: what ∂b lost counts as large a part as what ∂W lost
  const own = Math.sqrt(part(weight) + part(bias))
  const limit = (least: number, most: number) => Math.min(MOST, Math.max(least, most))
  return {
    agreement: limit(AGREEMENT, SURE * own),
    // of two neurons, either may be off by more than most
    alike: limit(ALIKE, 4 * own),
    floors: {
      whole: limit(RESIDUAL, 4 * Math.sqrt(rounding)),
      layer: limit(RESIDUAL, Math.max(4 * Math.sqrt(rounding), SURE * own)),
    },
  }
}

/** The gradient of the layer among gradients in the order of the trained weights. */
export function gradientOf(layer: DenseLayer, gradients: readonly Values[]): DenseGradient {
  const [weight, bias] = [gradients[layer.weight], gradients[layer.bias]]
  return {
    bias,
    weight: layer.transposed ? transposed(weight, bias.length, weight.length / bias.length) : weight,
  }
}

/**
 * Recomputes the gradient of data that were read in closed form, and tries whether the same steps would tell mixtures.
 *
 * That the gradient is the shared one does not say that it is of one sample: where a model says nearly the same of all
 * samples with a label, the gradient of several is that of their mean, to the last bit that was shared. So the gradients
 * at x + δ and x − δ, for some random δ and for one along x, are averaged, read in closed form and recomputed in the same way. A certificate needs that this shows.
 *
 * @param targets of each output with a loss
 * @param pause asked between gradients
 * @throws DlgError `invalid-data` for targets that do not fit the outputs; CUT
 */
export async function certify(
  target: Target,
  layer: DenseLayer,
  input: Values,
  targets: readonly PlainTargets[],
  pause: Pause,
): Promise<Certificate> {
  const [rest, done] = [restBy(pause), <T>(work: Steps<T>) => paced(work, pause)]
  const { agreement, floors } = roundingOf(target, layer)
  const { normal } = random(1, 0x6d6978)
  const rms = normOf([input]) / Math.sqrt(input.length) || 1
  // the last pair is in proportion to the data: behind a ReLU it turns on the same units
  const steps = [
    ...Array.from({ length: MIXTURES }, () =>
      Float64Array.from({ length: input.length }, () => SPREAD * rms * normal()),
    ),
    mapped(input, (v) => SPREAD * v),
  ]
  const moved = (step: Float64Array, sign: number) => [mapped(input, (v, i) => v + sign * step[i])]
  async function* dataGradientsAt(data: Iterable<readonly Values[]>) {
    for await (const found of eachGradient(target, data, targets)) {
      await rest()
      yield withoutPenalties(target, found)
    }
  }
  const distance = (found: readonly Values[], to: readonly Values[], factor: number) =>
    done(distanceOf(found, to, layer, floors, factor))
  /** Mixtures that the neurons do not tell from one sample, with what they give. */
  const alike: { readonly mixture: readonly Values[]; readonly input: Values }[] = []
  let own: readonly Values[] = []
  let ahead: readonly Values[] | undefined
  for await (const found of dataGradientsAt([[input], ...steps.flatMap((step) => [moved(step, 1), moved(step, -1)])])) {
    if (own.length === 0) own = found
    else if (!ahead) ahead = found
    else {
      const mixture = await done(meanOfTwo(ahead, found))
      ahead = undefined
      const read = await done(denseInput(gradientOf(layer, mixture), agreement))
      if (read.deviation <= CLEAR * agreement && read.input) alike.push({ mixture, input: read.input })
    }
  }
  const { residual, floor } = await distance(own, target.dataGradients, await done(factorOf(target, own)))
  // these are recomputed; a factor that is not known may be the mixture's too
  let [hidden, n] = [false, 0]
  for await (const found of dataGradientsAt(alike.map(({ input }) => [input]))) {
    const { mixture } = alike[n++]
    const off = await distance(found, mixture, await done(factorOf(target, found, mixture)))
    if (off.residual <= CLEAR * off.floor) hidden = true
  }
  const holds = residual <= floor
  const fitted = await done(fittedFactor(own, target.dataGradients))
  const scaled = await distance(own, target.dataGradients, fitted)
  const factor = holds || scaled.residual <= scaled.floor ? fitted : undefined
  return { residual, floor, holds, factor, showsMixtures: !hidden }
}

/**
 * {@link certify} with each of several labels, of which any may be the client's: of those with which the gradient is the shared one, the certificate
 * that proves least; of none, the one that comes closest.
 *
 * @param tried targets of the one output with a loss; one at least
 * @returns with the place of the targets in the list, where no others have the shared gradient too
 */
export async function certifyAny(
  target: Target,
  layer: DenseLayer,
  input: Values,
  tried: readonly PlainTargets[],
  pause: Pause,
): Promise<{ readonly certificate: Certificate; readonly at: number | undefined }> {
  const all: Certificate[] = []
  for (const targets of tried) all.push(await certify(target, layer, input, [targets], pause))
  const holding = all.filter(({ holds }) => holds)
  const closest = all.reduce((a, b) => (b.residual / b.floor < a.residual / a.floor ? b : a))
  const certificate = holding.find(({ showsMixtures }) => !showsMixtures) ?? holding[0] ?? closest
  return { certificate, at: holding.length > 1 ? undefined : all.indexOf(certificate) }
}

/** A gradient without the part of the model's own regularizers, as the target has told it. */
export const withoutPenalties = ({ gradients, dataGradients }: Target, found: readonly Values[]): readonly Values[] =>
  gradients === dataGradients
    ? found
    : found.map((values, i) => mapped(values, (v, k) => v - (gradients[i][k] - dataGradients[i][k])))

/** The relative distance over everything, or that over the layer alone: the one that is further above its own floor; in steps. */
function* distanceOf(
  found: readonly Values[],
  shared: readonly Values[],
  layer: DenseLayer,
  floors: { readonly whole: number; readonly layer: number },
  factor: number,
): Steps<{ readonly residual: number; readonly floor: number }> {
  const squares = yield* squaresApart(found, shared, factor)
  const whole = { residual: relativeOf(squares), floor: floors.whole }
  const own = { residual: relativeOf(squares, [layer.weight, layer.bias]), floor: floors.layer }
  return own.residual / own.floor > whole.residual / whole.floor ? own : whole
}
