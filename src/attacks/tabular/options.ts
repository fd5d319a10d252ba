import { TARGET, type TargetOptions } from '../../client/target-options'
import { TRAINING } from '../../client/training-options'
import { knownNames, requireListener } from '../../errors/checks'
import { checkBoolean, type Decisions, type OptionRecords, pickOptions } from '../../options/option'
import { MATCHING } from '../matching/options'
import type { SearchOptions } from '../matching/search/options'
import { type LabelOption, labelsOption } from '../matching/targets/label-choices'

/** How far an attack on a table is. */
export interface TableProgress {
  /** The part of the work that is done, from 0 to 1, as far as it is known. */
  readonly part: number
  /** What is under way, in words. */
  readonly words: string
}

/** Options of `deepLeakageFromTable`; every one has a default. */
export interface TableLeakageOptions
  extends Omit<TargetOptions, 'known'>,
    Pick<SearchOptions, 'iterations' | 'restarts' | 'concurrency' | 'seed' | 'budget' | 'signal'> {
  /**
   * How the attacker gets the labels: `infer` (default: in closed form, or searched where no rule applies), `joint` (searched
   * with the data), class indices, or known targets.
   */
  labels?: LabelOption
  /** Whether closed forms and SPEAR are tried before the search. Default true. */
  exact?: boolean
  /** Told of progress, at least every 50 ms while the search runs. */
  onProgress?: (progress: TableProgress) => void
}

/** One record an option: those that are not a target's. */
export const TABLE_SEARCH = {
  labels: {
    ...MATCHING.labels,
    default: 'infer' as LabelOption,
    check(labels: LabelOption): LabelOption {
      labelsOption(labels)
      return labels
    },
  },
  exact: {
    help: 'whether closed forms and SPEAR are tried before the search',
    default: true as boolean,
    check: checkBoolean,
  },
  iterations: { ...MATCHING.iterations, default: 1500, help: 'steps of one restart' },
  restarts: {
    ...MATCHING.restarts,
    default: 6,
    help: 'most starts, two at a time; records that re-create the gradient end the search',
  },
  concurrency: MATCHING.concurrency,
  seed: MATCHING.seed,
  budget: MATCHING.budget,
  signal: MATCHING.signal,
  onProgress: {
    help: 'a function that is told of progress',
    otherwise: 'none',
    check(callback: NonNullable<TableLeakageOptions['onProgress']>) {
      requireListener('onProgress', callback)
      return callback
    },
  },
} as const satisfies OptionRecords<Omit<TableLeakageOptions, keyof TargetOptions>>

const { known, ...ofTarget } = TARGET

/** Every option of an attack on a table, each with one record. */
export const TABULAR = {
  ...TRAINING,
  ...ofTarget,
  ...TABLE_SEARCH,
} as const satisfies OptionRecords<TableLeakageOptions>

/** What bounds and drives the attack, decided and checked. */
export type TableSettings = Decisions<typeof TABLE_SEARCH>

/** Checks the options of the attack itself; `targetOptions` checks the others. @throws DlgError `invalid-option` */
export function tableSettings(options: TableLeakageOptions): TableSettings {
  knownNames('options', options, Object.keys(TABULAR))
  return pickOptions(TABLE_SEARCH, options)
}
