import type { OpCase } from './case'
import { convolutionCases } from './convolution'
import { binaryCases, elementwiseCases } from './elementwise'
import { lossCases } from './loss'
import { normalizationCases } from './normalization'
import { poolingCases } from './pooling'
import { productCases } from './product'
import { reductionCases } from './reduction'
import { structureCases } from './structure'

export const opCases: OpCase[] = [
  ...elementwiseCases,
  ...binaryCases,
  ...reductionCases,
  ...structureCases,
  ...productCases,
  ...convolutionCases,
  ...poolingCases,
  ...normalizationCases,
  ...lossCases,
]
