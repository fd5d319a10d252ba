import { show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** What Hugging Face calls config.json, as it was read. */
export type ConfigFile = Readonly<Record<string, unknown>>

/** Activations by the names of Hugging Face. */
const ACTIVATIONS = {
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_fast: 'gelu_new',
  relu: 'relu',
} as const

/** `gelu` is x·Φ(x) with the error function, `gelu_new` its approximation by tanh. */
export type Activation = (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS]

/** Every activation. */
export const activationNames: readonly Activation[] = ['gelu', 'gelu_new', 'relu']

/** @throws DlgError `invalid-file` for text that is no JSON object */
export function configFile(json: string): ConfigFile {
  if (typeof json !== 'string')
    throw new DlgError('invalid-file', `config.json is ${show(json)}; it must be the text of the file`)
  let file: unknown
  try {
    file = JSON.parse(json)
  } catch (cause) {
    throw new DlgError('invalid-file', 'config.json is not JSON', { cause })
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new DlgError('invalid-file', 'config.json is not an object')
  return file as ConfigFile
}

/** The activation that a field of config.json names. @throws DlgError `invalid-file` */
export function activationOf(file: ConfigFile, field: string, otherwise: Activation): Activation {
  const name = file[field] ?? otherwise
  if (typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name as keyof typeof ACTIVATIONS]
  throw new DlgError(
    'invalid-file',
    `config.json has ${field} ${show(name)}; known are ${Object.keys(ACTIVATIONS).join(', ')}`,
  )
}

/**
 * Refuses a field whose value changes what the model computes in a way that is not supported.
 *
 * @throws DlgError `invalid-file`
 */
export function requireField(file: ConfigFile, field: string, known: readonly unknown[], why: string): void {
  const value = file[field]
  if (value === undefined || value === null || known.includes(value)) return
  throw new DlgError('invalid-file', `config.json has ${field} ${show(value)}: ${why}`)
}

/** @throws DlgError `invalid-file` for weights that were packed, of which there is no gradient */
export function requireFloats(file: ConfigFile): void {
  const { quantization_config: packed } = file
  if (typeof packed !== 'object' || packed === null || Object.keys(packed).length === 0) return
  const { quant_method: method } = packed as { readonly quant_method?: unknown }
  throw new DlgError(
    'invalid-file',
    `config.json has quantization_config${method === undefined ? '' : `, quant_method ${show(method)}`}: its weights are packed in few bits; save the model that was trained, in float32, float16 or bfloat16`,
  )
}

/** What follows a decoder, by the ends of names that transformers gives to architectures. */
const OTHER_END = /(For(Sequence|Token)Classification|ForQuestionAnswering|DoubleHeadsModel|ForMultipleChoice)$/

/** @throws DlgError `invalid-file` for a decoder that classifies, or says something else than the next token */
export function requireNextToken({ architectures }: ConfigFile): void {
  const other = (Array.isArray(architectures) ? architectures : []).find(
    (name) => typeof name === 'string' && OTHER_END.test(name),
  )
  if (other === undefined) return
  throw new DlgError(
    'invalid-file',
    `config.json is of a '${other}'; of a decoder only the model that says the next token is supported, such as GPT2LMHeadModel or LlamaForCausalLM`,
  )
}
