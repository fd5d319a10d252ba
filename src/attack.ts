import { DlgError } from './errors'
import * as g from './graph'
import { type TracedGradient, traceGradient, weightParameter } from './model/gradient'
import { type Model, openModel } from './model/model'
import { squaredNorm } from './objective/distance'
import { DISTANCE_WEIGHT, objectiveProgram, sharedParameter } from './objective/objective'
import { colorTotalVariation, type Prior, totalVariation } from './objective/prior'
import type { Evaluation, MatrixProducts } from './optim'
import { readGradients, readWeights, type SharedGradients } from './read-gradients'
import { matrixProducts } from './runtime/products'
import type { Executable, Values } from './runtime/runtime'
import type { Settings } from './settings'
import { startPoint } from './start'
import { chooseTargets, softmaxRows, TARGETS, type Targets } from './targets'

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
  /** Whether the objective has priors, whose weight can be eased. */
  readonly hasPriors: boolean
  start(restart: number): Promise<Float64Array>
  /** Products for the optimizer, where the runtime does them faster than JavaScript. */
  readonly products: MatrixProducts | undefined
  /** @param easing multiplies the weight of all priors; default 1 */
  evaluate(point: Float64Array, easing?: number): Promise<AttackEvaluation>
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

  let targets: Targets | undefined
  const traced = traceGradient(opened, settings, (output) => {
    targets = chooseTargets(output, trained, gradients, weights, settings)
    return targets.node
  })
  const { input: labelInput, values: targetValues } = targets!
  const inputs = labelInput ? [traced.data, labelInput] : [traced.data]
  const program = objectiveProgram(traced, inputs, settings.distance, settings.priors ?? defaultPriors(traced))
  if (g.uniformValue(program.outputs[2]) === 0)
    throw new DlgError(
      'invalid-model',
      `the gradient of model '${opened.name}' does not depend on its input smoothly, as with token ids; attack the embedding output instead`,
    )

  const unit = settings.distance.unit?.(gradients) ?? 1
  if (!(unit > 0 && Number.isFinite(unit)))
    throw new DlgError(
      'invalid-option',
      `the unit of distance '${settings.distance.name}' is ${unit}; it must be above 0`,
    )
  const weight = settings.objectiveScale === undefined ? 1 : settings.objectiveScale / unit
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...weights,
    ...gradients.map((values, i) => [sharedParameter(i), values] as const),
    [DISTANCE_WEIGHT, Float64Array.of(weight)],
    ...(targetValues ? [[TARGETS, targetValues] as const] : []),
  ])
  const start = await startPoint(settings, traced.data.shape, labelInput?.shape)
  const size = g.sizeOf(traced.data.shape)
  const unknowns = size + (labelInput ? g.sizeOf(labelInput.shape) : 0)
  const classes = traced.output.shape[traced.output.shape.length - 1]

  const executable = await settings.runtime.compile(program)
  const held: { dispose(): void }[] = [executable]
  const dispose = () => {
    for (const resource of held.splice(0).reverse()) resource.dispose()
  }
  try {
    const evaluator = await executable.bind(parameters, settings.concurrency)
    held.push(evaluator)
    const products = await productsFor(executable, settings, unknowns)
    if (products) held.push(products)
    return {
      dataShape: traced.data.shape,
      classes,
      runtime: executable.runtime,
      hasPriors: program.inputs.length > inputs.length,
      start,
      products,
      async evaluate(point, easing = 1) {
        const parts: Values[] = labelInput ? [point.subarray(0, size), point.subarray(size)] : [point]
        if (program.inputs.length > parts.length) parts.push(Float64Array.of(weight * unit * easing))
        const [value, distance, ...derivatives] = await evaluator.run(parts)
        const gradient = new Float64Array(point.length)
        gradient.set(derivatives[0])
        if (labelInput) gradient.set(derivatives[1], size)
        return { value: value[0], gradient, relativeLoss: distance[0] / unit }
      },
      dataOf: (point) => Float32Array.from(point.subarray(0, size)),
      labelsOf: (point) => targetValues?.slice() ?? softmaxRows(point.subarray(size), classes),
      dispose,
    }
  } catch (error) {
    dispose()
    throw error
  }
}

/** Products for the optimizer, where handing the runtime a matrix costs nothing. */
async function productsFor(executable: Executable, settings: Settings, unknowns: number) {
  if (!executable.readsInPlace || settings.productRows === 0) return undefined
  return matrixProducts(settings.runtime, settings.productRows, unknowns)
}

/** Images have a prior: it is what tells the samples of a batch apart, and one image comes out cleaner for it. */
function defaultPriors({ data }: TracedGradient): readonly Prior[] {
  const [, height, width, channels] = data.shape
  if (data.shape.length !== 4 || height < 2 || width < 2) return []
  return [channels === 3 ? colorTotalVariation(PRIOR) : totalVariation(PRIOR)]
}

/** Weight of the default prior before it is eased. */
const PRIOR = 1e-4
