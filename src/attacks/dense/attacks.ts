import { tensor } from '@tensorflow/tfjs-core'
import type { TracedGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import { idList, knownNames } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Attack, noOptions, outcome } from '../contract/attack'
import { endOf } from '../contract/cut'
import { CLOSED_FORM, CUT, nothingIfCut, paced, pausesOf } from '../contract/pause'
import { labelsToTry } from '../labels/infer-labels'
import { type Certificate, certifyAny, gradientOf, MOST, roundingOf } from './certificate'
import { hasSignsAlone } from './dense-gradient'
import { doubtOf } from './exact-data'
import { type DenseLayer, lookForDense, traceOfOne } from './first-dense'
import { denseInput } from './invert-dense'
import { isolatedSteps } from './isolated-inputs'

/** Options of dense inversion. */
export interface DenseInversionOptions {
  /** Class of the sample, where it is known. Default: inferred from the last layer. */
  readonly labels?: readonly number[]
}

/** For attacks whose only option is the class. @throws DlgError `invalid-option` */
export function checkLabels(options: DenseInversionOptions): void {
  knownNames('options', options, ['labels'])
  const { labels } = options
  if (labels === undefined) return
  idList('labels', labels, 'invalid-option')
  if (labels.length !== 1)
    throw new DlgError(
      'invalid-option',
      `labels has ${countOf(labels.length, 'class', 'classes')}; it must have one, of the one sample`,
    )
}

/** One sample in closed form, where the model begins with a dense layer. */
export const denseInversion: Attack<DenseInversionOptions> = {
  name: 'dense-inversion',
  source: 'Geiping et al. 2020, Inverting Gradients, proposition 3.1',
  leaks: 'data',
  needs: {
    sees: 'the gradient of the first layer, and of the last one for a proof',
    batch: 'one sample',
    model: 'begins with a dense layer with bias whose weights are used once',
    labels: 'none: inferred for the proof',
    threatModel: 'B',
  },
  check: checkLabels,
  async refuses(target) {
    const { batchSize } = target.settings
    if (batchSize !== 1)
      return `the batch has ${countOf(batchSize, 'sample')}, and this layer's neurons would give mixtures of them`
    return firstLayer(target).refusal
  },
  async run(target, { labels: known }, control) {
    const started = performance.now()
    const layer = firstLayer(target).layer!
    const { agreement } = roundingOf(target, layer)
    const end = (said: Parameters<typeof outcome>[3]) => outcome('dense-inversion', started, control, said)
    const [closed, pause] = [pausesOf(control, started, CLOSED_FORM), pausesOf(control, started)]
    const told = (words: string) => control.onProgress?.({ attack: 'dense-inversion', words })
    told('the neurons of the first layer')
    const steps = denseInput(gradientOf(layer, target.dataGradients), agreement)
    const read = await paced(steps, closed).catch(nothingIfCut)
    if (!read) return end({ status: 'cut', reason: `${endOf(control)} before the neurons were compared` })
    const { input, status, deviation } = read
    if (!input || status === 'mixture' || status === 'silent')
      return end({
        status: 'failed',
        reason:
          status === 'silent'
            ? 'no neuron of the first layer has a gradient to divide by'
            : `the neurons disagree by ${deviation.toExponential(1)}: ${agreement < MOST ? 'several samples, or another model' : LOST}`,
      })
    if (agreement >= MOST) return end({ status: 'failed', reason: LOST })
    const agree = status === 'agreed' ? 'the neurons agree on these data' : 'one neuron alone gives these data'
    const dataOf = () => tensor(Float32Array.from(input), [1, ...searchedShape(target)])
    let labels = known
    let certificate: Certificate
    try {
      told('the label')
      const tried = known ? [known] : await labelsToTry(target, closed)
      labels = tried.length === 1 ? tried[0] : undefined
      if (tried.length === 0)
        return end({
          status: 'partial',
          reason: `${agree}; no rule gives the label, so that nothing proves them`,
          found: { data: dataOf() },
        })
      told('the gradient of the data, and of mixtures near them')
      const certified = await certifyAny(target, layer, input, tried.map((labels) => ({ labels })), pause) // biome-ignore format: one line
      certificate = certified.certificate
      labels = certified.at === undefined ? undefined : tried[certified.at]
    } catch (error) {
      if (error !== CUT) throw error
      return end({
        status: 'cut',
        reason: `${agree}; ${endOf(control)} before a proof`,
        found: { data: dataOf(), ...(labels && { labels }) },
      })
    }
    const { residual, floor, holds } = certificate
    const doubt = doubtOf(certificate)
    const which = labels ? `label ${labels.join(', ')}` : 'either label, at a factor of its own,'
    const says = `with ${which} their gradient is the shared one up to ${residual.toExponential(1)}`
    return end({
      status: !holds ? 'partial' : doubt !== undefined ? 'undetermined' : status === 'agreed' ? 'proven' : 'matched',
      reason: doubt ?? `the data stand in the first layer's gradient, and ${says}`,
      found: { data: dataOf(), ...(labels && { labels }) },
      evidence: { residual, floor },
    })
  },
}

