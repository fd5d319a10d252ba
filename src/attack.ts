import { DlgError } from './errors'
import { oneHotRows } from './gradients-of'
import * as g from './graph'
import type { LabelDecision } from './labels'
import { logitsOf } from './model/criterion'
import { type TracedGradient, traceGradient, weightParameter } from './model/gradient'
import { findHead } from './model/head'
import { type Model, openModel } from './model/model'
import { squaredNorm } from './objective/distance'
import { DISTANCE_WEIGHT, objectiveProgram, PRIOR_WEIGHT, sharedParameter } from './objective/objective'
import { type Prior, totalVariation } from './objective/prior'
import type { Evaluation, MatrixProducts } from './optim'
import type { Settings } from './options'
import { matrixProducts } from './runtime/products'
import type { Values } from './runtime/runtime'
import { readGradients, readWeights, type SharedGradients } from './shared-gradients'
import { startPoint } from './start'

/** The objective at a point, with the distance in its unit beside it. */
export interface AttackEvaluation extends Evaluation {
  readonly relativeLoss: number
}

/** One traced, differentiated, compiled and bound objective over a flat vector of unknowns. */
export interface Attack {
  /** [batchSize, ...inputShape] */
  readonly dataShape: readonly number[]
  readonly classes: number
  readonly runtime: string
  start(restart: number): Promise<Float64Array>
  /** Products for the optimizer, where the runtime does them faster than JavaScript. */
  readonly products: MatrixProducts | undefined
  evaluate(point: Float64Array): Promise<AttackEvaluation>
  dataOf(point: Float64Array): Float32Array
  /** Label probabilities [batchSize, classes]. */
  labelsOf(point: Float64Array): Float32Array
  dispose(): void
}

/** Everything that happens before the first number moves; every wrong input is found here. */
export async function prepareAttack(model: Model, shared: SharedGradients, settings: Settings): Promise<Attack> {
  const opened = openModel(model)
  const trained = opened.weights.filter((w) => w.trainable)
  const gradients = await readGradients(shared, trained)
  const weights = await readWeights(opened.weights, weightParameter)
  if (squaredNorm(gradients) === 0)
    throw new DlgError('invalid-gradients', 'every shared gradient is zero: there is nothing to match')

  let labelInput: g.Node<'input'> | undefined
  let decision: LabelDecision = { kind: 'joint' }
  const traced = traceGradient(opened, settings, (output) => {
    decision = decide(
      output,
      gradients,
      weightNodesOf(
        output.graph,
        trained.map(weightParameter),
        trained.map((w) => w.shape),
      ),
      settings,
    )
    if (decision.kind !== 'joint') return g.parameter(output.graph, 'targets', output.shape)
    labelInput = g.input(output.graph, 'labels', output.shape)
    return g.softmax(labelInput)
  })
  const targets = targetsOf(decision, traced.output.shape)
  const inputs = labelInput ? [traced.data, labelInput] : [traced.data]
  const program = objectiveProgram(traced, inputs, settings.distance, settings.priors ?? defaultPriors(traced))
  if (g.uniformValue(program.outputs[2]) === 0)
    throw new DlgError(
      'invalid-model',
      `the gradient of model '${opened.name}' does not depend on its input smoothly, as with token ids; attack the embedding output instead`,
    )

  const unit = settings.distance.unit?.(gradients) ?? 1
  const weight = settings.objectiveScale === undefined ? 1 : settings.objectiveScale / unit
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...weights,
    ...gradients.map((values, i) => [sharedParameter(i), values] as const),
    [DISTANCE_WEIGHT, Float64Array.of(weight)],
    [PRIOR_WEIGHT, Float64Array.of(weight * unit)],
    ...(targets ? [['targets', targets] as const] : []),
  ])
  const start = await startPoint(settings, traced.data.shape, labelInput?.shape)
  const executable = await settings.runtime.compile(program)
  const evaluator = await executable.bind(parameters)
  const size = g.sizeOf(traced.data.shape)
  const unknowns = inputs.reduce((n, node) => n + g.sizeOf(node.shape), 0)
  const products =
    executable.readsInPlace && settings.productRows > 0
      ? await matrixProducts(settings.runtime, settings.productRows, unknowns)
      : undefined
  const rows = traced.output.shape
  return {
    dataShape: traced.data.shape,
    classes: rows[rows.length - 1],
    runtime: executable.runtime,
    start,
    products,
    async evaluate(point) {
      const parts = labelInput ? [point.subarray(0, size), point.subarray(size)] : [point]
      const [value, distance, ...derivatives] = await evaluator.run(parts)
      const gradient = new Float64Array(point.length)
      gradient.set(derivatives[0])
      if (labelInput) gradient.set(derivatives[1], size)
      return { value: value[0], gradient, relativeLoss: distance[0] / unit }
    },
    dataOf: (point) => Float32Array.from(point.subarray(0, size)),
    labelsOf: (point) =>
      targets ? Float32Array.from(targets) : softmaxRows(point.subarray(size), rows[rows.length - 1]),
    dispose() {
      products?.dispose()
      evaluator.dispose()
      executable.dispose()
    },
  }
}

const weightNodesOf = (graph: g.Graph, names: readonly string[], shapes: readonly g.Shape[]): g.Node[] =>
  names.map((name, i) => g.parameter(graph, name, shapes[i]))

/** Asks the label strategy, with the gradient of the last dense layer where there is one. */
function decide(
  output: g.Node,
  gradients: readonly Values[],
  trained: readonly g.Node[],
  settings: Settings,
): LabelDecision {
  const head = findHead(logitsOf(output) ?? output, trained)
  const classes = output.shape[output.shape.length - 1]
  return settings.labels.decide({
    batchSize: settings.batchSize,
    classes,
    head: {
      weight: head.weight === undefined ? undefined : gradients[head.weight],
      bias: head.bias === undefined ? undefined : gradients[head.bias],
    },
  })
}

function targetsOf(decision: LabelDecision, shape: readonly number[]): Float32Array | undefined {
  if (decision.kind === 'joint') return undefined
  if (decision.kind === 'known') return oneHotRows(decision.labels, shape)
  if (decision.targets.length !== g.sizeOf(shape))
    throw new DlgError(
      'labels',
      `the label strategy gave ${decision.targets.length} target values; the output [${shape}] needs ${g.sizeOf(shape)}`,
    )
  return Float32Array.from(decision.targets)
}

/** Batches of images need a prior to come apart; one image does not. */
function defaultPriors({ data }: TracedGradient): readonly Prior[] {
  const images = data.shape.length === 4 && data.shape[1] > 1 && data.shape[2] > 1
  return images && data.shape[0] > 1 ? [totalVariation(1e-5)] : []
}

function softmaxRows(logits: Float64Array, classes: number): Float32Array {
  const out = new Float32Array(logits.length)
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes)
    const top = row.reduce((a, b) => Math.max(a, b))
    const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0)
    row.forEach((v, i) => {
      out[at + i] = Math.exp(v - top) / total
    })
  }
  return out
}
