import { knownNames, number } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { type Attack, type OutcomeStatus, outcome } from '../contract/attack'
import type { DenseRowsOptions } from './dense-rows'
import { type Spear, searchedRow, spearTarget } from './spear'

/** Options of SPEAR: the most draws of directions. */
export interface SpearAttackOptions {
  /** Most draws; default 500 000. */
  readonly draws?: number
}

const STATUS: Readonly<Record<Spear['status'], OutcomeStatus>> = {
  exact: 'proven',
  agreed: 'partial',
  weak: 'partial',
  noisy: 'partial',
  unproven: 'failed',
  refused: 'refused',
  budget: 'cut',
  aborted: 'cut',
}

/** Whole batches behind a first dense layer with ReLU; `spear` is its own door. */
export const spearAttack: Attack<SpearAttackOptions> = {
  name: 'spear',
  source: 'Dimitrov et al. 2024, SPEAR: Exact Gradient Inversion of Batches in Federated Learning',
  leaks: 'data',
  needs: {
    sees: 'the gradient of the first layer, and of all others for a proof',
    batch: 'up to about a twentieth of the units of the first layer; the size comes out',
    model: 'begins with a dense layer with bias and ReLU',
    labels: 'none: they are read off afterwards',
    threatModel: 'B',
  },
  check(options) {
    knownNames('options', options, ['draws'])
    if (options.draws !== undefined) number('draws', options.draws, (v) => v > 0, 'a number above 0')
  },
  async refuses(target) {
    const row = searchedRow(target, 1)
    return typeof row === 'string' ? row : undefined
  },
  async run(target, { draws }, control) {
    const started = performance.now()
    const { seed, budget, signal, onProgress } = control
    const search: DenseRowsOptions = {
      seed,
      signal,
      budget: { draws, milliseconds: budget?.milliseconds },
      onProgress:
        onProgress &&
        (({ rank, directions }) =>
          onProgress({
            attack: 'spear',
            part: directions / rank,
            words: `${directions} of ${countOf(rank, 'direction')} found`,
          })),
    }
    const { status, reason, data, labels, batchSize, rank, residual } = await spearTarget(target, search)
    const told = target.settings.batchSize
    // a sample that occurs twice is one row
    const fewer = status === 'exact' && batchSize < told
    return outcome('spear', started, control, {
      status: fewer ? 'partial' : STATUS[status],
      reason:
        reason ??
        `${fewer ? `${batchSize} of ${told}` : batchSize} samples and their targets re-create what was shared up to ${residual?.toExponential(1)}${fewer ? '; how often each occurs is open' : ''}`,
      found: { ...(data && { data }), ...(labels && { labels }) },
      evidence: { rank, ...(residual !== undefined && { residual }) },
    })
  },
}
