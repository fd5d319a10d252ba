import { choice } from '../errors/checks'
import type { BertConfig } from './bert-config'

/** The part between the encoder's output and the training loss. */
export type Head = 'mean' | 'first' | 'mlm'

const HEADS: readonly Head[] = ['mean', 'first', 'mlm']

/** @throws DlgError `invalid-option` */
export const checkHead = (head: Head): Head => choice('head', head, HEADS)

/** Name of the word-embedding table. */
export const WORDS = 'embeddings.word_embeddings.weight'
/** Name of the position table: its gradient shows how long the sentence was. */
export const POSITIONS = 'embeddings.position_embeddings.weight'
/** Name of the table of token types, which DistilBERT does not have. */
export const TYPES = 'embeddings.token_type_embeddings.weight'
/** Names of the biases at the end of the heads: their gradient shows the labels. */
export const CLASS_BIAS = 'classifier.bias'
export const TOKEN_BIAS = 'cls.predictions.bias'

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[]

const dense = (name: string, inputs: number, outputs: number): Shapes => [
  [`${name}.weight`, [outputs, inputs]],
  [`${name}.bias`, [outputs]],
]
const layerNorm = (name: string, size: number): Shapes => [
  [`${name}.weight`, [size]],
  [`${name}.bias`, [size]],
]

/** Weights of the encoder by their Hugging Face names, in the order of PyTorch's parameters. */
export function encoderShapes(config: BertConfig): Shapes {
  const { vocabularySize, hidden, intermediate, positions, typeVocabulary } = config
  const block = (at: string): Shapes => [
    ...['query', 'key', 'value'].flatMap((part) => dense(`${at}.attention.self.${part}`, hidden, hidden)),
    ...dense(`${at}.attention.output.dense`, hidden, hidden),
    ...layerNorm(`${at}.attention.output.LayerNorm`, hidden),
    ...dense(`${at}.intermediate.dense`, hidden, intermediate),
    ...dense(`${at}.output.dense`, intermediate, hidden),
    ...layerNorm(`${at}.output.LayerNorm`, hidden),
  ]
  return [
    [WORDS, [vocabularySize, hidden]],
    [POSITIONS, [positions + (config.positionOffset ?? 0), hidden]],
    ...(typeVocabulary > 0 ? ([[TYPES, [typeVocabulary, hidden]]] as const) : []),
    ...layerNorm('embeddings.LayerNorm', hidden),
    ...Array.from({ length: config.layers }, (_, i) => block(`encoder.layer.${i}`)).flat(),
  ]
}

/** Weights of a head. The masked-LM decoder has the word embeddings for its matrix. */
export function headShapes({ hidden, vocabularySize }: BertConfig, head: Head, classes: number): Shapes {
  if (head === 'mlm')
    return [
      ...dense('cls.predictions.transform.dense', hidden, hidden),
      ...layerNorm('cls.predictions.transform.LayerNorm', hidden),
      [TOKEN_BIAS, [vocabularySize]],
    ]
  return [...(head === 'first' ? dense('pooler.dense', hidden, hidden) : []), ...dense('classifier', hidden, classes)]
}
