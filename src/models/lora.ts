import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel, NamedFunctionalModel } from '../client/model/model'
import { hasMethod, knownNames, number, requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { type GptModel, gpt } from './gpt'
import { bert, type TextModel } from './text-model'

/** A low-rank adapter of one matrix: W + scaling · B A. */
export interface Adapter {
  /** The adapted weight's name in the base model. */
  readonly weight: string
  /** Name of A [rank, in] among the trained weights. */
  readonly a: string
  /** Name of B [out, rank]. */
  readonly b: string
  readonly rank: number
  /** Factor of B A: alpha / rank, or alpha / √rank of rsLoRA. */
  readonly scaling: number
}

/** What adapters are put on, and what the two make together. */
export interface Lora<M> {
  readonly adapters: readonly Adapter[]
  /** The base model with B A added to its matrices: what the adapted model computes. */
  readonly merged: M
}

/** How the adapters' product is scaled, as in PEFT's `adapter_config.json`. */
export interface LoraOptions {
  /** `lora_alpha`: B A is multiplied by alpha / rank. */
  readonly alpha: number
  /** `use_rslora`: by alpha / √rank instead. Default false. */
  readonly rankStabilized?: boolean
}

/**
 * The name of a weight without what PEFT puts in front of it and into it: `base_model.model.`, `modules_to_save`, and the adapter's
 * name `default`.
 */
export const withoutPeft = (name: string): string =>
  name
    .replace(/^base_model\.model\./, '')
    .replace(/^(bert|transformer)\./, '')
    .replace(/\.modules_to_save\.default\./, '.')
    .replace(/\.(lora_[AB])\.default\./, '.$1.')

/**
 * A model whose adapters are trained instead of its weights (Hu et al. 2021, LoRA).
 *
 * @param model an encoder or a decoder; it stays the caller's, and must outlive the adapted one
 * @param weights of the adapters by PEFT's names, such as `base_model.model.encoder.layer.0.attention.self.query.lora_A.weight`; a
 * name without `lora_` is a weight of the model that is trained beside them, such as `base_model.model.classifier.weight`. The
 * adapted model keeps the tensors and disposes of them.
 * @throws DlgError `invalid-model` for a name or a shape that does not fit, `invalid-option` for alpha
 */
export function lora<M extends TextModel | GptModel>(model: M, weights: tf.NamedTensorMap, options: LoraOptions): M {
  requireBase(model)
  requireObject('weights', weights, 'tensors by name', 'invalid-model')
  knownNames('options', options, ['alpha', 'rankStabilized'])
  const { alpha, rankStabilized = false } = options
  number('alpha', alpha, (v) => v > 0 && Number.isFinite(v), 'a number above 0')
  if (typeof rankStabilized !== 'boolean')
    throw new DlgError('invalid-option', `rankStabilized is ${show(rankStabilized)}; it must be true or false`)
  const scaled = (rank: number): number => alpha / (rankStabilized ? Math.sqrt(rank) : rank)
  const { adapters, replaced } = read(model, weights, scaled)
  const isEncoder = 'head' in model
  /** The weights of the base model that the trained ones change. */
  const effective = (given: tf.NamedTensorMap, base: tf.NamedTensorMap): tf.NamedTensorMap => ({
    ...base,
    ...Object.fromEntries(replaced.map(({ name, weight }) => [weight, given[name]])),
    ...Object.fromEntries(
      adapters.map(({ weight, a, b, scaling }) => {
        // an encoder's matrices are [out, in], those of GPT-2 [in, out]
        const [left, right] = (isEncoder ? [given[b], given[a]] : [given[a], given[b]]) as tf.Tensor2D[]
        const product = tf.matMul(left, right, !isEncoder, !isEncoder)
        return [weight, tf.add(base[weight], tf.mul(product, scaling))]
      }),
    ),
  })
  const changed = tf.tidy(() => {
    const all = effective(weights, model.weights)
    return Object.fromEntries(adapters.map(({ weight }) => [weight, all[weight]]))
  })
  const whole = {
    ...model.weights,
    ...Object.fromEntries(replaced.map(({ name, weight }) => [weight, weights[name]])),
    ...changed,
  }
  const merged = 'head' in model ? bert(model.config, whole, model.head) : gpt(model.config, whole)
  const over = <F extends FunctionalModel | NamedFunctionalModel>(base: F): F => ({
    ...base,
    name: `${base.name} with adapters`,
    weights: { ...weights },
    apply: (input: never, given: tf.NamedTensorMap) => base.apply(input, effective(given, model.weights)),
  })
  return {
    ...model,
    weights: { ...weights },
    lora: { adapters, merged },
    overTokens: (tokens: number) => over(model.overTokens(tokens)),
    ...('head' in model && {
      overPadded: (tokens: number) => over(model.overPadded(tokens)),
      overEmbeddings: (tokens: number) => over(model.overEmbeddings(tokens)),
    }),
    dispose: () => tf.dispose([...Object.values(weights), ...Object.values(changed)]),
  }
}

/** A model that may have adapters. @throws DlgError `invalid-model` */
export function requireBase(model: TextModel | GptModel): void {
  if (
    !hasMethod(model, 'overTokens', 'named') ||
    ![model.weights, model.config].every((part) => typeof part === 'object' && part !== null)
  )
    throw new DlgError(
      'invalid-model',
      `the model is ${show(model)}; it must be an encoder or decoder, as bert or gpt makes`,
    )
  if ((model as { kind?: string }).kind === 'llama')
    throw new DlgError('invalid-model', 'adapters of a LLaMA are not supported')
  if (model.lora) throw new DlgError('invalid-model', 'the model has adapters already; give all of them at once')
}

/** Adapters out of names, and the weights that are trained beside them. @throws DlgError `invalid-model` */
function read(model: TextModel | GptModel, weights: tf.NamedTensorMap, scaled: (rank: number) => number) {
  const halves = new Map<string, { a?: string; b?: string }>()
  const replaced: { name: string; weight: string }[] = []
  for (const [name, tensor] of Object.entries(weights)) {
    if (!((tensor as unknown) instanceof tf.Tensor) || tensor.isDisposed)
      throw new DlgError('invalid-model', `weight '${name}' is ${show(tensor)}; it must be a tensor`)
    const own = withoutPeft(name)
    const half = /^(.*)\.lora_([AB])\.weight$/.exec(own)
    const weight = model.named(half ? `${half[1]}.weight` : own)
    if (!Object.hasOwn(model.weights, weight))
      throw new DlgError(
        'invalid-model',
        `'${name}' belongs to no weight of the model: there is no '${weight}'${/lora_(magnitude|embedding)/.test(name) ? '. DoRA and adapters of embeddings are not supported' : ''}`,
      )
    if (!half) {
      requireShape(name, tensor, model.weights[weight].shape)
      replaced.push({ name, weight })
    } else halves.set(weight, { ...halves.get(weight), [half[2] === 'A' ? 'a' : 'b']: name })
  }
  if (halves.size === 0)
    throw new DlgError('invalid-model', "there is no adapter among the weights: no name ends with 'lora_A.weight'")
  const adapters = [...halves].map(([weight, { a, b }]): Adapter => {
    const { shape } = model.weights[weight]
    if (a === undefined || b === undefined)
      throw new DlgError('invalid-model', `the adapter of '${weight}' has no ${a === undefined ? 'A' : 'B'}`)
    const [inputs, outputs] = 'head' in model ? [shape[1], shape[0]] : shape
    const rank = weights[a].shape[0]
    if (shape.length !== 2)
      throw new DlgError('invalid-model', `'${weight}' is [${shape}]; only a matrix has an adapter`)
    requireShape(a, weights[a], [rank, inputs!])
    requireShape(b, weights[b], [outputs, rank])
    return { weight, a, b, rank, scaling: scaled(rank) }
  })
  return { adapters, replaced }
}

function requireShape(name: string, { shape }: tf.Tensor, wanted: readonly number[]): void {
  if (String(shape) !== String(wanted))
    throw new DlgError('invalid-model', `'${name}' is [${shape}]; the model needs [${wanted}]`)
}
