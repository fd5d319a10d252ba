import { DlgError } from '../../errors/dlg-error'
import { isRecord, quote } from '../bytes/untrusted'

type Json = Record<string, unknown>

/** The way out where TensorFlow.js has no such layer. */
const WAY = "export the model as ONNX, from the backend TensorFlow: model.export('net.onnx', format='onnx')"

/** What TensorFlow.js does with an option of a layer that it does not know: nothing. So one that says something is refused. */
interface Unknown {
  readonly option: string
  /** Values that say nothing. */
  readonly none: (value: unknown) => boolean
  readonly right: string
}

const isOnes = (value: unknown): boolean => [value].flat().every((n) => n === 1 || n === undefined || n === null)
const isUnset = (value: unknown): boolean => value === undefined || value === null || value === false

const GROUPS: Unknown = { option: 'groups', none: isOnes, right: '1' }
const DILATION: Unknown = { option: 'dilation_rate', none: isOnes, right: '1' }
const OUTPUT_PADDING: Unknown = { option: 'output_padding', none: isUnset, right: 'None' }
const KEEPS: Unknown = { option: 'keepdims', none: isUnset, right: 'False' }
const CAUSAL: Unknown = { option: 'padding', none: (value) => value !== 'causal', right: "'valid' or 'same'" }

const UNKNOWN: Readonly<Record<string, readonly Unknown[]>> = {
  Conv1D: [GROUPS, CAUSAL],
  Conv2D: [GROUPS],
  Conv3D: [GROUPS],
  DepthwiseConv2D: [DILATION],
  Conv2DTranspose: [DILATION, OUTPUT_PADDING],
  Conv3DTranspose: [DILATION, OUTPUT_PADDING],
  GlobalAveragePooling1D: [KEEPS],
  GlobalAveragePooling2D: [KEEPS],
  GlobalMaxPooling1D: [KEEPS],
  GlobalMaxPooling2D: [KEEPS],
  UpSampling2D: [
    // with TensorFlow.js a pixel is its corner, with Keras its centre
    { option: 'interpolation', none: (value) => value === undefined || value === 'nearest', right: "'nearest'" },
  ],
}

/** Activations of Keras 3 under their names in TensorFlow.js. */
const ACTIVATIONS: Readonly<Record<string, string>> = { silu: 'swish' }

/** Options that name an activation. */
const ACTIVATED = ['activation', 'recurrent_activation']

/**
 * A layer as TensorFlow.js has it: some have another name there, or their options do.
 *
 * @param config in the words of Keras 2 but for what is changed here
 * @param said what a message calls the layer
 * @throws DlgError `invalid-file` for what TensorFlow.js would leave out of the model without a word
 */
export function inTfjs(
  kind: unknown,
  config: Json,
  said: string,
): { readonly class_name: unknown; readonly config: Json } {
  const refuse = (what: string) => new DlgError('invalid-file', `${said} ${what}, which TensorFlow.js lacks; ${WAY}`)
  for (const { option, none, right } of UNKNOWN[String(kind)] ?? [])
    if (!none(config[option]))
      throw new DlgError(
        'invalid-file',
        `${said} is a ${kind} with ${option} ${quote(config[option])}, which TensorFlow.js does otherwise; it must be ${right}, or ${WAY}`,
      )
  if (!isUnset(config.activity_regularizer)) throw refuse('has an activity_regularizer')
  const own: Json = { ...config }
  for (const option of ACTIVATED) {
    const word = config[option]
    // that of TensorFlow.js is the one of Keras 2, with the slope 1/5 in place of 1/6
    if (word === 'hard_sigmoid') throw refuse(`has the ${option} ${quote(word)} of Keras 3`)
    if (typeof word === 'string' && Object.hasOwn(ACTIVATIONS, word)) own[option] = ACTIVATIONS[word]
    // a layer as an activation
    if (isRecord(word) && isRecord(word.config))
      own[option] = { ...word, ...inTfjs(word.class_name, word.config, said) }
  }
  for (const [option, value] of Object.entries(config))
    if (option.endsWith('_regularizer')) own[option] = regularizerOf(value)
  if (kind === 'LeakyReLU')
    return { class_name: kind, config: { ...own, alpha: config.negative_slope ?? config.alpha } }
  return kind === 'ReLU' ? rectifier(own, refuse) : { class_name: kind, config: own }
}

