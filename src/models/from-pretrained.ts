import * as tf from '@tensorflow/tfjs-core'
import type { SharedByName } from '../client/shared/read-gradients'
import { knownNames, requireObject, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { isWhole, type StoredAs } from '../numbers/stored-dtype'
import { type BertConfig, bertConfig } from './bert-config'
import { checkHead, encoderShapes, type Head, headShapes } from './bert-shapes'
import { type ConfigFile, configFile } from './config-file'
import { canonical } from './encoder-names'
import { type GptModel, gpt } from './gpt'
import { type GptConfig, gptConfig, gptShapes } from './gpt-shapes'
import { type LlamaModel, llama } from './llama'
import { type LlamaConfig, llamaConfig, llamaShapes } from './llama-shapes'
import { randomHead } from './random-bert'
import { requireBackend } from './require-backend'
import { bert, type TextModel } from './text-model'

/** How a model out of files is completed. */
export interface PretrainedOptions {
  /** The head of an encoder. Default: the one that `architectures` of config.json names, else `mean`. */
  readonly head?: Head
  /** Seed of the weights of a head that the file does not have. Default 1234. */
  readonly seed?: number
}

/**
 * A model out of the files that Hugging Face's `save_pretrained` writes: BERT, RoBERTa, DistilBERT, GPT-2 or LLaMA.
 *
 * Weights of float16 and bfloat16 become float32. An encoder's head that the file lacks gets random weights, as transformers gives it.
 *
 * @param config the text of config.json
 * @param weights of model.safetensors by name, as `readTensors` of dlg-ts/io gives them; further ones are left alone. Where these are
 * tfjs tensors, the model keeps them and disposes of them.
 * @throws DlgError `invalid-file` for a config of another kind of model, and for weights that are not finite; `invalid-model` naming
 * the first weight that is missing or has another shape; `invalid-option`; `runtime` where tfjs has no backend
 */
export function fromPretrained(
  config: string,
  weights: SharedByName,
  options: PretrainedOptions = {},
): TextModel | GptModel | LlamaModel {
  knownNames('options', options, ['head', 'seed'])
  requireBackend()
  const file = configFile(config)
  requireObject('weights', weights, 'tensors by name', 'invalid-model')
  if (file.model_type === 'gpt2') {
    if (options.head !== undefined) throw noHead(options.head)
    const sizes = gptConfig(file)
    return built(
      weights,
      gptShapes(sizes),
      (name) => name.replace(/^transformer\./, ''),
      (own) => gpt(sizes, own),
    )
  }
  if (file.model_type === 'llama') {
    if (options.head !== undefined) throw noHead(options.head)
    const sizes = llamaConfig(file)
    return built(
      weights,
      llamaShapes(sizes),
      (name) => name.replace(/^model\./, ''),
      (own) => llama(sizes, own),
    )
  }
  const sizes = bertConfig(file)
  const head = checkHead(options.head ?? headOf(file))
  const classes = classesOf(weights)
  const shapes = [...encoderShapes(sizes), ...headShapes(sizes, head, classes)]
  return built(weights, shapes, canonical, (own) => {
    const fresh = randomHead(sizes, head, { classes, seed: options.seed })
    const left = Object.keys(own).map(canonical)
    tf.dispose(left.flatMap((name) => fresh[name] ?? []))
    const missing = Object.fromEntries(Object.entries(fresh).filter(([name]) => !left.includes(name)))
    try {
      return bert(sizes, { ...missing, ...own }, head)
    } catch (error) {
      tf.dispose(missing)
      throw error
    }
  })
}

/** The sizes of the model that config.json describes. @throws DlgError `invalid-file` */
export function sizesOf(file: ConfigFile): BertConfig | GptConfig | LlamaConfig {
  if (file.model_type === 'gpt2') return gptConfig(file)
  return file.model_type === 'llama' ? llamaConfig(file) : bertConfig(file)
}

const noHead = (head: Head): DlgError =>
  new DlgError('invalid-option', `head is ${show(head)}; a decoder has no head to choose, it says the next token`)

/** The head that transformers puts on an encoder of this architecture. */
function headOf({ architectures }: ConfigFile): Head {
  const [name] = Array.isArray(architectures) ? architectures : []
  if (/ForSequenceClassification$/.test(name)) return 'first'
  return /For(MaskedLM|PreTraining)$/.test(name) ? 'mlm' : 'mean'
}

/** Classes of the classifier in the file; 2 where there is none. */
function classesOf(weights: SharedByName): number {
  const found = entriesOf(weights).find(([name]) => canonical(name) === 'classifier.bias')
  return found?.[1].shape[0] ?? 2
}

type Given = ({ readonly shape: readonly number[]; readonly data: ArrayLike<number> } & StoredAs) | tf.Tensor

const entriesOf = (weights: SharedByName): [string, Given][] =>
  (weights instanceof Map ? [...weights] : Object.entries(weights)) as [string, Given][]

/** The model over those of the given weights that it has. What was made for it is freed where it cannot be built. */
function built<M>(
  weights: SharedByName,
  shapes: readonly (readonly [name: string, shape: readonly number[]])[],
  named: (name: string) => string,
  build: (own: tf.NamedTensorMap) => M,
): M {
  const wanted = new Set(shapes.map(([name]) => name))
  const made: tf.Tensor[] = []
  try {
    const own = entriesOf(weights)
      .filter(([name]) => wanted.has(named(name)))
      .map(([name, value]): [string, tf.Tensor] => {
        if (value instanceof tf.Tensor) return [name, value]
        const tensor = tensorOf(name, value)
        made.push(tensor)
        return [name, tensor]
      })
    return build(Object.fromEntries(own))
  } catch (error) {
    tf.dispose(made)
    throw error
  }
}

/** @throws DlgError `invalid-file` for numbers that are not finite */
function tensorOf(name: string, value: Exclude<Given, tf.Tensor>): tf.Tensor {
  if (typeof value !== 'object' || value === null || !Array.isArray(value.shape) || value.data?.length === undefined)
    throw new DlgError('invalid-model', `weight '${name}' is ${show(value)}; it must be a tensor, or {shape, data}`)
  const { shape, data } = value
  if (isWhole(value))
    throw new DlgError(
      'invalid-file',
      `weight '${name}' is of ${value.dtype ?? 'whole numbers'}, packed in few bits; save the model that was trained, in float32, float16 or bfloat16`,
    )
  if (shape.reduce((a, b) => a * b, 1) !== data.length)
    throw new DlgError(
      'invalid-model',
      `weight '${name}' has ${countOf(data.length, 'number')}, which do not make [${shape}]`,
    )
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data)
  for (let i = 0; i < numbers.length; i++)
    if (!Number.isFinite(numbers[i]))
      throw new DlgError('invalid-file', `weight '${name}' has values that are not finite`)
  return tf.tensor(numbers, [...shape], 'float32')
}
