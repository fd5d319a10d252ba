import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { gradientsOf } from '../../../src'
import { random } from '../../../src/numbers/random'
import { encodeTable, type TableRecord, type TableSchema } from '../../../src/tabular'
import { plain } from '../matching/tiny'

/** A column of each kind; 2 + 1 + 1 + 3 + 4 inputs. */
export const SCHEMA: TableSchema = {
  columns: [
    { kind: 'numeric', name: 'age', mean: 40, std: 12, range: [18, 90], integer: true },
    { kind: 'numeric', name: 'weight', mean: 70, std: 15 },
    { kind: 'ordinal', name: 'size', levels: ['small', 'medium', 'large'], mean: 1, std: 0.8 },
    { kind: 'binary', name: 'smokes', values: ['no', 'yes'] },
    { kind: 'categorical', name: 'colour', categories: ['red', 'green', 'blue'] },
    { kind: 'categorical', name: 'town', categories: ['Ulm', 'Bern', 'Graz', 'Linz'] },
  ],
}

/** Random records of {@link SCHEMA}. */
export function records(count: number, seed: number): TableRecord[] {
  const from = random(seed, 0x7461)
  const pick = <T>(all: readonly T[]): T => all[Math.floor(from.uniform() * all.length)]
  return Array.from({ length: count }, () => ({
    age: 18 + Math.floor(from.uniform() * 60),
    weight: 50 + 50 * from.uniform(),
    size: pick(['small', 'medium', 'large']),
    smokes: pick(['no', 'yes']),
    colour: pick(['red', 'green', 'blue']),
    town: pick(['Ulm', 'Bern', 'Graz', 'Linz']),
  }))
}

/** A classifier of tables with random weights from a seed. */
export function mlp(inputs: number, activation: 'relu' | 'tanh', hidden: readonly number[], seed: number): LayersModel {
  const model = sequential()
  for (const [i, units] of [...hidden, 2].entries())
    model.add(
      layers.dense({
        ...(i === 0 && { inputShape: [inputs] }),
        units,
        ...(i < hidden.length && { activation }),
        kernelInitializer: 'zeros',
      }),
    )
  const from = random(seed, 0x6d6c70)
  const weights = model.getWeights().map((weight) => {
    const reach = 1 / Math.sqrt(weight.shape.length > 1 ? weight.shape[0] : hidden[0])
    const values = Float32Array.from({ length: weight.size }, () => reach * (2 * from.uniform() - 1))
    return tf.tensor(values, weight.shape)
  })
  model.setWeights(weights)
  tf.dispose(weights)
  return model
}

/** What a client with these records would share. */
export async function sharedBy(
  model: LayersModel,
  schema: TableSchema,
  rows: readonly TableRecord[],
  labels: readonly number[],
) {
  const values = encodeTable(schema, rows)
  const x = tf.tensor2d(values, [rows.length, values.length / rows.length])
  try {
    return plain(await gradientsOf(model, x, labels, { runtime: 'reference' }))
  } finally {
    x.dispose()
  }
}
