import { choice, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { Baseline } from './baselines'

/**
 * How a search ended. Only `converged` means that the shared gradient was matched: to the tolerance, or, unless that is 0, to a
 * relative loss of 1e-7 (of an update, four times what rounding its weights leaves, at most 1e-4) where float32 arithmetic or the
 * iterations ended the search.
 */
export type Status = 'converged' | 'max-iterations' | 'diverged' | 'stalled' | 'aborted' | 'budget'

/** How an attack ended: as its best search did, or with a match that what was shared does not determine. */
export type LeakageStatus = Status | 'undetermined'

const STATUSES: readonly LeakageStatus[] = [
  ...(['converged', 'undetermined', 'max-iterations', 'diverged', 'stalled', 'aborted', 'budget'] as const),
]

/** PSNR in dB from which data can be taken for the original; noise that has its colours gets to some 15. */
export const ALIKE = 20

/** dB by which a reconstruction must be closer than a baseline: half of its squared error. */
export const MARGIN = 3

/** PSNR in dB from which a difference cannot be seen, however close the baselines are: a picture of one colour is its own mean. */
const INDISTINGUISHABLE = 40

/** How close a reconstruction is to its original. */
export interface Closeness {
  /**
   * Whether it can be taken for the original. For numbers: a PSNR of at least 20 dB that is above every baseline's by 3 dB too,
   * or at least 40 dB.
   */
  readonly alike: boolean
  /** Whether it is closer to the original than every baseline, by 3 dB. Default: as `alike`. */
  readonly closer?: boolean
}

/** How close a PSNR is, beside those of the baselines. */
export function closenessOf(psnr: number, baselines: readonly Baseline[]): Required<Closeness> {
  const closer = baselines.every((baseline) => psnr >= baseline.psnr + MARGIN)
  return { alike: (psnr >= ALIKE && closer) || psnr >= INDISTINGUISHABLE, closer }
}

/**
 * The result of a run, in one word.
 *
 * - `recovered`: the gradient was matched, and every reconstruction is like its original.
 * - `matched`: the gradient was matched. There are no originals to compare with, so the data may be others.
 * - `unlike`: the gradient was matched, by data that are not like the originals.
 * - `undetermined`: the gradient was matched, and part of what was found could be otherwise.
 * - `partial`: the gradient was not matched, and still at least one reconstruction is closer to its original than every
 *   baseline, or alike: something leaked.
 * - `failed`: the gradient was not matched, and no reconstruction is closer than a guess or alike. That is no proof of safety.
 * - `interrupted`: the caller ended the run.
 */
export type VerdictName = 'recovered' | 'matched' | 'unlike' | 'undetermined' | 'partial' | 'failed' | 'interrupted'

/** The name of an outcome. A failure never has the name of a success. */
export interface Verdict {
  readonly name: VerdictName
  /** For people to read. */
  readonly word: string
  /** Whether the gradient was not matched, or by other data. True for a `partial` run too. */
  readonly failed: boolean
  /** Whether the caller ended the run. */
  readonly interrupted: boolean
}

/**
 * The verdict of a search. A matched gradient is not yet the right data, so that both count where the originals are known.
 *
 * @param samples how close each reconstruction is, such as `samples` of `measureSamples`; undefined where nobody has the
 * originals
 * @throws DlgError `invalid-option` for an unknown status, `invalid-data` for samples that do not say whether they are alike
 */
export function verdictOf(status: LeakageStatus, samples?: readonly Closeness[]): Verdict {
  choice('status', status, STATUSES)
  checkSamples(samples)
  if (status === 'aborted') return failure('interrupted', 'interrupted, NOT converged, best so far')
  if (status === 'converged') {
    if (!samples) return success('matched', 'matched the gradient')
    if (samples.every(({ alike }) => alike)) return success('recovered', 'converged')
    return failure('unlike', 'FAILED (converged to other data with this gradient)')
  }
  if (status === 'undetermined') {
    const word = 'UNDETERMINED (matched, but part of what was found does not move what was shared)'
    return { name: 'undetermined', word, failed: samples?.some(({ alike }) => !alike) ?? false, interrupted: false }
  }
  // an original of one colour is its own mean, so that nothing is closer
  const leaked = samples?.filter(({ closer = false, alike }) => closer || alike) ?? []
  if (leaked.length === 0) return failure('failed', `FAILED (${status}), best so far`)
  const count = samples!.length > 1 ? `${leaked.length} of ${samples!.length} ` : ''
  const orAlike = leaked.every(({ closer = true }) => closer) ? '' : 'like the original or '
  return failure('partial', `PARTIAL (${status}), ${count}${orAlike}closer than every baseline, best so far`)
}

const success = (name: VerdictName, word: string): Verdict => ({ name, word, failed: false, interrupted: false })

const failure = (name: VerdictName, word: string): Verdict => ({
  name,
  word,
  failed: true,
  interrupted: name === 'interrupted',
})

function checkSamples(samples: readonly Closeness[] | undefined): void {
  if (samples === undefined) return
  if (!Array.isArray(samples) || samples.length === 0 || samples.some((sample) => typeof sample?.alike !== 'boolean'))
    throw new DlgError('invalid-data', `samples is ${show(samples)}; it must be a list of {alike: true or false}`)
}
