export {
  deepLeakageFromText,
  STEPS,
  type TextIterationEvent,
  type TextLeakage,
  type TextLeakageOptions,
} from './attack-text'
export { type BertConfig, parseBertConfig } from './config'
export { balanced, tag } from './distance'
export { type MaskedSentence, maskTokens } from './masking'
export { type RandomBertOptions, randomBert, randomHead } from './random-bert'
export type { Head } from './shapes'
export { type TextGradients, tokensBySpan } from './shared-text'
export { type FirstInputs, spanTokens } from './span'
export { type TextSample, textGradients } from './text-gradients'
export { bert, type TextModel } from './text-model'
export { encodeFor, parseTokenizer, type TextTokenizer } from './tokenizer'
export {
  bagAccuracy,
  type DecodedToken,
  nearestTokens,
  sequenceLength,
  type Table,
  tiedTokenSet,
  tokenAccuracy,
  tokenSet,
} from './tokens'
export { wordPiece, wordPieceVocabulary } from './word-piece'
