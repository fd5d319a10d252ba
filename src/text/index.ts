export { type FirstInputs, spanTokens } from '../analytic/first-inputs'
export { type DecodedToken, sequenceLength, type Table, tiedTokenSet, tokenSet } from '../analytic/token-set'
export { balanced } from '../objective/distance'
export type { NamedGradients as TextGradients } from '../sharing/read-gradients'
export {
  deepLeakageFromText,
  STEPS,
  type TextIterationEvent,
  type TextLeakage,
  type TextLeakageOptions,
} from './attack-text'
export { type BertConfig, parseBertConfig } from './config'
export { tag } from './distance'
export { type GptModel, gpt } from './gpt'
export type { GptConfig } from './gpt-shapes'
export { type MaskedSentence, maskTokens } from './masking'
export { nextTokenGradients } from './next-token'
export { type RandomBertOptions, randomBert, randomHead } from './random-bert'
export { type RandomGptOptions, randomGpt } from './random-gpt'
export type { Head } from './shapes'
export { tokensBySpan } from './shared-text'
export { type TextSample, textGradients } from './text-gradients'
export { bert, type TextModel } from './text-model'
export { encodeFor, parseTokenizer, type TextTokenizer } from './tokenizer'
export {
  bagAccuracy,
  nearestTokens,
  tokenAccuracy,
} from './tokens'
export { transformerOf } from './transformer-of'
export { wordPiece, wordPieceVocabulary } from './word-piece'
