import { CUT, type Pause, pauses, restBy } from '../attacks/contract/pause'
import type { Each } from '../client/model/each'
import type { Model } from '../client/model/model'
import { openModel } from '../client/model/open-model'
import type { Data } from '../client/read-data'
import type { OutputTargets } from '../client/target-values'
import { type TracedExample, traceExample } from '../client/trace-example'
import { TRAINING, type TrainingOptions } from '../client/training-options'
import { knownNames, number, requireSignal } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { reachable, sizeOf } from '../graph'
import { normOf } from '../numbers/norms'
import { checkActivations } from './activations'
import { checkCoupling } from './coupling'
import { checkFirstOrder } from './first-order'
import { checkLabels } from './labels'
import { checkLayerRanks } from './layer-ranks'
import type { CheckedWeight, Finding, ModelCheck } from './report'
import { checkSearch } from './search'
import { checkStructure } from './structure'

/** A batch as the client has it. */
export interface Example {
  /** Data [batch, ...inputShape]; of several inputs a list or a map by name. */
  readonly x: Data
  /** Class indices or targets; of several outputs a list or a map by name. */
  readonly y: OutputTargets | Each<OutputTargets>
}

/** Options of `checkModel`. The options of the client's training are among them. */
export interface CheckOptions extends TrainingOptions {
  /** Seed of the random directions and of the point at which derivatives are checked. Default 1234. */
  seed?: number
  /** Ends the check, which then throws `aborted`. */
  signal?: AbortSignal
}

/** Part of the largest gradient, per number, below which a weight's gradient is as good as zero. */
const FAINT = 1e-6

/**
 * Checks a model before an attack: whether it can be traced, whether tfjs's own gradient and the derivatives of the search are
 * right, what would keep an attack from working, and which attacks apply.
 *
 * Nothing of the caller's is changed; batch statistics stay as they are.
 *
 * @param example real data tell most; random ones of the right shape do for everything but saturated and dead layers
 * @returns plain data; `describeCheck` puts it into words. A model that cannot be traced has an `error` finding
 * @throws DlgError `invalid-model`, `invalid-data`, `invalid-option` as `gradientsOf`, `runtime`, `aborted` by the signal
 */
export async function checkModel(model: Model, example: Example, options: CheckOptions = {}): Promise<ModelCheck> {
  knownNames('options', options, ['seed', 'signal', ...Object.keys(TRAINING)])
  const { seed = 1234, signal, ...training } = options
  number('seed', seed, Number.isSafeInteger, 'a whole number')
  requireSignal('signal', signal)
  try {
    return await checked(
      model,
      example,
      training,
      seed,
      pauses(() => !signal?.aborted),
    )
  } catch (error) {
    if (error === CUT) throw new DlgError('aborted', 'the check was aborted')
    throw error
  }
}

async function checked(
  model: Model,
  example: Example,
  training: TrainingOptions,
  seed: number,
  pause: Pause,
): Promise<ModelCheck> {
  const rest = restBy(pause)
  await rest()
  let traced: TracedExample
  try {
    traced = await traceExample(model, example?.x, example?.y, training)
  } catch (error) {
    if (error instanceof DlgError && error.code === 'untraceable') return untraced(model, example, error)
    throw error
  }
  await rest()
  const first = await checkFirstOrder(model, example.x, traced)
  await rest()
  const search = await checkSearch(model, example.x, traced, first.gradients, training, seed, pause)
  await rest()
  const activations = await checkActivations(traced)
  await rest()
  const coupling = await checkCoupling(traced)
  await rest()
  const weights = weightsOf(traced, first.gradients, first.differences)
  const trained = trainedCount(weights)
  const unknowns = search.unknowns ?? traced.values.reduce((sum, v) => sum + v.length, 0)
  return {
    model: traced.opened.name,
    batchSize: traced.batchSize,
    parameters: { count: weights.reduce((sum, w) => sum + w.count, 0), trained, weights },
    unknowns,
    graph: { gradient: reachable(traced.traced.gradients).length, objective: search.objective },
    ...(search.time && { time: search.time, secondOrder: search.secondOrder }),
    findings: [
      { level: 'ok', code: 'trace', message: 'every operation is traced' },
      ...first.findings,
      ...search.findings,
      ...zeroGradients(weights),
      ...activations,
      ...coupling,
      ...(await checkLabels(model, example.x, traced, first.gradients, training, pause)),
      ...checkStructure(model, traced),
      ...(await checkLayerRanks(traced, pause)),
      compared(trained, unknowns),
    ],
  }
}

function untraced(model: Model, { x }: Example, { message }: DlgError): ModelCheck {
  const opened = openModel(model)
  const weights = opened.weights.map((w) => ({ ...described(w), trainable: w.trainable }))
  const [first] = Object.values(Array.isArray(x) || !('shape' in x) ? x : [x]) as { shape: number[] }[]
  return {
    model: opened.name,
    batchSize: first.shape[0],
    parameters: { count: weights.reduce((sum, w) => sum + w.count, 0), trained: trainedCount(weights), weights },
    unknowns: opened.inputs.reduce((sum, { shape }) => sum + first.shape[0] * sizeOf(shape), 0),
    findings: [{ level: 'error', code: 'trace', message }],
  }
}

const described = ({ name, shape }: { name: string; shape: readonly number[] }) => ({
  ...{ name, shape: [...shape], count: sizeOf(shape) },
})

function weightsOf(
  { opened, traced }: TracedExample,
  gradients: TracedExample['values'],
  differences: readonly number[] | undefined,
): CheckedWeight[] {
  return opened.weights.map((weight) => {
    const at = traced.trained.indexOf(weight)
    if (at < 0) return { ...described(weight), trainable: false }
    const difference = differences && { difference: differences[at] }
    return { ...described(weight), trainable: true, gradientNorm: normOf([gradients[at]]), ...difference }
  })
}

const trainedCount = (weights: readonly CheckedWeight[]): number =>
  weights.reduce((sum, w) => sum + (w.trainable ? w.count : 0), 0)

function zeroGradients(weights: readonly CheckedWeight[]): Finding[] {
  const size = ({ gradientNorm = 0, count }: CheckedWeight): number => gradientNorm / Math.sqrt(count)
  const trained = weights.filter((w) => w.trainable)
  const largest = Math.max(...trained.map(size))
  const faint = trained.filter((w) => size(w) <= FAINT * largest).map(({ name }) => `'${name}'`)
  const message = `the gradient of ${faint.join(', ')} is zero beside the others': what only it would tell stays unknown`
  return faint.length === 0 ? [] : [{ level: 'warning', code: 'zero-gradient', message }]
}

function compared(trained: number, unknowns: number): Finding {
  const numbers = `the gradient has ${trained.toLocaleString('en')} numbers for ${unknowns.toLocaleString('en')} unknowns`
  if (trained >= unknowns) return { level: 'ok', code: 'unknowns', message: numbers }
  return {
    level: 'warning',
    code: 'unknowns',
    message: `${numbers}: many data have this gradient, and a match proves little`,
  }
}
