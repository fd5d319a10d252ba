import { DlgError } from '../errors'
import { random } from '../random'
import { type DenseGradient, inputWidth } from './dense-gradient'

/** An input that several neurons give alike. */
export interface IsolatedInput {
  /** [in] */
  readonly input: Float64Array
  /** The neurons it comes from, two at least, most certain first. */
  readonly neurons: readonly number[]
  /** Greatest relative distance of one of them to the first. */
  readonly deviation: number
}

/** What the neurons of a dense layer say about the inputs of a batch. */
export interface IsolatedInputs {
  /** Inputs in the clear, the best supported first. */
  readonly inputs: readonly IsolatedInput[]
  /** Neurons whose quotient is a mixture, or an input that nothing confirms. */
  readonly mixtures: readonly number[]
  /** Neurons without a gradient. */
  readonly silent: readonly number[]
}

export interface IsolationOptions {
  /** Greatest relative distance between neurons that agree. Default 1e-4. */
  tolerance?: number
  /** Outputs of the model that the loss reads. Default: more than two. */
  outputs?: number
}

/** Part of the largest bias gradient below which a neuron counts as silent: float32 leaves nothing of its quotient. */
const SILENT = 1e-6

/** Relative distance of two quotients of one input: their rounding is that of float32 over ∂b. */
const ALIKE = 1e-4

/**
 * Inputs of single samples out of a batch's gradient, where a ReLU follows the layer (Boenisch et al. 2021, where the
 * weights are chosen for it; here they are as they are).
 *
 * Every neuron gives ∂W_i / ∂b_i, the mean of the samples it fired for, weighed by their ∂z. If it fired for one only,
 * that is the sample. Two neurons that fired for several give different means, as their weights differ; so what two
 * neurons or more give alike is a sample, and what one gives alone is not known to be one.
 *
 * With one output or two classes, and nothing but this ReLU between, the weights of two samples are in the same
 * proportion at every neuron: mixtures agree as well, and nothing counts as isolated. A proof tells then.
 *
 * @throws DlgError `invalid-gradients`, `invalid-option`
 */
export function isolatedInputs(gradient: DenseGradient, options: IsolationOptions = {}): IsolatedInputs {
  const { tolerance = ALIKE, outputs = Infinity } = options
  if (!(tolerance > 0 && tolerance < 1))
    throw new DlgError('invalid-option', `tolerance is ${tolerance}; it must be a number in (0, 1)`)
  if (!(outputs >= 1)) throw new DlgError('invalid-option', `outputs is ${outputs}; it must be a number of at least 1`)
  const width = inputWidth(gradient)
  const { weight, bias } = gradient
  const size = (i: number): number => Math.abs(bias[i])
  const all = Array.from({ length: bias.length }, (_, i) => i)
  const most = all.reduce((largest, i) => Math.max(largest, size(i)), 0)
  const silent = all.filter((i) => size(i) <= SILENT * most)
  // the surest first: rounding of a quotient is that of ∂W over ∂b
  const firing = all.filter((i) => size(i) > SILENT * most).sort((a, b) => size(b) - size(a))
  const quotient = (i: number): Float64Array =>
    Float64Array.from({ length: width }, (_, j) => weight[j * bias.length + i] / bias[i])
  const groups: { input: Float64Array; sketch: number; neurons: number[]; deviation: number }[] = []
  const { normal } = random(0, 0x69736f)
  const direction = Float64Array.from({ length: width }, normal)
  for (const neuron of firing) {
    const input = quotient(neuron)
    const sketch = inner(input, direction)
    const reach = tolerance * norm(input)
    // |⟨a − b, r⟩| ≤ ‖a − b‖ ‖r‖: most others are far already in one projection
    const bound = reach * norm(direction)
    const group = groups.find((g) => Math.abs(g.sketch - sketch) <= bound && distance(g.input, input) <= reach)
    if (!group) groups.push({ input, sketch, neurons: [neuron], deviation: 0 })
    else {
      group.neurons.push(neuron)
      group.deviation = Math.max(
        group.deviation,
        distance(group.input, input) / Math.max(norm(input), Number.MIN_VALUE),
      )
    }
  }
  const isolated = groups.filter(({ neurons }) => neurons.length > 1 && outputs > 2)
  return {
    inputs: isolated
      .sort((a, b) => b.neurons.length - a.neurons.length)
      .map(({ input, neurons, deviation }) => ({ input, neurons, deviation })),
    mixtures: groups.filter((group) => !isolated.includes(group)).flatMap(({ neurons }) => neurons),
    silent,
  }
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}

const norm = (a: Float64Array): number => Math.sqrt(inner(a, a))

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += (a[j] - b[j]) ** 2
  return Math.sqrt(sum)
}
