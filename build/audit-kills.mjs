/**
 * An audit by the installed package, killed at random moments: in the folder of a project that has dlg-ts,
 *
 *   node build/audit-kills.mjs
 *
 * The run that was killed three times and gone on with ends with the same records as one that was not, in one process or two.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const KILLS = 3

writeFileSync(
  'audit.mjs',
  `
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { clipping, gaussianNoise } from 'dlg-ts/defences'

await tf.setBackend('cpu')
const values = (shape, seed, bound) => tf.randomUniform(shape, -bound, bound, 'float32', seed)
const x = tf.randomUniform([6, 12, 12, 3], 0, 1, 'float32', 9)
export default {
  model: {
    inputShape: [12, 12, 3],
    weights: { k: values([5, 5, 3, 8], 1, 0.5), l: values([5, 5, 8, 8], 2, 0.5), w: values([288, 10], 3, 0.5) },
    apply: (x, { k, l, w }) => {
      const first = tf.sigmoid(tf.conv2d(x, k, 2, 'same'))
      return tf.matMul(tf.reshape(tf.sigmoid(tf.conv2d(first, l, 1, 'same')), [-1, 288]), w)
    },
  },
  data: { x, labels: [0, 1, 2, 3, 4, 5] },
  attacks: ['label-inference', 'dense-inversion', { attack: 'gradient-matching', options: { restarts: 1 } }],
  defences: ['none', clipping({ norm: 0.5 }), gaussianNoise({ relative: 0.1 })],
  evaluations: 300,
}
`,
)

/** Runs `dlg`; after `kill` milliseconds it is killed. */
function dlg(argv, kill) {
  const child = spawn(process.execPath, ['node_modules/dlg-ts/dist/cli/cli.js', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  child.stdout.on('data', (text) => (out += text))
  child.stderr.on('data', (text) => (out += text))
  const timer = kill === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), kill)
  const began = performance.now()
  return new Promise((resolve) =>
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, out, ms: performance.now() - began })
    }),
  )
}

/** The records of a run, without what two runs may differ in. */
const recordsOf = (folder) =>
  readFileSync(`${folder}/run.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"type":"trial"') && line.endsWith('}'))
    .map((line) => JSON.stringify({ ...JSON.parse(line), milliseconds: 0 }))
    .sort()

const run = async (folder, ...argv) => {
  rmSync(folder, { recursive: true, force: true })
  const ended = await dlg(['audit', 'audit.mjs', '--out', folder, ...argv])
  if (ended.code !== 0) throw new Error(`dlg audit ended with ${ended.code}: ${ended.out}`)
  return ended
}

const two = await run('whole', '--concurrency', '2')
const one = await run('alone', '--concurrency', '1')
const whole = recordsOf('whole')
if (whole.length !== 90) throw new Error(`there are ${whole.length} records, and not 90`)
if (recordsOf('alone').join() !== whole.join()) throw new Error('one process and two give other records')

rmSync('killed', { recursive: true, force: true })
const moments = []
for (let i = 0; i < KILLS; i++) {
  const moment = Math.round(two.ms * (0.2 + 0.5 * Math.random()))
  await dlg(['audit', 'audit.mjs', '--out', 'killed', '--concurrency', '2'], moment)
  moments.push(`${moment} ms: ${existsSync('killed/run.jsonl') ? recordsOf('killed').length : 0} records`)
}
const { code, out } = await dlg(['audit', 'audit.mjs', '--out', 'killed', '--concurrency', '2'])
if (code !== 0) throw new Error(`the run that was killed does not go on: ${out}`)
if (recordsOf('killed').join() !== whole.join()) throw new Error('the run that was killed has other records')

const report = await dlg(['report', 'killed', '--format', 'html,json,junit,markdown,sarif'])
if (report.code !== 1 || !report.out.includes('gives away the data of 6 of 6 clients'))
  throw new Error(`dlg report ended with ${report.code}: ${report.out}`)
console.log(
  `${whole.length} records; killed after ${moments.join(', ')}; two processes ${(one.ms / two.ms).toFixed(2)} times as fast as one`,
)
