import type { DlgErrorCode } from '../../../errors/dlg-error'
import type { PortableProgram } from '../../../runtime/runtime'
import type { PointLayout, Pull } from './evaluation'
import type { Progress } from './progress'
import type { Best, HistoryEntry, RestartOutcome, SearchSettings } from './search'

/** An attack's objective as plain data. */
export interface PortableObjective {
  readonly program: PortableProgram
  /** Program of the smoothed network, where the search is a homotopy. */
  readonly smoothed: PortableProgram | undefined
  readonly layout: PointLayout
  /** Rows of the products the optimizer can use; 0 when it has no use for them. */
  readonly productRows: number
}

/** What a thread is given when it starts. */
export interface ThreadTask {
  readonly objective: PortableObjective
  readonly settings: SearchSettings
  readonly progress: Pick<Progress, 'started' | 'memory'>
  /** Whether anybody listens to iterations. */
  readonly listened: boolean
}

/** A part of a restart. Left out: all its iterations, without a pull. */
export interface Leg {
  readonly iterations: number
  readonly pull?: Pull
}

/** One restart asked for; null ends the thread. */
export type ThreadRequest = { readonly restart: number; readonly start: Float64Array; readonly leg?: Leg } | null

/** What a thread answers: iterations as they begin, and then the outcome. */
export type ThreadAnswer =
  | { readonly kind: 'iteration'; readonly entry: HistoryEntry; readonly best: Best }
  | { readonly kind: 'trial'; readonly trial: RestartOutcome }
  | { readonly kind: 'error'; readonly code?: DlgErrorCode; readonly message: string }
