/**
 * Attacks on transformers that read tokens, with an encoder, a decoder and tokenizers to try them on.
 *
 * @module dlg-ts/text
 */

export { type FirstInputs, spanTokens } from './attacks/dager/first-inputs'
export type { Projection } from './attacks/dager/seen'
export type {
  BlockNumbers,
  DenseNumbers,
  Explained,
  FirstBlock,
  Placed,
  Transformer,
} from './attacks/dager/transformer'
export { balanced } from './attacks/matching/objective/distance'
export {
  deepLeakageFromText,
  STEPS,
  type TextIterationEvent,
  type TextLeakage,
  type TextLeakageOptions,
} from './attacks/text/attack-text'
export { classGradients } from './attacks/text/class-gradients'
export { tag } from './attacks/text/distance'
export { type MaskedSentence, maskTokens } from './attacks/text/masking'
export { nextTokenGradients } from './attacks/text/next-token'
export { tokensBySpan } from './attacks/text/shared-text'
export { type TextSample, textGradients } from './attacks/text/text-gradients'
export {
  bagAccuracy,
  nearestTokens,
  tokenAccuracy,
} from './attacks/text/tokens'
export { transformerOf } from './attacks/text/transformer-of'
export { type DecodedToken, sequenceLength, type Table, tiedTokenSet, tokenSet } from './attacks/tokens/token-set'
export type { NamedGradients as TextGradients } from './client/shared/read-gradients'
export { type BertConfig, parseBertConfig } from './models/bert-config'
export type { Head } from './models/bert-shapes'
export { fromPretrained, type PretrainedOptions } from './models/from-pretrained'
export { type GptModel, gpt } from './models/gpt'
export type { GptConfig } from './models/gpt-shapes'
export { type LlamaModel, llama } from './models/llama'
export type { LlamaConfig } from './models/llama-shapes'
export { type Adapter, type Lora, type LoraOptions, lora } from './models/lora'
export { type RandomBertOptions, randomBert, randomHead } from './models/random-bert'
export { type RandomGptOptions, randomGpt } from './models/random-gpt'
export { type RandomLlamaOptions, randomLlama } from './models/random-llama'
export { type RandomLoraOptions, randomLora } from './models/random-lora'
export { bert, type TextModel } from './models/text-model'
export { encodeFor, parseTokenizer, type TextTokenizer } from './models/tokenizer'
export { wordPiece, wordPieceVocabulary } from './models/word-piece'
