/**
 * Seconds and memory of the exact sequences behind one step of a model out of its own files: the folder of config.json and
 * model.safetensors. Sentences have 8, 11, 14 and 10 random tokens.
 *
 *     python3 bench/make_pretrained.py FOLDER
 *     npx tsx bench/pretrained.ts FOLDER/gpt2 [sentences] [cpu or wasm]
 */

import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { exactSequences } from '../src/analytic'
import { readTensors } from '../src/io'
import { random } from '../src/numbers/random'
import { classGradients, fromPretrained, nextTokenGradients, transformerOf } from '../src/text'

const [folder, count = '1', backend = 'cpu'] = process.argv.slice(2)
await tf.setBackend(backend)
const megabytes = () => (process.resourceUsage().maxRSS / 1024).toFixed(0)
const clock = { at: performance.now() }
const lap = (): string => {
  const seconds = (performance.now() - clock.at) / 1000
  clock.at = performance.now()
  return seconds.toFixed(1)
}

const model = fromPretrained(readFileSync(`${folder}/config.json`, 'utf8'), readTensors(`${folder}/model.safetensors`))
const { vocabularySize, layers, hidden } = model.config
console.log(`${folder}: ${layers} × ${hidden}, ${vocabularySize} tokens: opened in ${lap()} s, ${megabytes()} MB`)
const { uniform } = random(7)
const sentences = Array.from({ length: Number(count) }, (_, i) =>
  Array.from({ length: 8 + ((3 * i) % 7) }, () => Math.floor(uniform() * vocabularySize)),
)
const shared =
  'head' in model
    ? await classGradients(
        model,
        sentences,
        sentences.map((_, i) => i % model.classes),
      )
    : await nextTokenGradients(model, sentences)
console.log(`gradient of ${count} sentences: ${lap()} s, ${megabytes()} MB`)
const found = await exactSequences(transformerOf(model), shared)
const right = found.sequences.map(String).sort().join('|') === sentences.map(String).sort().join('|')
const { user, system } = process.cpuUsage()
console.log(
  `${found.status}, ${right ? 'right' : 'wrong'}: attack ${lap()} s, all ${((user + system) / 1e6).toFixed(0)} CPU s, peak ${megabytes()} MB`,
)
if (found.reason) console.log(found.reason)
