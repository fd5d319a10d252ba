import { hasMethod, requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { BertConfig } from './bert-config'

/** Text to token ids and back. */
export interface TextTokenizer {
  /** Number of tokens it knows. */
  readonly size: number
  readonly first: number
  readonly last: number
  readonly mask: number
  /** Ids of a text, with the first and last token of a sentence around them. */
  encode(text: string): number[]
  /** Text of ids, without the tokens around it. */
  decode(ids: readonly number[]): string
  /** The token of an id as it is written in the vocabulary. */
  token(id: number): string
}

/**
 * Ids of one sentence, checked against the encoder they are for.
 *
 * @throws DlgError `invalid-data` for text that is empty or too long, `invalid-model` for a tokenizer of another encoder
 */
export function encodeFor(model: { readonly config: BertConfig }, tokenizer: TextTokenizer, text: string): number[] {
  requireObject('the model', model, 'an encoder, as bert makes', 'invalid-model')
  const { config } = model
  requireObject("the model's config", config, 'the sizes of an encoder', 'invalid-model')
  if (!hasMethod(tokenizer, 'encode') || typeof tokenizer.size !== 'number')
    throw new DlgError(
      'invalid-model',
      `the tokenizer is ${show(tokenizer)}; it must be what parseTokenizer or wordPiece makes; await it first`,
    )
  if (typeof text !== 'string' || text.trim() === '')
    throw new DlgError('invalid-data', 'the text is empty; give a sentence')
  if (tokenizer.size !== config.vocabularySize)
    throw new DlgError(
      'invalid-model',
      `the tokenizer knows ${tokenizer.size} tokens and the encoder ${config.vocabularySize}: they do not belong together`,
    )
  const ids = tokenizer.encode(text)
  if (ids.length <= 2) throw new DlgError('invalid-data', 'the text has no token; give a sentence')
  if (ids.length > config.positions)
    throw new DlgError('invalid-data', `the text has ${ids.length} tokens; the encoder takes ${config.positions}`)
  return ids
}

/** The part of a tokenizer.json that is read here. */
interface TokenizerFile {
  readonly model: { readonly type?: string; readonly vocab: Record<string, number> }
  readonly truncation: unknown
  readonly padding: unknown
}

/**
 * A tokenizer out of a local Hugging Face tokenizer.json, through @huggingface/tokenizers.
 *
 * Padding and truncation that the file asks for are left out: a sentence is as long as it is.
 *
 * @throws DlgError `invalid-file` when the file is not one, or the package is missing
 */
export async function parseTokenizer(json: string): Promise<TextTokenizer> {
  const file = readFile(json)
  const { Tokenizer } = await load()
  let inner: InstanceType<typeof Tokenizer>
  try {
    inner = new Tokenizer({ ...file, truncation: null, padding: null }, {})
  } catch (cause) {
    throw new DlgError('invalid-file', `tokenizer.json cannot be used: ${(cause as Error).message}`, { cause })
  }
  const id = (token: string): number => {
    const found = inner.token_to_id(token)
    if (found === undefined)
      throw new DlgError('invalid-file', `tokenizer.json has no token ${token}; a BERT tokenizer is needed`)
    return found
  }
  const around = [id('[CLS]'), id('[SEP]')] as const
  const surrounding = new Set<number>(around)
  return {
    size: inner.get_vocab(true).size,
    first: around[0],
    last: around[1],
    mask: id('[MASK]'),
    encode: (text) => [...inner.encode(text).ids],
    decode: (ids) =>
      inner.decode(
        ids.filter((i) => !surrounding.has(i)),
        { skip_special_tokens: false },
      ),
    token: (i) => inner.id_to_token(i) ?? '[UNK]',
  }
}

function readFile(json: string): TokenizerFile {
  try {
    const file = JSON.parse(json)
    if (typeof file?.model?.vocab === 'object' && file.model.vocab !== null) return file
  } catch (cause) {
    throw new DlgError('invalid-file', 'tokenizer.json is not JSON', { cause })
  }
  throw new DlgError('invalid-file', 'tokenizer.json has no vocabulary; the file of a Hugging Face tokenizer is needed')
}

async function load(): Promise<typeof import('@huggingface/tokenizers')> {
  try {
    return await import('@huggingface/tokenizers')
  } catch (cause) {
    throw new DlgError(
      'invalid-file',
      'tokenizer.json needs the package @huggingface/tokenizers; install it with: npm install @huggingface/tokenizers',
      { cause },
    )
  }
}