/** Why neurons that agree mean nothing: they agree by chance. */
const LOST = 'what was shared of the first layer lost about as much as it has'

/** Candidates for single samples of a batch, where the model begins with a dense layer behind which a ReLU stands. */
export const isolatedSamples: Attack = {
  name: 'isolated-inputs',
  source: 'Boenisch et al. 2021, When the Curious Abandon Honesty',
  leaks: 'data',
  needs: {
    sees: 'the gradient of the first layer',
    batch: 'at least two samples, and neurons that one of them alone reaches',
    model: 'begins with a dense layer with bias and ReLU, and ends in more than two outputs',
    labels: 'none',
    threatModel: 'B',
  },
  check: noOptions,
  async refuses(target) {
    if (target.settings.batchSize === 1) return 'the batch is one sample; dense-inversion gives it'
    return firstLayer(target).refusal
  },
  async run(target, _, control) {
    const started = performance.now()
    const { layer, outputs } = firstLayer(target)
    const { alike } = roundingOf(target, layer!)
    const { batchSize } = target.settings
    const end = (said: Parameters<typeof outcome>[3]) => outcome('isolated-inputs', started, control, said)
    if (alike >= MOST) return end({ status: 'failed', reason: LOST })
    control.onProgress?.({ attack: 'isolated-inputs', words: 'neurons that agree' })
    const steps = isolatedSteps(gradientOf(layer!, target.dataGradients), { outputs, tolerance: alike })
    const read = await paced(steps, pausesOf(control, started, CLOSED_FORM)).catch(nothingIfCut)
    if (!read) return end({ status: 'cut', reason: `${endOf(control)} before all neurons were compared` })
    const { candidates } = read
    if (candidates.length === 0)
      return end({
        status: 'failed',
        reason: 'no two neurons give the same data: every one gives a mixture of its own',
      })
    const rows = candidates.flatMap(({ input }) => [...input])
    return end({
      status: 'partial',
      reason: `${candidateWords(candidates.length, batchSize)}: two neurons or more agree on each up to ${alike.toExponential(0)}; a mixture of samples can look the same`,
      found: { data: tensor(rows, [candidates.length, ...searchedShape(target)]) },
    })
  },
}

/** Candidates beyond the samples agree by accident, as they may where what was shared is coarse. */
const candidateWords = (candidates: number, samples: number): string =>
  `${countOf(candidates, 'candidate')} for the ${countOf(samples, 'sample')}${candidates > samples ? `, the best supported first, of which ${samples} at most are samples` : ''}`

/** Shape of a sample of the one input that is searched. */
const searchedShape = ({ model, searched }: Target): readonly number[] =>
  model.inputs.find(({ name }) => name === searched[0])!.shape

const SIGNS_ALONE =
  'every number of the first layer has one size, as signs have, or the first step of an adaptive optimizer such as Adam: their quotients are no data'

/** The first dense layer, or why its gradient is of no use. */
function firstLayer({ model, settings, known, kinds, dataGradients }: Target): {
  layer?: DenseLayer
  outputs?: number
  refusal?: string
} {
  if (model.inputs.length - known.length !== 1)
    return {
      refusal: `${countOf(model.inputs.length - known.length, 'input is', 'inputs are')} searched; the first layer must read one`,
    }
  let single: TracedGradient
  try {
    // on one sample the input of the layer is a row, which is how it is recognised
    single = traceOfOne(model, settings, kinds)
  } catch (error) {
    if (error instanceof DlgError) return { refusal: `the model is not traced on one sample: ${error.message}` }
    throw error
  }
  const layer = lookForDense(single)
  if (!layer) return { refusal: 'the model does not begin with a dense layer with bias whose gradient was shared' }
  if (typeof layer === 'string') return { refusal: layer }
  if (hasSignsAlone(gradientOf(layer, dataGradients))) return { refusal: SIGNS_ALONE }
  const [outputs] = single.output.shape.slice(-1)
  return { layer, outputs }
}
