/**
 * Whether evaluating leaks: the resident set before and after many evaluations, and after dispose.
 *
 *   npx tsx --expose-gc bench/memory.ts [--case lenet-b1] [--evaluations 10000]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf } from '../src'
import { prepareAttack } from '../src/attacks/matching/leakage'
import { leakageOptions } from '../src/attacks/matching/options'
import { openTarget } from '../src/client/target'
import { onnx } from '../src/runtime/onnx/node'
import { buildModel, findCase, problemOf } from './cases'

/** Largest growth that passes. */
const ALLOWED = 0.05
/** Evaluations until allocators and the just-in-time compiler have what they want. */
const WARM_UP = 1000

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: 'lenet-b1' },
      evaluations: { type: 'string', default: '10000' },
    },
  })
  const count = Number(values.evaluations)
  const c = findCase(values.case)
  await tf.setBackend('cpu')
  const [model, problem] = [buildModel(c), problemOf(c)]
  const shared = await gradientsOf(model, problem.x, problem.labels)
  const tensors = tf.memory().numTensors
  const settings = leakageOptions({ batchSize: c.batch, init: problem.start, runtime: onnx() })
  const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
  const point = await attack.start(0)

  for (let i = 0; i < WARM_UP; i++) await attack.evaluate(point)
  const before = await residentMb()
  const began = performance.now()
  for (let i = 0; i < count; i++) await attack.evaluate(point)
  const ms = (performance.now() - began) / count
  const after = await residentMb()
  attack.dispose()
  const disposed = await residentMb()

  const growth = after / before - 1
  console.log(`${c.name}: ${count} evaluations, ${ms.toFixed(3)} ms each`)
  console.log(`resident set: ${before.toFixed(1)} MB before, ${after.toFixed(1)} MB after: ${percent(growth)}`)
  console.log(`after dispose: ${disposed.toFixed(1)} MB; tfjs tensors left behind: ${tf.memory().numTensors - tensors}`)
  if (growth > ALLOWED) throw new Error(`memory grew by ${percent(growth)}; ${percent(ALLOWED)} is allowed`)
}

async function residentMb(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await sleep(50)
  }
  return process.memoryUsage().rss / 2 ** 20
}

const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
