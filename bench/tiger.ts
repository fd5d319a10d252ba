/**
 * Sentences of a decoder behind noise, as `attack('tiger')` and `attack('dager')` find them in the same gradient: ROUGE-1 of each. Noise is
 * a part of each tensor's root mean square; `dager` has 20 seconds.
 *
 *     npx tsx bench/tiger.ts [seed] [noise,…] [sentences,…]
 */

import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { attack, targetOf } from '../src/attacks'
import { rouge } from '../src/metrics'
import { random } from '../src/numbers/random'
import { nextTokenGradients, randomGpt, transformerOf } from '../src/text'

const [seed = '3', levels = '0.01,0.03,0.1,0.3', batches = '1,4'] = process.argv.slice(2)
const SIZES = { vocabularySize: 2000, hidden: 128, heads: 4, positions: 20 }
const { uniform, normal } = random(Number(seed))
const tokens = (count: number): number[] =>
  Array.from({ length: count }, () => Math.floor(uniform() * SIZES.vocabularySize))

for (const level of levels.split(',').map(Number))
  for (const batchSize of batches.split(',').map(Number)) {
    const model = randomGpt(SIZES)
    const sentences = Array.from({ length: batchSize }, (_, i) => tokens(8 + ((3 * i) % 7)))
    const clean = await nextTokenGradients(model, sentences)
    const shared = Object.fromEntries(
      Object.entries(clean).map(([name, tensor]) => {
        const values = tensor.dataSync<'float32'>().slice()
        const unit = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length)
        return [name, { shape: tensor.shape, data: values.map((v) => v + level * unit * normal()) }]
      }),
    )
    tf.dispose(clean)
    const target = await targetOf(model.overTokens(4), shared, { batchSize })
    const transformer = transformerOf(model)
    for (const { attack: name, status, found, work } of [
      await attack('tiger', target, { transformer }),
      await attack('dager', target, { transformer }, { budget: { milliseconds: 20_000 } }),
    ]) {
      const best = sentences.map((sentence) =>
        Math.max(0, ...(found.sequences ?? []).map((sequence) => rouge(sequence, sentence).rouge1)),
      )
      console.log(
        `noise ${level}, ${batchSize} sentences, ${name}: ${status}, ROUGE-1 ${best.map((v) => v.toFixed(2)).join(', ')}, ${(work.milliseconds / 1000).toFixed(1)} s`,
      )
    }
    model.dispose()
  }
