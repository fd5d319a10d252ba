/**
 * What defences hide of a record of a census table, from the attacker who knows of them and the one who does not:
 *
 *   npx tsx src/cli/index.ts audit bench/defences/table.ts --out out/defences-table
 *   npx tsx src/cli/index.ts report out/defences-table --format html,json,markdown
 *
 * The network is that of TabLeak (two hidden layers of 100 units, ReLU) at Glorot's initial weights. The table is made by `bench/adult.ts`.
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import type { AuditOptions } from '../../src/audit'
import { encodeTable } from '../../src/tabular'
import { adultSchema, adultTable } from '../adult'
import { DEFENCES } from './levels'

/** Records that the encoder is fitted to; others are attacked. */
const FITTED = 4000
const RECORDS = 20

export default (): AuditOptions => {
  const samples = adultTable(FITTED + RECORDS, 1)
  const table = adultSchema(samples.slice(0, FITTED))
  const attacked = samples.slice(FITTED)
  const values = encodeTable(
    table,
    attacked.map(({ record }) => record),
  )
  const width = values.length / RECORDS
  const model = sequential()
  for (const [i, units] of [100, 100, 2].entries())
    model.add(
      layers.dense({
        ...(i === 0 && { inputShape: [width] }),
        ...{
          units,
          activation: i < 2 ? 'relu' : 'linear',
          kernelInitializer: initializers.glorotUniform({ seed: i + 1 }),
        },
      }),
    )
  return {
    model,
    data: { x: tf.tensor2d(values, [RECORDS, width]), labels: attacked.map(({ label }) => label), table },
    attacks: [
      'label-inference',
      'tableak',
      { attack: 'gradient-matching', options: { restarts: 1, certainty: false } },
    ],
    defences: ['none', ...DEFENCES],
    evaluations: 2_500,
    seed: 1,
  }
}
