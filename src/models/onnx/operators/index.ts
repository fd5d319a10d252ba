import type { Operators } from '../call'
import { attentionOperators } from './attention'
import { constantOperators } from './constant'
import { convolutionOperators } from './convolution'
import { elementwiseOperators } from './elementwise'
import { indexingOperators } from './indexing'
import { normalizationOperators } from './normalization'
import { productOperators } from './product'
import { recurrentOperators } from './recurrent'
import { reductionOperators } from './reduction'
import { resizeOperators } from './resize'
import { structureOperators } from './structure'

/** Every operator that can be read, but for `If`, whose branches are graphs. */
export const operators: Operators = {
  ...elementwiseOperators,
  ...productOperators,
  ...attentionOperators,
  ...structureOperators,
  ...indexingOperators,
  ...constantOperators,
  ...reductionOperators,
  ...normalizationOperators,
  ...convolutionOperators,
  ...resizeOperators,
  ...recurrentOperators,
}
