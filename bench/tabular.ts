/**
 * How much of a census table comes back, from the network of TabLeak (two hidden layers of 100 units, ReLU) at its initial weights,
 * with everything left at its default and labels inferred. The table is made by `adult.ts`; guesses are the most common values of
 * all its records.
 *
 *   npx tsx bench/tabular.ts [--batches 1,4,8,16,32] [--seeds 10] [--ways all,search] [--activation relu] [--units 100] [--concurrency 1]
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import { gradientsOf } from '../src'
import { deepLeakageFromTable, encodeTable, measureTable } from '../src/tabular'
import { adultSchema, adultTable } from './adult'
import { table } from './table'
import { median } from './timing'

/** Records of the table that an encoder is fitted to; batches are taken from others. */
const FITTED = 4000

interface Ran {
  readonly status: string
  readonly cells: number
  readonly rows: number
  readonly certainHalf: number
  readonly baseline: number
  readonly restarts: number
  readonly seconds: number
  /** Of the processor, all threads together: what is left where the machine has other work. */
  readonly cpu: number
}

const { values } = parseArgs({
  options: {
    batches: { type: 'string', default: '1,4,8,16,32' },
    seeds: { type: 'string', default: '10' },
    ways: { type: 'string', default: 'all,search' },
    activation: { type: 'string', default: 'relu' },
    units: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '1' },
  },
})

const samples = adultTable(FITTED + 4000, 1)
const schema = adultSchema(samples.slice(0, FITTED))
const reference = samples.slice(0, FITTED).map(({ record }) => record)

/** TabLeak's network, with Glorot's uniform weights from a seed. */
function network(seed: number) {
  const model = sequential()
  const units = Number(values.units)
  const from = (layer: number) => ({ kernelInitializer: initializers.glorotUniform({ seed: 100 * seed + layer }) })
  const activation = values.activation as 'relu'
  model.add(layers.dense({ inputShape: [108], units, activation, ...from(1) }))
  model.add(layers.dense({ units, activation, ...from(2) }))
  model.add(layers.dense({ units: 2, ...from(3) }))
  return model
}

async function attacked(batchSize: number, seed: number, exact: boolean): Promise<Ran> {
  const batch = samples.slice(FITTED + seed * batchSize, FITTED + (seed + 1) * batchSize)
  const originals = batch.map(({ record }) => record)
  const model = network(seed)
  const x = tf.tensor2d(encodeTable(schema, originals), [batchSize, 108])
  const shared = await gradientsOf(
    model,
    x,
    batch.map(({ label }) => label),
  )
  const before = process.cpuUsage()
  const leak = await deepLeakageFromTable(model, shared, schema, {
    ...{ batchSize, exact, seed: seed + 1, concurrency: Number(values.concurrency) },
  })
  const { user, system } = process.cpuUsage(before)
  const { cells, rows, certainHalf, baseline } = measureTable(originals, leak, schema, { reference })
  tf.dispose([x, shared])
  model.dispose()
  const { status, restarts, milliseconds } = leak
  return {
    status,
    cells,
    rows,
    certainHalf: certainHalf!,
    baseline,
    restarts,
    seconds: milliseconds / 1000,
    cpu: (user + system) / 1e6,
  }
}

await tf.setBackend('cpu')
// the first search builds what all others use
await attacked(1, 0, false)
const percent = (part: number): string => (100 * part).toFixed(1)
const spread = (parts: readonly number[]): string => {
  const mean = parts.reduce((a, b) => a + b, 0) / parts.length
  const deviation = Math.sqrt(parts.reduce((sum, v) => sum + (v - mean) ** 2, 0) / parts.length)
  return `${percent(median(parts))} (${percent(mean)} ± ${percent(deviation)})`
}
const lines: string[][] = []
for (const way of values.ways.split(','))
  for (const batchSize of values.batches.split(',').map(Number)) {
    const runs: Ran[] = []
    for (let seed = 0; seed < Number(values.seeds); seed++) {
      const ran = await attacked(batchSize, seed, way !== 'search')
      runs.push(ran)
      console.error(way, batchSize, seed, ran.status, percent(ran.cells), ran.restarts, `${ran.seconds.toFixed(1)} s`)
    }
    const of = (name: 'cells' | 'rows' | 'certainHalf' | 'baseline'): number[] => runs.map((ran) => ran[name])
    const count = (status: string): number => runs.filter((ran) => ran.status === status).length
    lines.push([
      ...[way, String(batchSize), spread(of('cells')), percent(median(of('certainHalf'))), percent(median(of('rows')))],
      ...[percent(median(of('baseline'))), `${count('proven')} ${count('matched')} ${count('failed')}`],
      ...[
        median(runs.map(({ restarts }) => restarts)).toFixed(0),
        median(runs.map(({ seconds }) => seconds)).toFixed(2),
      ],
      Math.max(...runs.map(({ seconds }) => seconds)).toFixed(1),
      median(runs.map(({ cpu }) => cpu)).toFixed(2),
    ])
  }
const head = [
  'way',
  'batch',
  'cells %: median (mean ± std)',
  'surer half %',
  'rows %',
  'guess %',
  'proven matched failed',
  'restarts',
  'seconds',
  'most',
  'CPU s',
]
console.log(table(head, lines))
