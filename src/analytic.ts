/**
 * Attacks that need no search: they read the data off the gradient with linear algebra, and prove what they found.
 *
 * @module dlg-ts/analytic
 */

export type { FlooredProof } from './attacks/dager/explained'
export { type FirstInputs, spanTokens } from './attacks/dager/first-inputs'
export type { SequenceOptions, SequenceProgress } from './attacks/dager/options'
export type { Projection } from './attacks/dager/seen'
export { type ExactSequences, exactSequences } from './attacks/dager/sequences'
export type {
  BlockNumbers,
  DenseNumbers,
  Explained,
  FirstBlock,
  Placed,
  Transformer,
} from './attacks/dager/transformer'
export type { DenseGradient } from './attacks/dense/dense-gradient'
export { type ExactData, type ExactDataOptions, exactData } from './attacks/dense/exact-data'
export { type FirstDense, firstDense } from './attacks/dense/first-dense'
export { type DenseInput, invertDense } from './attacks/dense/invert-dense'
export {
  type InputCandidate,
  type IsolatedInputs,
  type IsolationOptions,
  isolatedInputs,
} from './attacks/dense/isolated-inputs'
export { lossGradients } from './attacks/dense/loss-gradients'
export { type GradientRank, gradientRanks, type RankOptions } from './attacks/dense/ranks'
export { type ExactPatches, exactPatches } from './attacks/patches/exact-patches'
export {
  type DenseRows,
  type DenseRowsOptions,
  denseRows,
  type Spear,
  type SpearOptions,
  type SpearProgress,
  spear,
} from './attacks/spear'
export { type EmbeddingGroup, type EmbeddingGroups, embeddingGroups } from './attacks/tokens/embedding-groups'
export { type DecodedToken, sequenceLength, type Table, tiedTokenSet, tokenSet } from './attacks/tokens/token-set'
export { type TokensByNorm, tokensByNorm } from './attacks/tokens/tokens-by-norm'
export type { NamedGradients, SharedByName } from './client/shared/read-gradients'
export { type Proof, type ProofOptions, proofOf, type Recovered } from './measure/proof'
