import { finiteList, knownNames, number, requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { normOf } from '../../numbers/norms'
import { random } from '../../numbers/random'
import { atOnce, type Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { type DenseGradient, inputWidth } from './dense-gradient'
import { memberships } from './sample-test'

/** A vector on which several neurons agree: the input of one sample, or a mixture with equal weights at all these neurons. */
export interface InputCandidate {
  /** [in] */
  readonly input: Float64Array
  /** The neurons that support it, most certain first. Two at least; one alone where it is certified. */
  readonly neurons: readonly number[]
  /** Whether it is known to be a sample of the batch, from the option `layer`. */
  readonly certified: boolean
  /** Greatest relative distance of one of them to the first. */
  readonly deviation: number
}

/** Candidates for the inputs of a batch, read from the neurons of a dense layer. */
export interface IsolatedInputs {
  /** The best supported first. Where one is not certified, a proof must say whether it is a sample of the batch. */
  readonly candidates: readonly InputCandidate[]
  /** Neurons whose quotient is no candidate: a mixture, or the input of a sample that reached one neuron alone. */
  readonly unsupported: readonly number[]
  /** Neurons without a gradient. */
  readonly silent: readonly number[]
}

/** Options of `isolatedInputs`. */
export interface IsolationOptions {
  /** Greatest relative distance between neurons that agree. Default 1e-6: rounding of float32 gradients leaves 1e-7. */
  tolerance?: number
  /** Outputs of the model that the loss reads. Default: more than two. */
  outputs?: number
  /** How many layers with an activation there are from this layer to the outputs, itself included. Default 1. */
  hidden?: number
  /** The layer's own weight and bias, in the shapes of the gradient. With them, candidates are tested for being samples. */
  layer?: DenseGradient
}

/** Part of the largest bias gradient below which a neuron counts as silent: float32 leaves nothing of its quotient. */
const SILENT = 1e-6

/** Relative distance of two quotients of one input: up to 9e-8 was measured of float32 gradients. */
export const ALIKE = 1e-6

/**
 * Candidates for the inputs of single samples, out of a batch's gradient, where a ReLU follows the layer (Boenisch et al.
 * 2021, where the weights are chosen for it; here they are as they are).
 *
 * Every neuron gives ∂W_i / ∂b_i, the mean of the samples it fired for, weighed by their ∂z. If it fired for one only,
 * that is the sample, and all such neurons give it alike. Neurons that fired for several give different means as far as
 * the proportions of ∂z differ between them, so what two neurons or more give alike is a candidate.
 *
 * It is no more than that: this layer alone cannot tell a sample from a mixture in equal proportions. Samples of one label
 * which a model is sure of, or sure against, have nearly proportional ∂z, and their mean may be the best supported of all.
 * With one output or two classes, and nothing but this ReLU between, all mixtures agree, and there are no candidates without
 * the option `layer`. A proof of the whole batch (`proofOf`) says what a candidate is worth.
 *
 * With `layer` every quotient is tested against the other neurons (`memberships`), whatever comes behind the layer: mixtures fall
 * out, and where all samples of the batch show, those that are left are certified, with one neuron each as well. The batch must
 * be smaller than the layer's input and its neurons for that.
 *
 * @throws DlgError `invalid-gradients`, `invalid-option`
 */
export const isolatedInputs = (gradient: DenseGradient, options: IsolationOptions = {}): IsolatedInputs =>
  atOnce(isolatedSteps(gradient, options))

/** {@link isolatedInputs} in steps. @throws DlgError as it */
export function* isolatedSteps(gradient: DenseGradient, options: IsolationOptions): Steps<IsolatedInputs> {
  knownNames('options', options, ['tolerance', 'outputs', 'hidden', 'layer'])
  const { tolerance = ALIKE, outputs = Infinity, hidden = 1, layer } = options
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  number('outputs', outputs, (v) => v >= 1, 'a number of at least 1')
  number('hidden', hidden, (n) => Number.isInteger(n) && n >= 1, 'a whole number of at least 1')
  const width = inputWidth(gradient)
  const { weight, bias } = gradient
  if (layer !== undefined) {
    requireObject('layer', layer, '{weight, bias}', 'invalid-option')
    finiteList("the layer's weight", layer.weight, 'invalid-option')
    finiteList("the layer's bias", layer.bias, 'invalid-option')
  }
  if (layer && (layer.weight?.length !== weight.length || layer.bias?.length !== bias.length))
    throw new DlgError(
      'invalid-option',
      `layer has ${layer.weight?.length} weights and ${layer.bias?.length} biases; its gradient has ${weight.length} and ${bias.length}`,
    )
  const size = (i: number): number => Math.abs(bias[i])
  const all = Array.from({ length: bias.length }, (_, i) => i)
  const most = all.reduce((largest, i) => Math.max(largest, size(i)), 0)
  const silent = all.filter((i) => size(i) <= SILENT * most)
  // the surest first: rounding of a quotient is that of ∂W over ∂b
  const firing = all.filter((i) => size(i) > SILENT * most).sort((a, b) => size(b) - size(a))
  const quotient = (i: number): Float64Array =>
    mapped({ length: width }, (_, j) => weight[j * bias.length + i] / bias[i])
  const groups: { input: Float64Array; sketch: number; neurons: number[]; deviation: number }[] = []
  const { normal } = random(0, 0x69736f)
  const direction = Float64Array.from({ length: width }, normal)
  for (const neuron of firing) {
    const input = quotient(neuron)
    const sketch = inner(input, direction)
    const reach = tolerance * normOf([input])
    // |⟨a − b, r⟩| ≤ ‖a − b‖ ‖r‖: most others are far already in one projection
    const bound = reach * normOf([direction])
    const group = groups.find((g) => Math.abs(g.sketch - sketch) <= bound && distance(g.input, input) <= reach)
    if (!group) groups.push({ input, sketch, neurons: [neuron], deviation: 0 })
    else {
      group.neurons.push(neuron)
      group.deviation = Math.max(
        group.deviation,
        distance(group.input, input) / Math.max(normOf([input]), Number.MIN_VALUE),
      )
    }
    yield
  }
  const found =
    layer &&
    (yield* memberships(
      gradient,
      layer,
      groups.map(({ input }) => input),
    ))
  const mixturesAgree = outputs <= 2 && hidden === 1
  const supported = groups
    .map((group, i) => ({ ...group, membership: found?.[i] ?? 'possible' }))
    .filter(({ neurons, membership }) =>
      membership === 'possible' ? neurons.length > 1 && !mixturesAgree : membership === 'sample',
    )
  const support = new Set(supported.flatMap(({ neurons }) => neurons))
  return {
    candidates: supported
      .sort((a, b) => b.neurons.length - a.neurons.length)
      .map(({ input, neurons, deviation, membership }) => ({
        ...{ input, neurons, deviation },
        certified: membership === 'sample',
      })),
    unsupported: groups.flatMap(({ neurons }) => neurons).filter((neuron) => !support.has(neuron)),
    silent,
  }
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += (a[j] - b[j]) ** 2
  return Math.sqrt(sum)
}