/** `L1` and `L2` are one class there. */
function regularizerOf(value: unknown): unknown {
  if (!isRecord(value) || (value.class_name !== 'L1' && value.class_name !== 'L2')) return value
  const { l1 = 0, l2 = 0 } = isRecord(value.config) ? value.config : {}
  return { class_name: 'L1L2', config: { l1, l2 } }
}

/** A ReLU with a slope below 0 or with a threshold is a layer of its own there. */
function rectifier(config: Json, refuse: (what: string) => DlgError): { class_name: string; config: Json } {
  const { negative_slope: slope = 0, threshold = 0, max_value: most, ...rest } = config
  const isPlain = [slope, threshold].every((value) => value === 0 || value === null)
  if (isPlain) return { class_name: 'ReLU', config: { ...rest, max_value: most } }
  if (isUnset(most) && (threshold === 0 || threshold === null))
    return { class_name: 'LeakyReLU', config: { ...rest, alpha: slope } }
  if (isUnset(most) && (slope === 0 || slope === null))
    return { class_name: 'ThresholdedReLU', config: { ...rest, theta: threshold } }
  throw refuse('is a ReLU with two of negative_slope, threshold and max_value')
}

/** Options in which the two directions of a Bidirectional differ by nature, or without consequence. */
const OF_DIRECTION = /^(name|go_backwards|seed|dtype|trainable)$|_initializer$/

/** Without what tells one object of a file from another of the same kind. */
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf)
  if (!isRecord(value)) return value
  const { shared_object_id: _, registered_name: __, module: ___, ...rest } = value
  return Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, plainOf(each)]))
}

/** TensorFlow.js makes the backward direction of the forward one. @throws DlgError `invalid-file` where it is another layer */
export function requireMirrored(config: Json, said: string): void {
  const { layer, backward_layer: backward } = config
  if (!isRecord(layer) || !isRecord(backward) || !isRecord(layer.config) || !isRecord(backward.config)) return
  const [forth, back] = [layer.config, backward.config]
  const keys = [...new Set([...Object.keys(forth), ...Object.keys(back)])].filter((key) => !OF_DIRECTION.test(key))
  const other = keys.find((key) => JSON.stringify(plainOf(forth[key])) !== JSON.stringify(plainOf(back[key])))
  const differs = layer.class_name !== backward.class_name ? 'class' : other
  if (differs === undefined && Boolean(forth.go_backwards) !== Boolean(back.go_backwards)) return
  throw new DlgError(
    'invalid-file',
    `${said} has two directions that differ in ${quote(differs ?? 'go_backwards')}, which TensorFlow.js does otherwise; ${WAY}`,
  )
}

/** Every layer of a model, those within others too. */
function* layersOf(value: unknown, depth = 0): Generator<Json> {
  if (!isRecord(value) || !isRecord(value.config) || depth > 64) return
  yield value
  const { layers, layer } = value.config
  for (const each of [Array.isArray(layers) ? layers : [], layer].flat()) yield* layersOf(each, depth + 1)
}

/** TensorFlow.js hides steps from recurrent layers of one direction alone. @throws DlgError `invalid-file` for other layers behind a mask */
export function requireNoMask(model: unknown, name: string): void {
  const all = [...layersOf(model)]
  const masking = all.find(
    ({ class_name, config }) =>
      class_name === 'Masking' || (class_name === 'Embedding' && isRecord(config) && config.mask_zero === true),
  )
  const reader = all.find(({ class_name, config }) => {
    if (class_name === 'GlobalAveragePooling1D') return true
    // Keras gives zeros for hidden steps here, TensorFlow.js the output of the step before
    const within = class_name === 'Bidirectional' && isRecord(config) ? config.layer : undefined
    const [own, zeros] = isRecord(within)
      ? [within.config, true]
      : [config, isRecord(config) && config.zero_output_for_mask]
    return isRecord(own) && own.return_sequences === true && zeros === true
  })
  if (!masking || !reader) return
  const called = ({ class_name, config }: Json) => `${quote(isRecord(config) ? config.name : '')}, a ${class_name}`
  throw new DlgError(
    'invalid-file',
    `${name}: layer ${called(masking)}, hides steps, which TensorFlow.js does not hide from layer ${called(reader)}; ${WAY}`,
  )
}
