import { clipping, composed, type Defence, dpSgd, gaussianNoise, pruning, quantised, signs } from '../../src/defences'

/** Defences of a table and of text. A fixed variance means another thing for every network, so that noise is relative to each tensor. */
export const DEFENCES: readonly Defence[] = [
  ...[1e-4, 1e-3, 1e-2, 1e-1, 1].map((relative) => gaussianNoise({ relative })),
  ...(['float16', 'bfloat16', 'int8'] as const).map((type) => quantised(type)),
  ...[0.1, 0.5, 0.9, 0.99].map((part) => pruning({ part })),
  signs(),
  clipping({ norm: 0.01 }),
  composed(clipping({ norm: 1 }), gaussianNoise({ relative: 1e-2 })),
  dpSgd({ clip: 1, noiseMultiplier: 1 }),
]
