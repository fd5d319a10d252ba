/**
 * Where an evaluation's time goes, by onnxruntime's own profile:
 *
 *   npx tsx bench/profile.ts CASE [--threads 1] [--count 20] [--top 25] [--preset auto]
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { PresetName } from '../src/attacks/matching/options'
import { findCase } from './cases'
import { type Kernel, profiled } from './kernels'
import { table } from './table'

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      threads: { type: 'string', default: '1' },
      count: { type: 'string', default: '20' },
      top: { type: 'string', default: '25' },
      preset: { type: 'string', default: 'paper' },
    },
  })
  const [threads, count, top] = [values.threads, values.count, values.top].map(Number)
  return { c: findCase(positionals[0] ?? 'lenet-b1'), threads, count, top, preset: values.preset as PresetName }
}

function summed(kernels: readonly Kernel[], key: 'op' | 'detail'): string[][] {
  const total = kernels.reduce((sum, k) => sum + k.us, 0)
  const sums = new Map<string, { us: number; nodes: number }>()
  for (const k of kernels) {
    const { us, nodes } = sums.get(k[key]) ?? { us: 0, nodes: 0 }
    sums.set(k[key], { us: us + k.us, nodes: nodes + 1 })
  }
  return [...sums]
    .sort(([, a], [, b]) => b.us - a.us)
    .map(([name, { us, nodes }]) => [name, (us / 1000).toFixed(3), `${((100 * us) / total).toFixed(1)} %`, `${nodes}`])
}

async function main(): Promise<void> {
  const { c, threads, count, top, preset } = options()
  await tf.setBackend('cpu')
  const { kernels, ms } = await profiled(c, { threads }, count, preset)
  const total = kernels.reduce((sum, k) => sum + k.us, 0) / 1000
  console.log(`${c.name}, ${threads} thread${threads > 1 ? 's' : ''}: ${kernels.length} kernels`)
  console.log(`${ms.toFixed(2)} ms a run while profiled, ${total.toFixed(2)} ms in kernels\n`)
  const head = ['', 'ms', 'share', 'nodes']
  console.log(table(head, summed(kernels, 'op')))
  console.log(`\n${table(head, summed(kernels, 'detail').slice(0, top))}`)
}

await main()
