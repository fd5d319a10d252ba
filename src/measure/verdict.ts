/**
 * How a search ended. Only `converged` means that the shared gradient was matched: to the tolerance, or, unless that is 0, to a
 * relative loss of 1e-7 (of an update, four times what rounding its weights leaves, at most 1e-4) where float32 arithmetic or the
 * iterations ended the search.
 */
export type Status = 'converged' | 'max-iterations' | 'diverged' | 'stalled' | 'aborted' | 'budget'

/** How an attack ended: as its best search did, or with a match that what was shared does not determine. */
export type LeakageStatus = Status | 'undetermined'

/** PSNR in dB from which data can be taken for the original; noise that has its colours gets to some 15. */
export const ALIKE = 20

/** The name of an outcome. A failure never has the name of a success. */
export interface Verdict {
  readonly word: string
  readonly failed: boolean
  /** Whether the caller ended the run. */
  readonly interrupted: boolean
}

/**
 * The verdict of a search whose original data are known. A matched gradient is not yet the right data, so both count.
 *
 * @param alike whether every reconstruction is like its original, such as a PSNR of at least {@link ALIKE}
 */
export function verdictOf(status: LeakageStatus, alike: boolean): Verdict {
  if (status === 'aborted') return { word: 'interrupted, NOT converged, best so far', failed: true, interrupted: true }
  if (status === 'undetermined') {
    const word = 'UNDETERMINED (matched, but part of what was found does not move what was shared)'
    return { word, failed: !alike, interrupted: false }
  }
  if (status !== 'converged') return { word: `FAILED (${status}), best so far`, failed: true, interrupted: false }
  if (!alike) return { word: 'FAILED (converged to other data with this gradient)', failed: true, interrupted: false }
  return { word: 'converged', failed: false, interrupted: false }
}
