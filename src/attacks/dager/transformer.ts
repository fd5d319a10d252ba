import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core'
import type { NamedGradients } from '../../client/shared/read-gradients'
import type { Values } from '../../runtime/runtime'
import type { FirstInputs } from './first-inputs'
import type { Projection } from './seen'

/** A token at its position. */
export interface Placed {
  readonly token: number
  readonly position: number
}

/** The first block over a fixed list of placed tokens: its keys and values depend on nothing else. */
export interface FirstBlock {
  /**
   * The input of the second block's projections at position `at` of each trial, [trials, hidden].
   *
   * @param trials sequences as indices into the list, all of the same length
   * @param at which element of each sequence; it attends to the whole sequence it is given
   */
  secondInputs(trials: readonly (readonly number[])[], at: number): Promise<Values>
  /** Frees the tensors of the block. */
  dispose(): void
}

/** A layer y = W x + b, W in rows by output. */
export interface DenseNumbers {
  readonly weight: Values
  readonly bias: Values
}

/**
 * The first block of an encoder in numbers. Attention takes c for a token of input u; then x = LN(u + W_o c + b_o), and
 * h = f(W_1 x + b_1), which W_2 reads.
 */
export interface BlockNumbers {
  readonly heads: number
  readonly query: DenseNumbers
  readonly key: DenseNumbers
  readonly value: DenseNumbers
  /** W_o and b_o. */
  readonly output: DenseNumbers
  readonly norm: { readonly gamma: Values; readonly beta: Values; readonly epsilon: number }
  /** W_1 and b_1. */
  readonly wide: DenseNumbers
  /** f. */
  readonly activation: {
    /** f(x) */
    value(x: number): number
    /** f′(x) */
    derivative(x: number): number
  }
  /** Shared gradients of W_o, W_1 and W_2: their rows are combinations of c, x and h. */
  readonly gradients: { readonly output: Values; readonly wide: Values; readonly narrow: Values }
}

/** Sequences with what the client trained them on, and their gradient. */
export interface Explained {
  /** The sequences, with what the loss alone shows of them: a decoder's last token. */
  readonly sequences: number[][]
  /** Classes of the sequences, where the loss has them. */
  readonly labels?: number[]
  /** The gradient that a client with exactly these would share; the caller owns the tensors. */
  readonly gradients: { readonly [name: string]: Tensor }
}

/** A transformer as far as exact recovery needs it; `transformerOf` in dlg-ts/text makes one of a model. */
export interface Transformer {
  readonly name: string
  /** Whether a position sees only itself and those before it. */
  readonly causal: boolean
  readonly hidden: number
  /** Names of the tables, and whether the word table is the output matrix too. */
  readonly tables?: { readonly words: string; readonly positions: string; readonly tied: boolean }
  /** The tables and the layer norm in front of the first block. */
  firstInputs(): Promise<FirstInputs>
  /** The name under which the transformer knows what a client shares under another one; the same where it does not. */
  named?(name: string): string
  /** Gradients of the query, key and value projections of a block, or of their adapters; none where they are zero or not shared. */
  projections(block: 0 | 1, shared: NamedGradients): Promise<Projection[]>
  /** Positions that the gradient of the position table shows; all that there are, where it was not shared. */
  positions(shared: NamedGradients): Promise<number>
  /** Tokens that the gradient of the word table leaves possible; undefined: any. */
  allowed(shared: NamedGradients, tokens: number): Promise<readonly number[] | undefined>
  /**
   * What the projections of a block read of word embeddings [sequences, tokens, hidden], [sequences · tokens, hidden], in operations
   * that tfjs differentiates. Block 2 is the output: what a decoder's output matrix reads, where that is its word table.
   */
  inputs?(words: Tensor3D, block: 0 | 1 | 2): Tensor2D
  /** The first block over these candidates; the caller disposes it. */
  firstBlock(candidates: readonly Placed[]): FirstBlock
  /** The first block of an encoder in numbers; undefined where the gradients of its matrices were not shared. */
  blockNumbers?(shared: NamedGradients): Promise<BlockNumbers | undefined>
  /**
   * Completes the sequences with what the loss read (last tokens, classes), and computes their gradient.
   *
   * @param inputs what the blocks read of each sequence; one that occurs several times is there as often
   * @param between called between the steps of this work, and awaited: it throws where the work is to end, and what it throws must reach the caller
   */
  explain(
    inputs: readonly (readonly number[])[],
    shared: NamedGradients,
    between?: () => Promise<void>,
  ): Promise<Explained>
  /** The gradient that a client with exactly these sequences and classes would share; the caller owns the tensors. */
  share(
    sequences: readonly (readonly number[])[],
    labels?: readonly number[],
  ): Promise<{ readonly [name: string]: Tensor }>
}

/** What was shared under the transformer's names. */
export const renamed = ({ named }: Transformer, given: NamedGradients): NamedGradients =>
  named ? Object.fromEntries(Object.entries(given).map(([name, tensor]) => [named(name), tensor])) : given
