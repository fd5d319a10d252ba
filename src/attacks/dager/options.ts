import { PRECISIONS, type StatedPrecision } from '../../client/shared/rounding'
import { choice, count, knownNames, number, requireListener, requireSignal } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { TOLERANCE } from '../../measure/proof'

/** Options of `exactSequences`. */
export interface SequenceOptions {
  /** How many sequences the gradient is said to average: a hint. How many there are is part of the result. */
  batchSize?: number
  /** Most of a vector that may lie outside a span, by length, where there is no noise. Default 1e-3: rounding leaves 1e-5, one wrong token 5e-3 and more. */
  spanTolerance?: number
  /** Residual up to which a proof holds, whatever the precision. Default 1e-4. */
  tolerance?: number
  /** What was shared is this many times the gradient; `auto` fits the factor, of either sign. Default 1. */
  scale?: 'auto' | number
  /** The type in which gradients were shared, where neither the tensors nor their numbers show it. */
  precision?: StatedPrecision
  /** Most milliseconds. The best so far is returned. */
  budget?: { readonly milliseconds?: number }
  /** Ends the search with the best so far, within 200 ms; or after one gradient of the model, which is computed in one go and takes longer where the model is large. */
  signal?: AbortSignal
  /** Told of every step of the way, and of every sequence that is found. */
  onProgress?: (progress: SequenceProgress) => void
}

/** How far `exactSequences` is. */
export interface SequenceProgress {
  readonly step: 'spans' | 'candidates' | 'sequences' | 'proof'
  /** Sequences, or beginnings of such, that are followed or found so far. */
  readonly sequences: number
}

/** Names of the options. */
export const SEQUENCE_OPTIONS = [
  ...(['batchSize', 'spanTolerance', 'tolerance', 'scale', 'precision'] as const),
  ...(['budget', 'signal', 'onProgress'] as const),
]

/** @throws DlgError `invalid-option` */
export function checkTolerances(options: Pick<SequenceOptions, 'spanTolerance' | 'tolerance'>): void {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined) number(name, value, (v) => v > 0 && v < 1, 'a number in (0, 1)')
}

export type SequenceSettings = ReturnType<typeof sequenceSettings>

/** The options with their defaults. @throws DlgError `invalid-option`; `aborted` where the signal was aborted before */
export function sequenceSettings(options: SequenceOptions) {
  const { batchSize, spanTolerance = 1e-3, tolerance = TOLERANCE, scale = 1, precision, budget = {} } = options
  const { signal, onProgress } = options
  if (batchSize !== undefined) count('batchSize', batchSize)
  checkTolerances({ spanTolerance, tolerance })
  if (scale !== 'auto') number('scale', scale, (v) => v !== 0 && Number.isFinite(v), "'auto' or a number other than 0")
  if (precision !== undefined) choice('precision', precision, PRECISIONS)
  knownNames('budget', budget, ['milliseconds', 'evaluations'])
  const { milliseconds } = budget
  if (milliseconds !== undefined) number('budget.milliseconds', milliseconds, (v) => v > 0, 'a number above 0')
  requireSignal('signal', signal)
  requireListener('onProgress', onProgress)
  if (signal?.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
  return { batchSize, spanTolerance, tolerance, scale, precision, budget: milliseconds, signal, onProgress }
}
