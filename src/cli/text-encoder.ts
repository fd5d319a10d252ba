import { DlgError } from '../errors/dlg-error'
import { parseSafetensors } from '../io'
import { configFile } from '../models/config-file'
import { sizesOf } from '../models/from-pretrained'
import {
  encodeFor,
  fromPretrained,
  type GptModel,
  type Head,
  type LlamaModel,
  parseTokenizer,
  randomBert,
  type TextModel,
  type TextTokenizer,
  wordPiece,
  wordPieceVocabulary,
} from '../text'
import { type ModelFiles, pathsOf, readFile } from './text-files'
import { ENGLISH } from './text-vocabulary'

/** Most tokens of the small encoder. */
const VOCABULARY = 3000

/** A model with sentences for it. */
export interface Prepared {
  readonly model: TextModel | GptModel | LlamaModel
  readonly tokenizer: TextTokenizer
  /** Ids of each sentence. */
  readonly tokens: number[][]
}

/**
 * The model of the files, or else a small encoder with random weights. An encoder's head has random weights where the file has none.
 *
 * @param head default: the one that config.json names, else `mean`
 * @throws DlgError naming the file that is missing, damaged, or of another model
 */
export async function modelFor(
  files: ModelFiles | undefined,
  texts: readonly string[],
  head: Head | undefined,
  seed: number,
): Promise<Prepared> {
  if (!files) {
    const vocabulary = wordPieceVocabulary(ENGLISH, VOCABULARY)
    const tokenizer = wordPiece(vocabulary)
    return encoded(randomBert({ vocabularySize: vocabulary.length, head, seed }), tokenizer, texts)
  }
  const paths = pathsOf(files)
  // the weights last: they are the most work
  const config = await of(paths.config, (bytes) => bytes.toString())
  const sizes = await of(paths.config, () => sizesOf(configFile(config)))
  const tokenizer = await of(paths.tokenizer, (bytes) => parseTokenizer(bytes.toString()))
  for (const text of texts) encodeFor({ config: sizes }, tokenizer, text)
  const model = await of(paths.weights, (bytes) =>
    fromPretrained(config, floats(bytes), { ...(head && { head }), seed }),
  )
  return encoded(model, tokenizer, texts)
}

function encoded(model: Prepared['model'], tokenizer: TextTokenizer, texts: readonly string[]): Prepared {
  try {
    return { model, tokenizer, tokens: texts.map((text) => encodeFor(model, tokenizer, text)) }
  } catch (error) {
    model.dispose()
    throw error
  }
}

/** Tensors of numbers; positions and masks, which older files have as whole numbers, are none. */
const floats = (bytes: Uint8Array) =>
  new Map(
    [...parseSafetensors(bytes).tensors].flatMap(([name, { data, shape }]) =>
      data instanceof Float32Array ? [[name, { data, shape }] as const] : [],
    ),
  )

/** What a file holds, with its path in every error. */
async function of<T>(path: string, parse: (bytes: Buffer) => T | Promise<T>): Promise<T> {
  const bytes = readFile(path)
  try {
    return await parse(bytes)
  } catch (cause) {
    if (cause instanceof DlgError) throw new DlgError(cause.code, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}
