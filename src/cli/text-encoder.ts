import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'
import { parseSafetensors } from '../io'
import {
  bert,
  encodeFor,
  type Head,
  parseBertConfig,
  parseTokenizer,
  randomBert,
  randomHead,
  type TextModel,
  type TextTokenizer,
  wordPiece,
  wordPieceVocabulary,
} from '../text'
import { ENGLISH } from './text-vocabulary'

/** Most tokens of the small encoder. */
const VOCABULARY = 3000

/** Files of a pretrained encoder. */
export interface EncoderFiles {
  readonly weights: string
  /** Default: tokenizer.json beside the weights. */
  readonly tokenizer?: string
  /** Default: config.json beside the weights. */
  readonly config?: string
}

/** An encoder with a sentence for it. */
export interface Encoder {
  readonly model: TextModel
  readonly tokenizer: TextTokenizer
  readonly tokens: number[]
}

/** The encoder of the files, or else the small one. @throws DlgError naming the file that is missing, damaged, or of another encoder */
export const encoderFor = async (
  files: EncoderFiles | undefined,
  text: string,
  head: Head,
  seed: number,
): Promise<Encoder> => (files ? encoderFromFiles(files, text, head, seed) : smallEncoder(text, head, seed))

/** The small encoder with random weights. */
function smallEncoder(text: string, head: Head, seed: number): Encoder {
  const vocabulary = wordPieceVocabulary(ENGLISH, VOCABULARY)
  const tokenizer = wordPiece(vocabulary)
  const model = randomBert({ vocabularySize: vocabulary.length, head, seed })
  return withTokens(model, tokenizer, text)
}

/**
 * A pretrained encoder; its head has random weights where the file has none.
 *
 * @throws DlgError naming the file that is missing, damaged, or of another encoder
 */
async function encoderFromFiles(
  { weights, ...beside }: EncoderFiles,
  text: string,
  head: Head,
  seed: number,
): Promise<Encoder> {
  const at = (name: string) => join(dirname(weights), name)
  const { config: ofConfig = at('config.json'), tokenizer: ofTokenizer = at('tokenizer.json') } = beside
  // the weights last: they are the most work
  const sizes = await of(ofConfig, (bytes) => parseBertConfig(bytes.toString()))
  const tokenizer = await of(ofTokenizer, (bytes) => parseTokenizer(bytes.toString()))
  encodeFor({ config: sizes }, tokenizer, text)
  const model = await of(weights, (bytes) => {
    const own = floats(bytes)
    const fresh = randomHead(sizes, head, { seed })
    tf.dispose(Object.keys(own).flatMap((name) => fresh[name] ?? []))
    const all = { ...fresh, ...own }
    try {
      return bert(sizes, all, head)
    } catch (error) {
      tf.dispose(all)
      throw error
    }
  })
  return withTokens(model, tokenizer, text)
}

function withTokens(model: TextModel, tokenizer: TextTokenizer, text: string): Encoder {
  try {
    return { model, tokenizer, tokens: encodeFor(model, tokenizer, text) }
  } catch (error) {
    model.dispose()
    throw error
  }
}

function floats(bytes: Uint8Array): tf.NamedTensorMap {
  const found = [...parseSafetensors(bytes).tensors].flatMap(([name, { data, shape }]) =>
    data instanceof Float32Array ? [{ name, data, shape }] : [],
  )
  const broken = found.find(({ data }) => !data.every(Number.isFinite))
  if (broken) throw new DlgError('invalid-file', `weight '${broken.name}' has values that are not finite`)
  return Object.fromEntries(
    found.map(({ name, data, shape }) => [name, tf.tensor(data, [...shape], 'float32')] as const),
  )
}

/** What a file holds, with its path in every error. */
async function of<T>(path: string, parse: (bytes: Buffer) => T | Promise<T>): Promise<T> {
  const bytes = read(path)
  try {
    return await parse(bytes)
  } catch (cause) {
    if (cause instanceof DlgError) throw new DlgError(cause.code, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}

function read(path: string): Buffer {
  if (!existsSync(path)) throw new DlgError('invalid-file', `${path}: no such file`)
  if (statSync(path).isDirectory()) throw new DlgError('invalid-file', `${path}: is a directory`)
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new DlgError('invalid-file', `${path}: cannot be read: ${(cause as Error).message}`, { cause })
  }
}
