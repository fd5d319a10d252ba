/**
 * Where an evaluation's time goes, by onnxruntime's own profile:
 *
 *   npx tsx bench/profile.ts CASE [--threads 1] [--count 20] [--top 25]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { InferenceSession } from 'onnxruntime-common'
import { gradientsOf } from '../src'
import { prepareAttack } from '../src/attacks/matching/leakage'
import { leakageOptions } from '../src/attacks/matching/options'
import { openTarget } from '../src/client/target'
import { onnxRuntime } from '../src/runtime/onnx'
import { loadOnnxRuntimeNode } from '../src/runtime/onnx/node'
import type { OnnxRuntimeModule } from '../src/runtime/onnx/portable'
import { buildModel, findCase, problemOf } from './cases'
import { table } from './table'
import { median } from './timing'

/** One node's run, as onnxruntime writes it down. */
interface Event {
  readonly cat: string
  readonly name: string
  /** Microseconds. */
  readonly dur: number
  readonly args?: {
    readonly op_name?: string
    readonly input_type_shape?: Shapes
    readonly output_type_shape?: Shapes
  }
}

type Shapes = readonly Record<string, readonly number[]>[]

const shapes = (list: Shapes = []): string => list.map((entry) => `[${Object.values(entry)[0]}]`).join(' ')

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      threads: { type: 'string', default: '1' },
      count: { type: 'string', default: '20' },
      top: { type: 'string', default: '25' },
    },
  })
  const [threads, count, top] = [values.threads, values.count, values.top].map(Number)
  return { c: findCase(positionals[0] ?? 'lenet-b1'), threads, count, top }
}

/** One ONNX node with the median of its runs: what a busy machine adds to one of them does not count. */
interface Kernel {
  readonly op: string
  readonly detail: string
  readonly us: number
}

function kernelsOf(events: readonly Event[]): Kernel[] {
  const runs = new Map<string, Event[]>()
  for (const e of events) runs.set(e.name, [...(runs.get(e.name) ?? []), e])
  return [...runs.values()].map((list) => {
    const { op_name: op = '', input_type_shape, output_type_shape } = list[0].args ?? {}
    const detail = `${op} ${shapes(input_type_shape)} → ${shapes(output_type_shape)}`
    return { op, detail, us: median(list.map((e) => e.dur)) }
  })
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
  const { c, threads, count, top } = options()
  await tf.setBackend('cpu')
  const folder = mkdtempSync(join(tmpdir(), 'dlg-profile-'))
  const model = buildModel(c)
  const problem = problemOf(c)
  const shared = await gradientsOf(model, problem.x, problem.labels)

  const sessions: InferenceSession[] = []
  const profiling = async (): Promise<OnnxRuntimeModule> => {
    const ort = await loadOnnxRuntimeNode()
    return {
      Tensor: ort.Tensor,
      InferenceSession: {
        async create(bytes, given) {
          const profile = { enableProfiling: true, profileFilePrefix: join(folder, 'p') }
          const session = await ort.InferenceSession.create(bytes, { ...given, ...profile })
          sessions.push(session)
          return session
        },
      },
    }
  }
  const settings = leakageOptions({
    ...{ preset: 'paper', batchSize: c.batch, init: problem.start, runtime: onnxRuntime(profiling, { threads }) },
  })
  const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
  const point = await attack.start(0)
  for (let i = 0; i < count + 3; i++) await attack.evaluate(point)
  for (const session of sessions) session.endProfiling()

  const [file] = readdirSync(folder)
  const all: Event[] = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  rmSync(folder, { recursive: true })
  const kernels = kernelsOf(all.filter((e) => e.cat === 'Node' && e.name.endsWith('_kernel_time')))
  const runs = all.filter((e) => e.name === 'model_run').map((e) => e.dur / 1000)
  const total = kernels.reduce((sum, k) => sum + k.us, 0) / 1000
  console.log(`${c.name}, ${threads} thread${threads > 1 ? 's' : ''}: ${kernels.length} kernels`)
  console.log(`${median(runs).toFixed(2)} ms a run while profiled, ${total.toFixed(2)} ms in kernels\n`)
  const head = ['', 'ms', 'share', 'nodes']
  console.log(table(head, summed(kernels, 'op')))
  console.log(`\n${table(head, summed(kernels, 'detail').slice(0, top))}`)
  attack.dispose()
}

await main()
