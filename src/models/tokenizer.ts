import { hasMethod, requireObject, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'

/** Text to token ids and back. */
export interface TextTokenizer {
  /** Number of tokens it knows. */
  readonly size: number
  /** The token in front of every sentence; undefined where there is none, as in GPT-2. */
  readonly first?: number
  /** The token behind every sentence; undefined where there is none, as in GPT-2 and LLaMA. */
  readonly last?: number
  /** The token in the place of a hidden one; undefined where the model hides none. */
  readonly mask?: number
  /** Ids of a text, with the first and last token of a sentence around them, where there are such. */
  encode(text: string): number[]
  /** Text of ids, without the tokens around it. */
  decode(ids: readonly number[]): string
  /** The token of an id as it is written in the vocabulary. */
  token(id: number): string
}

/** A sentence without the tokens that stand around every one. */
export function inside(ids: readonly number[], { first, last }: TextTokenizer): number[] {
  const from = first !== undefined && ids[0] === first ? 1 : 0
  const end = last !== undefined && ids.length > from && ids[ids.length - 1] === last ? ids.length - 1 : ids.length
  return ids.slice(from, end)
}

/**
 * Ids of one sentence, checked against the model they are for.
 *
 * @throws DlgError `invalid-data` for text that is empty or too long, `invalid-model` for a tokenizer of another model
 */
export function encodeFor(
  model: { readonly config: { readonly vocabularySize: number; readonly positions: number } },
  tokenizer: TextTokenizer,
  text: string,
): number[] {
  requireObject('the model', model, 'an encoder or decoder, as bert, gpt or llama makes', 'invalid-model')
  const { config } = model
  requireObject("the model's config", config, 'the sizes of an encoder or decoder', 'invalid-model')
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
      `the tokenizer knows ${countOf(tokenizer.size, 'token')} and the model ${config.vocabularySize}: they do not belong together`,
    )
  const ids = idsOf(tokenizer, text)
  if (inside(ids, tokenizer).length === 0) throw new DlgError('invalid-data', 'the text has no token; give a sentence')
  if (ids.length > config.positions)
    throw new DlgError(
      'invalid-data',
      `the text has ${countOf(ids.length, 'token')}; the model takes ${config.positions}`,
    )
  return ids
}

/** What a tokenizer gives, which may be the caller's own. @throws DlgError `invalid-model` for what are no token ids */
function idsOf(tokenizer: TextTokenizer, text: string): number[] {
  const { size } = tokenizer
  const given: unknown = tokenizer.encode(text)
  const ids = Array.isArray(given) || ArrayBuffer.isView(given) ? Array.from(given as ArrayLike<unknown>) : undefined
  if (ids?.every((id): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < size)) return ids
  throw new DlgError(
    'invalid-model',
    `encode() of the tokenizer gave ${show(given)}; it must give a list of token ids, whole numbers from 0 to ${size - 1}`,
  )
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
 * Any that the package knows: WordPiece, as BERT's and DistilBERT's; byte-level BPE, as GPT-2's and RoBERTa's; BPE and Unigram over
 * characters, as the first LLaMA's and XLM-R's. Padding and truncation that the file asks for are left out: a sentence is as long as it is.
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
  const { first, last } = aroundBy(inner)
  const mask = inner.token_to_id('[MASK]') ?? inner.token_to_id('<mask>')
  const surrounding = new Set([first, last])
  return {
    size: inner.get_vocab(true).size,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    ...(mask !== undefined && { mask }),
    encode: (text) => [...inner.encode(text).ids],
    decode: (ids) =>
      inner.decode(
        ids.filter((i) => !surrounding.has(i)),
        { skip_special_tokens: false },
      ),
    token: (i) => inner.id_to_token(i) ?? '[UNK]',
  }
}

/**
 * The tokens that stand around every sentence.
 *
 * @throws DlgError `invalid-file` where there are several before or behind it, or the vocabulary lacks them
 */
function aroundBy(
  inner: Pick<import('@huggingface/tokenizers').Tokenizer, 'tokenize' | 'token_to_id'>,
): Pick<TextTokenizer, 'first' | 'last'> {
  const [whole, plain] = [true, false].map((special) => inner.tokenize('a', { add_special_tokens: special }))
  const before = whole.findIndex((_, i) => plain.every((token, j) => whole[i + j] === token))
  const after = whole.length - plain.length - before
  if (before < 0 || before > 1 || after > 1)
    throw new DlgError(
      'invalid-file',
      'tokenizer.json puts more than one token before or behind a sentence, which is not supported',
    )
  const id = (token: string): number => {
    const found = inner.token_to_id(token)
    if (found === undefined)
      throw new DlgError('invalid-file', `tokenizer.json has no token ${token}, which stands around every sentence`)
    return found
  }
  return {
    first: before === 1 ? id(whole[0]) : undefined,
    last: after === 1 ? id(whole[whole.length - 1]) : undefined,
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
