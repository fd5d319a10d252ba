import { Tensor } from '@tensorflow/tfjs-core'
import { type Pause, restBy } from '../attacks/contract/pause'
import { type AttackObjective, objectiveOf } from '../attacks/matching/objective/attack-objective'
import { leakageOptions } from '../attacks/matching/options'
import { traceTarget } from '../attacks/matching/point'
import { inOrder } from '../client/model/each'
import { kinksOf } from '../client/model/kinks'
import type { Model } from '../client/model/model'
import type { Data } from '../client/read-data'
import { openTarget } from '../client/target'
import type { TracedExample } from '../client/trace-example'
import type { TrainingOptions } from '../client/training-options'
import { DlgError } from '../errors/dlg-error'
import { reachable } from '../graph'
import type { Evaluator, Values } from '../runtime/runtime'
import type { Finding, ModelCheck } from './report'
import { checkSecondOrder } from './second-order'

/** Evaluations assumed for an attack. The median on the paper's LeNet was about 2,000. */
const EVALUATIONS = 2000
/** How often, and for how many milliseconds at most, evaluations are timed. */
const [MOST_RUNS, MOST_MILLISECONDS] = [5, 1000]

type Search = Pick<ModelCheck, 'time' | 'secondOrder'> & {
  readonly unknowns?: number
  readonly objective?: number
  readonly findings: readonly Finding[]
}

/** Prepares an attack on the example's gradient as `deepLeakage` would, times it, and checks its derivative. */
export async function checkSearch(
  model: Model,
  x: Data,
  example: TracedExample,
  gradients: readonly Values[],
  options: TrainingOptions,
  seed: number,
  pause: Pause,
): Promise<Search> {
  const { batchSize, traced, settings } = example
  const shared = traced.trained.map(({ shape }, i) => ({ shape, data: gradients[i] }))
  const attack = leakageOptions({ ...options, batchSize, seed, priors: [], known: wholeInputs(x, example) })
  let prepared: AttackObjective
  let notes: Finding[] = []
  try {
    const own = { ...attack, runtime: settings.runtime }
    const target = await openTarget(model, shared, own)
    notes = target.notes.map((message) => ({ level: 'warning', code: 'random-layers', message }))
    prepared = await objectiveOf(target, await traceTarget(target, own, pause), own, restBy(pause))
  } catch (error) {
    if (!(error instanceof DlgError)) throw error
    return { findings: [{ level: 'warning', code: 'no-search', message: `no search applies: ${error.message}` }] }
  }
  const began = performance.now()
  const executable = await settings.runtime.compile(prepared.program)
  try {
    const evaluator = await executable.bind(prepared.parameters, prepared.lasting)
    const compile = performance.now() - began
    try {
      const evaluation = await timed(evaluator, prepared, restBy(pause))
      await restBy(pause)()
      const kinked = kinksOf(traced).kinks.length > 0
      const { secondOrder, finding } = await checkSecondOrder(prepared, evaluator, settings.runtime, {
        seed,
        kinked,
        pause,
      })
      return {
        unknowns: prepared.point.size,
        objective: reachable(prepared.program.outputs).length,
        time: { runtime: executable.runtime, compile, evaluation, attack: EVALUATIONS * evaluation },
        secondOrder,
        findings: [finding, ...notes],
      }
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** Inputs of whole numbers, which no search moves, are known to the attacker. */
export function wholeInputs(x: Data, { data }: TracedExample): Record<string, Tensor> {
  const names = data.map(({ name }) => name)
  const tensors = x instanceof Tensor ? [x] : inOrder('data', x, names, 'invalid-data')
  return Object.fromEntries(data.flatMap(({ name, dtype }, i) => (dtype === 'float32' ? [] : [[name, tensors[i]]])))
}

/** The quickest of a few evaluations after a first one, in milliseconds. */
async function timed(
  evaluator: Evaluator,
  { point, start }: AttackObjective,
  rest: () => Promise<void>,
): Promise<number> {
  const inputs = point.partsOf(await start(0))
  await evaluator.run(inputs)
  let best = Number.POSITIVE_INFINITY
  let total = 0
  for (let run = 0; run < MOST_RUNS && total < MOST_MILLISECONDS; run++) {
    await rest()
    const began = performance.now()
    await evaluator.run(inputs)
    const took = performance.now() - began
    best = Math.min(best, took)
    total += took
  }
  return best
}
