import { countOf } from '../../errors/counted'
import { type Attack, noOptions, outcome } from '../contract/attack'
import { wholeOrCut } from '../contract/cut'
import { CLOSED_FORM, paced, pauses, pausesOf } from '../contract/pause'
import { firstTable, NO_TABLE } from './tables'
import { tokensByNormSteps } from './tokens-by-norm'

/** The tokens that occur, from the rows of an embedding table that have a gradient. */
export const tokenSets: Attack = {
  name: 'token-set',
  source: 'Melis et al. 2019, Exploiting Unintended Feature Leakage in Collaborative Learning',
  leaks: 'tokens',
  needs: {
    sees: 'the gradient of the embedding table',
    batch: 'any size',
    model: 'looks up rows of a trained table',
    labels: 'none',
    threatModel: 'A',
  },
  check: noOptions,
  async refuses(target) {
    const found = await firstTable(
      target,
      pauses(() => true),
    )
    return found ? undefined : NO_TABLE
  },
  async run(target, _, control) {
    const started = performance.now()
    return wholeOrCut('token-set', started, control, async () => {
      control.onProgress?.({ attack: 'token-set', words: 'the rows of the table' })
      const pause = pausesOf(control, started, CLOSED_FORM)
      const { name, rows, table, touched, tied } = (await firstTable(target, pause))!
      const { tokens, expectedStrangers } = tied
        ? await paced(tokensByNormSteps(table), pause)
        : { tokens: touched, expectedStrangers: 0 }
      const found = tokens.length > 0
      return outcome('token-set', started, control, {
        status: found ? 'partial' : 'failed',
        reason: !found
          ? `no row of '${name}' stands out`
          : tied
            ? `${tokens.length} of ${countOf(rows, 'row')} of '${name}' stand out; ${expectedStrangers.toPrecision(2)} strangers are expected among them`
            : `${tokens.length} of ${countOf(rows, 'row')} of '${name}' have a gradient: those of the tokens that occur`,
        found: found ? { tokens } : {},
      })
    })
  },
}
