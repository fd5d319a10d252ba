/** What the scripts that disturb an audit share: an audit file, the installed command, and the records of a run. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/** Trials of each client of the audit. */
export const TRIALS = 15

/** Writes audit.mjs: three attacks on each client, without a defence and under two. */
export const writeAudit = (clients) =>
  writeFileSync(
    'audit.mjs',
    `
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { clipping, gaussianNoise } from 'dlg-ts/defences'

await tf.setBackend('cpu')
const values = (shape, seed, bound) => tf.randomUniform(shape, -bound, bound, 'float32', seed)
const x = tf.randomUniform([${clients}, 12, 12, 3], 0, 1, 'float32', 9)
export default {
  model: {
    inputShape: [12, 12, 3],
    weights: { k: values([5, 5, 3, 8], 1, 0.5), l: values([5, 5, 8, 8], 2, 0.5), w: values([288, 10], 3, 0.5) },
    apply: (x, { k, l, w }) => {
      const first = tf.sigmoid(tf.conv2d(x, k, 2, 'same'))
      return tf.matMul(tf.reshape(tf.sigmoid(tf.conv2d(first, l, 1, 'same')), [-1, 288]), w)
    },
  },
  data: { x, labels: [0, 1, 2, 3, 4, 5].slice(0, ${clients}) },
  attacks: ['label-inference', 'dense-inversion', { attack: 'gradient-matching', options: { restarts: 1 } }],
  defences: ['none', clipping({ norm: 0.5 }), gaussianNoise({ relative: 0.1 })],
  evaluations: 300,
}
`,
  )

/** Starts `dlg`. `ended` has its exit code, what it printed, and how long it took; `said` is what it has printed so far. */
export function start(argv) {
  const child = spawn(process.execPath, ['node_modules/dlg-ts/dist/cli/cli.js', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  child.stdout.on('data', (text) => (out += text))
  child.stderr.on('data', (text) => (out += text))
  const began = performance.now()
  const ended = new Promise((resolve) =>
    child.on('close', (code) => resolve({ code, out, ms: performance.now() - began })),
  )
  return { child, ended, said: () => out }
}

/** Milliseconds after which a run of `dlg` counts as one that does not end. */
const LONGEST = 300_000

/** Runs `dlg`; after `kill` milliseconds it is killed. */
export async function dlg(argv, kill = LONGEST) {
  const { child, ended } = start(argv)
  const timer = setTimeout(() => child.kill('SIGKILL'), kill)
  const result = await ended
  clearTimeout(timer)
  if (result.ms >= LONGEST) throw new Error(`dlg ${argv.join(' ')} did not end; it said: ${result.out}`)
  return result
}

/** Every whole line of a run that is a trial. */
export const linesOf = (folder) =>
  readFileSync(`${folder}/run.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"type":"trial"') && line.endsWith('}'))

/** The records of a run, without what two runs may differ in. */
export const recordsOf = (folder) =>
  linesOf(folder)
    .map((line) => JSON.stringify({ ...JSON.parse(line), milliseconds: 0 }))
    .sort()

/** A run from its beginning to its end. */
export async function wholeRun(folder, ...argv) {
  rmSync(folder, { recursive: true, force: true })
  const ended = await dlg(['audit', 'audit.mjs', '--out', folder, ...argv])
  if (ended.code !== 0) throw new Error(`dlg audit ended with ${ended.code}: ${ended.out}`)
  return ended
}
