import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-common'
import { gradientsOf, type OnnxOptions, releaseCompiled } from '../src'
import { prepareAttack } from '../src/attacks/matching/leakage'
import { leakageOptions, type PresetName } from '../src/attacks/matching/options'
import { openTarget } from '../src/client/target'
import { onnxRuntime } from '../src/runtime/onnx'
import { loadOnnxRuntimeNode } from '../src/runtime/onnx/node'
import type { OnnxRuntimeModule } from '../src/runtime/onnx/portable'
import { buildModel, type Case, problemOf } from './cases'
import { median } from './timing'

/** One node's run, as onnxruntime writes it down. */
interface Event {
  readonly cat: string
  readonly name: string
  /** Microseconds. */
  readonly dur: number
  readonly args?: {
    readonly op_name?: string
    readonly provider?: string
    readonly input_type_shape?: Shapes
    readonly output_type_shape?: Shapes
  }
}

type Shapes = readonly Record<string, readonly number[]>[]

const shapes = (list: Shapes = []): string => list.map((entry) => `[${Object.values(entry)[0]}]`).join(' ')

/** One ONNX node with the median of its runs: what a busy machine adds to one of them does not count. */
export interface Kernel {
  readonly op: string
  readonly detail: string
  /** Execution provider, such as `CPUExecutionProvider`. */
  readonly provider: string
  readonly us: number
}

function kernelsOf(events: readonly Event[]): Kernel[] {
  const runs = new Map<string, Event[]>()
  for (const e of events) runs.set(e.name, [...(runs.get(e.name) ?? []), e])
  return [...runs.values()].map((list) => {
    const { op_name: op = '', provider = '', input_type_shape, output_type_shape } = list[0].args ?? {}
    const detail = `${op} ${shapes(input_type_shape)} → ${shapes(output_type_shape)}`
    return { op, detail, provider, us: median(list.map((e) => e.dur)) }
  })
}

/**
 * Evaluates a case's objective `count` times under onnxruntime's profiler.
 *
 * @param preset `paper` is the objective that peers compute; `auto` is what users run, with priors and, behind kinks, smoothed
 * @returns the nodes that are left after onnxruntime's optimiser, and milliseconds a run
 */
export async function profiled(
  c: Case,
  options: OnnxOptions,
  count: number,
  preset: PresetName = 'paper',
): Promise<{ kernels: Kernel[]; ms: number }> {
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
  const runtime = onnxRuntime(profiling, options)
  const settings = leakageOptions({
    ...{ preset, batchSize: c.batch, init: preset === 'paper' ? problem.start : undefined, runtime },
    verifyRuntime: false,
  })
  const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
  const point = await attack.start(0)
  // along a homotopy most evaluations are of the smoothed network
  const { evaluate, smoothed } = attack
  for (let i = 0; i < count + 3; i++) await (smoothed ? smoothed(point, 1, 8) : evaluate(point))
  for (const session of sessions) session.endProfiling()

  const profiles = readdirSync(folder).map((file): Event[] => JSON.parse(readFileSync(join(folder, file), 'utf8')))
  const runsOf = (events: readonly Event[]): number => events.filter((e) => e.name === 'model_run').length
  // the session that was run, of a smoothed and a plain one and those of the optimizer's products
  const [all] = profiles.sort((a, b) => runsOf(b) - runsOf(a))
  rmSync(folder, { recursive: true })
  attack.dispose()
  // a session that has ended its profile must not serve the next one
  await releaseCompiled()
  const runs = all.filter((e) => e.name === 'model_run').map((e) => e.dur / 1000)
  return {
    kernels: kernelsOf(all.filter((e) => e.cat === 'Node' && e.name.endsWith('_kernel_time'))),
    ms: median(runs),
  }
}
