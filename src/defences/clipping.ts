import { type AccountantName, epsilonOf, type PrivacyLoss } from '../accounting'
import { choice, invalid, knownNames, number, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { normOf } from '../numbers/norms'
import { mapped, type Values } from '../numbers/values'
import { cosineOfEach, matchingNoise, withFactor, withFloor } from './attacker'
import { type Defence, described } from './defence'

/** Options of {@link clipping}. */
export interface ClippingOptions {
  /** C > 0: the largest norm that is left as it is. */
  readonly norm: number
  /** Whether the norm is that of all tensors together (default), or each tensor is clipped to C by itself. */
  readonly per?: 'all' | 'tensor'
}

/**
 * Clipping: g · min(1, C / ‖g‖). It hides the length of the gradient and nothing else.
 *
 * @throws DlgError `invalid-option`
 */
export function clipping(options: ClippingOptions): Defence {
  knownNames('options', options, ['norm', 'per'])
  const { norm, per = 'all' } = options
  positive('norm', norm)
  choice('per', per, ['all', 'tensor'])
  return described({ hides: 'units' })({
    name: 'clipping',
    description: per === 'all' ? `clipping to the norm ${norm}` : `clipping of each tensor to the norm ${norm}`,
    apply: (gradients) =>
      per === 'all' ? clipped(gradients, norm) : gradients.map((values) => clipped([values], norm)[0]),
    adapt: withFactor,
    matching: () => (per === 'tensor' ? { distance: cosineOfEach, certainty: false } : {}),
  })
}

/** Options of {@link dpSgd}. */
export interface DpSgdOptions {
  /** C > 0: the norm to which the gradient of each example is clipped. */
  readonly clip: number
  /** σ > 0: the standard deviation of the noise on the sum, in units of C. */
  readonly noiseMultiplier: number
  /** q in (0, 1]: the probability with which each example takes part in a step, which counts for ε alone. Default 1. */
  readonly sampleRate?: number
  /**
   * The gradient of each example of the batch, each with one entry per trained weight. They cannot be told from the gradient of a batch,
   * so that a batch of more than one needs them. Default: the batch is one example.
   */
  readonly examples?: readonly (readonly Values[])[]
}

/** DP-SGD, and what it spends. */
export interface DpSgd extends Defence {
  /** ε of that many steps. @throws DlgError `invalid-option` */
  spends(options: { readonly steps: number; readonly delta: number; readonly accountant?: AccountantName }): PrivacyLoss
}

/**
 * One step of DP-SGD (Abadi et al. 2016): (Σ clip(gᵢ, C) + N(0, σ²C²)) / B over the B examples of the batch.
 *
 * The batch is the one that was drawn; sampling is left to the caller, and `sampleRate` is for the accountant. The loss must be a mean
 * over the batch. What is shared must be a gradient, not an update.
 *
 * @throws DlgError `invalid-option`; when it is applied, `invalid-gradients` where the examples are not those of the gradient
 */
export function dpSgd(options: DpSgdOptions): DpSgd {
  knownNames('options', options, ['clip', 'noiseMultiplier', 'sampleRate', 'examples'])
  const { clip, noiseMultiplier, sampleRate = 1, examples } = options
  positive('clip', clip)
  positive('noiseMultiplier', noiseMultiplier)
  number('sampleRate', sampleRate, (v) => v > 0 && v <= 1, 'a number above 0 and at most 1')
  if (examples !== undefined) requireExamples(examples)
  const batch = examples?.length ?? 1
  const deviation = (noiseMultiplier * clip) / batch
  return described({ floor: 'absolute', hides: 'units' })<DpSgd>({
    name: 'dp-sgd',
    description: `DP-SGD with each example clipped to the norm ${clip} and normal noise of ${noiseMultiplier} times that on the sum of ${batch}`,
    refuses({ settings }) {
      if (settings.update) return 'an update was shared; DP-SGD adds its noise to the gradient of every step'
      if (settings.batchSize !== batch)
        return examples
          ? `there are ${batch} examples, and the batch has ${settings.batchSize}`
          : `the batch has ${settings.batchSize} examples; each is clipped by itself, so that their gradients must be given as examples`
      if (batch > 1 && settings.reduction === 'sum') return 'the loss is a sum over the batch; it must be a mean'
      return undefined
    },
    apply(gradients, { normal }) {
      const each = examples ?? [gradients]
      requireSame(gradients, each)
      const sum = gradients.map((values) => new Float64Array(values.length))
      for (const example of each)
        for (const [i, values] of clipped(example, clip).entries())
          for (let k = 0; k < values.length; k++) sum[i][k] += values[k]
      return sum.map((values) => values.map((v) => v / batch + deviation * normal()))
    },
    adapt: (target) =>
      withFloor(
        withFactor(target),
        target.gradients.map(({ length }) => length * deviation ** 2),
      ),
    matching: matchingNoise,
    spends(given) {
      knownNames('options', given, ['steps', 'delta', 'accountant'])
      const { steps, ...rest } = given
      return epsilonOf({ noiseMultiplier, sampleRate, steps }, rest)
    },
  })
}

/** Tensors that are clipped together. */
function clipped(gradients: readonly Values[], norm: number): Float64Array[] {
  const factor = Math.min(1, norm / normOf(gradients))
  return gradients.map((values) => mapped(values, (v) => (factor < 1 ? v * factor : v)))
}

const positive = (name: string, value: number): number =>
  number(name, value, (v) => v > 0 && v < Infinity, 'a finite number above 0')

function requireExamples(examples: DpSgdOptions['examples']): void {
  const isExample = (one: unknown): boolean =>
    Array.isArray(one) && one.length > 0 && one.every((v) => v instanceof Float64Array || v instanceof Float32Array)
  if (Array.isArray(examples) && examples.length > 0 && examples.every(isExample)) return
  throw invalid(
    `examples is ${show(examples)}; it must be a list with, for each example, its gradients as Float64Array or Float32Array`,
  )
}

/** How far the mean of the examples may be from the gradient of the batch: float32 leaves 1e-6. */
const SAME = 1e-3

/** @throws DlgError `invalid-gradients` */
function requireSame(gradients: readonly Values[], examples: readonly (readonly Values[])[]): void {
  const wrong = (what: string): DlgError =>
    new DlgError(
      'invalid-gradients',
      `${what}; examples must be the gradients whose mean is shared, and DP-SGD the first defence`,
    )
  for (const [e, example] of examples.entries())
    if (example.length !== gradients.length || example.some((values, i) => values.length !== gradients[i].length))
      throw wrong(`example ${e} has other shapes than the gradient`)
  const off = gradients.map((values, i) =>
    mapped(values, (v, k) => v - examples.reduce((sum, one) => sum + one[i][k], 0) / examples.length),
  )
  if (normOf(off) > SAME * normOf(gradients)) throw wrong('the mean of the examples is not the gradient')
}
