import { convolutionKernels } from './convolution'
import { elementwiseKernels } from './elementwise'
import { indexingKernels } from './indexing'
import type { TraceKernels } from './kernel'
import { normalizationKernels } from './normalization'
import { poolingKernels } from './pooling'
import { productKernels } from './product'
import { reductionKernels } from './reduction'
import { resizeKernels } from './resize'
import { structureKernels } from './structure'

/** Every tfjs kernel that can be traced, but for `Cast`, whose meaning depends on dtypes. */
export const kernels: TraceKernels = {
  ...elementwiseKernels,
  ...reductionKernels,
  ...structureKernels,
  ...indexingKernels,
  ...productKernels,
  ...convolutionKernels,
  ...poolingKernels,
  ...normalizationKernels,
  ...resizeKernels,
}
