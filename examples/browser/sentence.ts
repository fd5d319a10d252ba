import * as tf from '@tensorflow/tfjs-core'
import type { Runtime } from 'dlg-ts'
import {
  type DecodedToken,
  deepLeakageFromText,
  encodeFor,
  randomBert,
  type TextModel,
  type TextTokenizer,
  textGradients,
  wordPiece,
  wordPieceVocabulary,
} from 'dlg-ts/text'
import { ENGLISH } from './english'
import { type SquarePicture, signedPicture } from './signed-picture'

/** The word table's gradient would name the words by itself, so the device keeps it. */
const KEPT = 'embeddings.word_embeddings.weight'

/** What the device sends after one sentence, for the page to show. */
export interface SharedSentence {
  readonly picture: SquarePicture
  readonly numbers: number
  /** The sentence in pieces, as the network reads it. */
  readonly pieces: readonly string[]
}

/** The sentence as the server reads it so far. */
export interface SentenceReport {
  readonly evaluations: number
  readonly milliseconds: number
  readonly relativeLoss: number
  /** With how sure each piece is, by its cosine to the word table. */
  readonly pieces: readonly { readonly text: string; readonly right: boolean; readonly similarity: number }[]
}

/** What the server reads in the end. */
export interface SentenceResult extends SentenceReport {
  readonly status: string
  readonly exact: boolean
  readonly runtime: string
}

interface Scene {
  readonly model: TextModel
  readonly tokenizer: TextTokenizer
  readonly tokens: readonly number[]
  readonly shared: tf.NamedTensorMap
}

/** The two sides of a sentence; what the device has made is freed before the next. */
export function sentences(runtime: Runtime, pause: number) {
  let scene: Scene | undefined
  const free = (): void => {
    scene?.model.dispose()
    tf.dispose(scene?.shared ?? {})
    scene = undefined
  }
  return {
    async share(text: string, seed: number): Promise<SharedSentence> {
      free()
      const vocabulary = wordPieceVocabulary(ENGLISH, 1000)
      const tokenizer = wordPiece(vocabulary)
      const model = randomBert({ vocabularySize: vocabulary.length, seed })
      try {
        const tokens = encodeFor(model, tokenizer, text)
        const { [KEPT]: kept, ...shared } = await textGradients(model, { tokens, label: 1 }, { runtime })
        kept?.dispose()
        scene = { model, tokenizer, tokens, shared }
        const numbers = Float32Array.from(Object.values(shared).flatMap((t) => Array.from(t.dataSync())))
        const pieces = tokens.map((id) => tokenizer.token(id))
        return { picture: signedPicture(numbers), numbers: numbers.length, pieces }
      } catch (error) {
        model.dispose()
        throw error
      }
    },

    async leak(options: {
      seed: number
      onReport(report: SentenceReport): void
      signal: AbortSignal
    }): Promise<SentenceResult> {
      if (!scene) throw new Error('nothing was shared yet')
      const { model, tokenizer, tokens, shared } = scene
      const { seed, onReport, signal } = options
      const piecesOf = (decoded: readonly Pick<DecodedToken, 'token' | 'similarity'>[]) =>
        decoded.map(({ token, similarity }, i) => ({
          ...{ text: tokenizer.token(token), right: token === tokens[i], similarity },
        }))
      let told = Number.NEGATIVE_INFINITY
      const found = await deepLeakageFromText(model, shared, {
        ...{ seed, signal, runtime },
        onIteration({ evaluations, milliseconds, best, tokens: decoded }) {
          if (performance.now() - told < pause) return
          told = performance.now()
          onReport({ evaluations, milliseconds, relativeLoss: best, pieces: piecesOf(decoded()) })
        },
      })
      const { status, exact, runtime: ran, evaluations, milliseconds, relativeLoss, decoded } = found
      const read = found.tokens.map((token, i) => ({ token, similarity: decoded[i]?.similarity ?? 0 }))
      return { status, exact, runtime: ran, evaluations, milliseconds, relativeLoss, pieces: piecesOf(read) }
    },
  }
}
