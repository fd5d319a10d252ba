import type { Status } from '../search/search'
import { EXIT } from './command'

/** PSNR in dB from which data can be taken for the original; noise that has its colours gets to some 15. */
export const ALIKE = 20

/** How a run is called, never a failure by a success's name. */
export interface Outcome {
  readonly word: string
  readonly failed: boolean
  /** The exit code. */
  readonly code: number
}

/**
 * A matched gradient is not yet the right data, so a command, which knows the data, looks at both.
 *
 * @param alike whether every reconstruction is like its original
 */
export function outcome(status: Status, alike: boolean): Outcome {
  if (status === 'aborted')
    return { word: 'interrupted, NOT converged, best so far', failed: true, code: EXIT.interrupted }
  if (status !== 'converged') return { word: `FAILED (${status}), best so far`, failed: true, code: EXIT.failed }
  if (!alike) return { word: 'FAILED (converged to other data with this gradient)', failed: true, code: EXIT.failed }
  return { word: 'converged', failed: false, code: EXIT.converged }
}
