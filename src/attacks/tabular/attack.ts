import { tensor } from '@tensorflow/tfjs-core'
import { knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { type Attack, outcome } from '../contract/attack'
import { nothingIfCut } from '../contract/pause'
import { ABORTED } from '../matching/preparing'
import { refusalOf, tableLeakage } from './leakage'
import { type TableLeakageOptions, tableSettings } from './options'
import { type TableSchema, tableSchema } from './schema'

/** Options of the attack on tables. */
export interface TableAttackOptions
  extends Pick<TableLeakageOptions, 'labels' | 'exact' | 'iterations' | 'restarts' | 'concurrency'> {
  /** How the client encodes its columns. Needed. */
  readonly schema?: TableSchema
}

/** Records of a table; `deepLeakageFromTable` is its own door, and gives records with their confidence. */
export const tableAttack: Attack<TableAttackOptions> = {
  name: 'tableak',
  source: 'Vero, Balunović, Dimitrov, Vechev 2023, TabLeak: Tabular Data Leakage in Federated Learning',
  leaks: 'data',
  needs: {
    sees: 'one gradient, or one update of federated averaging',
    batch: 'known; exact up to about a quarter of the units of a first dense layer, searched beyond',
    model: 'any that is traced and reads a table alone; exact where it begins with a dense layer with bias',
    labels: 'none: they are inferred or searched',
    threatModel: 'B',
  },
  check({ schema, ...options }) {
    knownNames('options', options, ['labels', 'exact', 'iterations', 'restarts', 'concurrency'])
    if (schema !== undefined) tableSchema(schema)
    tableSettings(options)
  },
  async refuses(target, { schema }) {
    if (schema === undefined) return 'no schema was given, which says how the client encodes its columns'
    return refusalOf(target, tableSchema(schema))
  },
  async run(target, { schema, ...options }, control) {
    const started = performance.now()
    const { seed, budget, signal, onProgress } = control
    if (schema === undefined) throw new DlgError('invalid-option', 'schema is undefined; it must be a schema')
    const settings = tableSettings({
      ...{ ...options, seed, budget, signal },
      onProgress: onProgress && ((progress) => onProgress({ attack: 'tableak', ...progress })),
    })
    const checked = tableSchema(schema)
    const leak = await tableLeakage(target, checked, settings).catch(nothingIfCut)
    if (!leak) return outcome('tableak', started, control, { status: 'cut', reason: ABORTED })
    const { status, reason, inputs, labels, residual, floor, evaluations, runtime } = leak
    return outcome('tableak', started, control, {
      ...{ status, reason },
      found: {
        data: tensor(inputs, [leak.records.length, ...target.model.inputs[0].shape]),
        ...(labels.length > 0 && { labels }),
      },
      evidence: { residual, floor },
      work: { evaluations, runtime },
    })
  },
}
