/**
 * What defences hide of a sentence, from the attacker who knows of them and the one who does not:
 *
 *   npx tsx src/cli/index.ts audit bench/defences/text.ts --out out/defences-text
 *   npx tsx src/cli/index.ts report out/defences-text --format html,json,markdown
 *
 * The network is an encoder of two blocks of 128 with random weights and a classifier. Its sentences are 12 random tokens of 2,000.
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { AuditOptions } from '../../src/audit'
import { random } from '../../src/numbers/random'
import { randomBert, transformerOf } from '../../src/text'
import { DEFENCES } from './levels'

const [SENTENCES, TOKENS, VOCABULARY] = [20, 12, 2000]

export default (): AuditOptions => {
  const { uniform } = random(11)
  const ids = Array.from({ length: SENTENCES * TOKENS }, () => Math.floor(uniform() * VOCABULARY))
  const model = randomBert({
    ...{ vocabularySize: VOCABULARY, hidden: 128, heads: 4, layers: 2, intermediate: 256, positions: 20 },
    ...{ classes: 3, head: 'mean' },
  })
  const transformer = transformerOf(model)
  return {
    model: model.overTokens(TOKENS),
    data: { x: tf.tensor2d(ids, [SENTENCES, TOKENS]), labels: Array.from({ length: SENTENCES }, (_, i) => i % 3) },
    dataRange: [0, VOCABULARY],
    attacks: ['token-set', { attack: 'dager', options: { transformer } }],
    defences: ['none', ...DEFENCES],
    evaluations: 2_500,
    seed: 1,
  }
}
