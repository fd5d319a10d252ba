import { knownParameter, type TracedGradient } from '../../../client/model/gradient'
import type { OpenModel } from '../../../client/model/model'
import { scoresOf } from '../../../client/model/scores'
import { turnsBack } from '../../../client/model/turns-back'
import { unrolls } from '../../../client/shared/unroll'
import type { Target } from '../../../client/target'
import { DlgError } from '../../../errors/dlg-error'
import * as g from '../../../graph'
import { timesFactor } from '../../../measure/certainty/shared-residual'
import { squaredNorm } from '../../../numbers/values'
import { mostHeld } from '../../../runtime/plan'
import { evaluate, type Program, type Values } from '../../../runtime/runtime'
import { withClosedForm } from '../closed-form'
import type { Settings } from '../options'
import type { Point, TracedTarget } from '../point'
import { type Preparing, pauseOf, preparation } from '../preparing'
import { type SmoothedGradient, smoothedClient } from '../smoothing'
import { startPoint } from '../start'
import type { Targets } from '../targets/targets'
import { type Distance, l2 } from './distance'
import { MAGNITUDE, magnified, magnitudeOf } from './magnitude'
import {
  DISTANCE_WEIGHT,
  objectiveProgram,
  sharedNodes,
  sharedParameter,
  sharedStatistics,
  statisticParameter,
} from './objective'
import { defaultPriors } from './prior'
import { runningStatistics, trainedNorms } from './running'
import { fittingScale, scaleFree } from './scale'
import { weighed } from './weighed'

/** The objective of an attack before anything runs it. */
export interface AttackObjective {
  readonly program: Program
  /** The program for the network with its kinks rounded off. Their sharpness is its last input. Only a homotopy has it. */
  readonly smoothed: Program | undefined
  /** A program over the unknowns: the factor that brings their gradient closest to the shared one. */
  scale(): Program
  /** A program over the unknowns: ‖g − g*‖², where the distance does not see a factor at the one that fits best. */
  difference(): Program
  /** What the programs are bound with. */
  readonly parameters: ReadonlyMap<string, Values>
  /** The parameters that are the model's own: the same for every gradient of it. */
  readonly lasting: ReadonlySet<string>
  readonly point: Point
  start(restart: number): Promise<Float64Array>
  /** Unit of the distance. */
  readonly unit: number
  /** Common weight of the priors before it is eased; undefined where there are none. */
  readonly priorWeight: number | undefined
  /** Relative loss that rounding leaves of the client's own data. */
  readonly rounding: number
  /** Relative loss that stated noise leaves of the client's own data. */
  readonly noise: number
  /** For each shared gradient, the squared norm that rounding is expected to have taken. */
  readonly lost: readonly number[]
  /** What was shared, times the magnitude. */
  readonly shared: readonly Values[]
  /** The objective without priors in units of the relative loss. */
  readonly objectivePerLoss: number
  /** Whether every sample of a batch has a place of its own: known inputs, dropout masks or parts of an update belong to it. */
  readonly fixedPlaces: boolean
  /** Whether other data may give the first trained weights the same to read. */
  readonly turnsBack: boolean
  /** The objective without priors, whatever factor is in what was shared. Built when it is asked for. */
  factorFree(): Program
  /** What certainty is computed from. Built when it is asked for. */
  unconstrained(): UnconstrainedPrograms
}

/**
 * Programs whose unknowns are the searched inputs and the targets themselves, in place of the numbers that a soft-max or a
 * sigmoid turns into targets.
 */
export interface UnconstrainedPrograms {
  /** The client's gradient, one output per trained weight. */
  readonly gradients: Program
  /** The distance without priors, as an objective: its value, the distance, and one derivative per unknown. */
  readonly objective: Program
  /**
   * A program over the searched inputs alone. It gives the model's own output for each searched target. There the gradient is zero, if the loss is
   * a cross-entropy or a squared error without penalties.
   */
  readonly believed: Program
}

/**
 * J(x′, y′) = w · D(∂L/∂W(x′, y′), g*) + v · Σ λᵢ Pᵢ(x′), its derivatives, and every number that they are bound with.
 *
 * @throws DlgError `invalid-model` for inputs that the gradient does not depend on smoothly, `invalid-option`, also where an evaluation fits
 * no memory
 */
export async function objectiveOf(
  target: Target,
  { targets, traced: client, point }: TracedTarget,
  settings: Settings,
  preparing: Preparing = preparation(),
): Promise<AttackObjective> {
  const { model, weights, rounding, known, searched } = target
  const magnitude = magnitudeOf(target.gradients)
  const gradients = magnitude === 1 ? target.gradients : timesFactor(target.gradients, magnitude)
  const lost = target.lost.map((v) => v * magnitude ** 2)
  const traced = magnified(client, magnitude)
  const noise = settings.noise > 0 ? rounding : 0
  // a prior is what tells the samples of a batch apart, and one image comes out cleaner for it
  const started = await withClosedForm(settings, traced, target, preparing)
  const statistics = movedStatistics(target)
  const normed = sharedStatistics(traced, statistics).length > 0
  const priors = started.priors ?? defaultPriors(traced.data.shape, settings.prior, normed)
  const pause = pauseOf(preparing, 'the distance is weighed')
  const { distance, unit, ...others } = await weighed(settings.distance, traced, gradients, pause)
  const norms = priors.length > 0 ? await trainedNorms(traced, new Map([...traced.captured, ...weights])) : []
  const programOf = (of: TracedGradient) => {
    const running = runningStatistics(of, norms)
    return objectiveProgram(of, point.unknowns, distance, priors, sharedStatistics(of, statistics), running)
  }
  const program = programOf(traced)
  requireSmooth(model, searched, program)
  requireMemory(program, settings.batchSize)
  if (settings.smooths) await preparing('the smoothed objective is differentiated')
  const soft = settings.smooths ? magnified(smoothedClient(target, client), magnitude) : undefined
  const smoothed = soft && withInput(programOf(soft), soft.sharpness)

  if (!(unit > 0 && Number.isFinite(unit)))
    throw new DlgError('invalid-option', `the unit of distance '${distance.name}' is ${unit}; it must be above 0`)
  const weight = settings.objectiveScale === undefined ? 1 : settings.objectiveScale / unit
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...weights,
    ...gradients.map((values, i) => [sharedParameter(i), values] as const),
    ...others.parameters,
    ...[...statistics].map(([name, values]) => [statisticParameter(name), values] as const),
    [DISTANCE_WEIGHT, Float64Array.of(weight)],
    [MAGNITUDE, Float64Array.of(magnitude)],
    ...known.map((input) => [knownParameter(input), input.values] as const),
    ...targets.flatMap(({ bound }) => (bound ? [bound] : [])),
  ])
  const start = await startPoint(started, point.inputs, point.targets)
  if (soft) {
    await preparing('the scales of the kinks are measured')
    const scales = await scalesAt(await start(0), soft, point, parameters, settings)
    for (const [i, { parameter }] of soft.kinks.entries())
      parameters.set(parameter.attributes.name, Float64Array.of(1 / scales[i]))
  }
  const priorWeight = program.inputs.length > point.unknowns.length ? weight * unit : undefined
  const lasting = new Set([...traced.captured.keys(), ...weights.keys()])
  const scale = () => ({ inputs: point.unknowns, outputs: [fittingScale(traced.gradients, sharedNodes(traced))] })
  const plain = settings.distance.factorFree ? scaleFree(l2()) : l2()
  const difference = () => ({
    inputs: point.unknowns,
    outputs: [plain.measure(traced.gradients, sharedNodes(traced))],
  })
  const objectivePerLoss = weight * unit
  const factorFree = () => objectiveProgram(traced, point.unknowns, scaleFree(distance), [])
  const unconstrained = () => unconstrainedPrograms(traced, targets, distance)
  const outputs = client.outputs.map(({ node }) => node)
  const fixedPlaces =
    known.length > 0 ||
    unrolls(target.settings.update) ||
    (target.settings.training && model.randomLayers !== undefined)
  return {
    fixedPlaces,
    turnsBack: turnsBack(client.trainedNodes, client.inputs, outputs),
    ...{
      program,
      smoothed,
      scale,
      difference,
      parameters,
      lasting,
      point,
      start,
      unit,
      priorWeight,
      rounding,
      noise,
      lost,
    },
    ...{ shared: gradients, objectivePerLoss, factorFree, unconstrained },
  }
}

/** Squared movement of a statistic below which it tells nothing: its square is next to nothing in float32. */
const STILL = 1e-24

/** How far moving statistics moved, of those that did. */
const movedStatistics = ({ statistics }: Target): ReadonlyMap<string, Values> =>
  new Map([...statistics].filter(([, values]) => squaredNorm([values]) > STILL))

function unconstrainedPrograms(
  traced: TracedGradient,
  targets: readonly Targets[],
  distance: Distance,
): UnconstrainedPrograms {
  const searched = targets.filter(({ input }) => input)
  const free = searched.map(({ node, output }) => g.input(traced.graph, `targets of ${output.name}`, node.shape))
  const unknowns = [...traced.inputs, ...free]
  const gradients = g.substitute(traced.gradients, new Map(searched.map(({ node }, i) => [node, free[i]])))
  return {
    gradients: { inputs: unknowns, outputs: gradients },
    objective: objectiveProgram({ ...traced, gradients }, unknowns, distance, []),
    believed: { inputs: traced.inputs, outputs: searched.map(believedBy) },
  }
}

/** The scale of every kink at a point: a standard deviation, and 1 where there is none. */
async function scalesAt(
  at: Float64Array,
  { kinks }: SmoothedGradient,
  { unknowns, partsOf }: Point,
  parameters: ReadonlyMap<string, Values>,
  { runtime }: Settings,
): Promise<number[]> {
  const program = { inputs: unknowns, outputs: kinks.map(({ variance }) => variance) }
  const variances = kinks.length === 0 ? [] : await evaluate(runtime, program, parameters, partsOf(at))
  return variances.map(([variance]) => (variance > 0 && Number.isFinite(variance) ? Math.sqrt(variance) : 1))
}

/** What a model gives for targets, in the same form. */
function believedBy({ kind, output: { node } }: Targets): g.Node {
  if (kind === 'numbers') return node
  const scores = scoresOf(node, kind === 'bits' ? 'sigmoid' : 'softmax', 'auto')
  if (!scores) return node
  return kind === 'bits' ? g.sigmoid(scores) : g.softmax(scores)
}

/** Most numbers that an evaluation may hold at once: 8 GB in float32. */
const MOST_NUMBERS = 2 ** 31

/** Refuses a search that fits no memory before anything of its size is made. */
function requireMemory(program: Program, batchSize: number): void {
  const all = g.reachable(program.outputs).reduce((sum, { shape }) => sum + g.sizeOf(shape), 0)
  if (all <= MOST_NUMBERS) return
  const most = mostHeld(program)
  if (most > MOST_NUMBERS)
    throw new DlgError(
      'invalid-option',
      `batchSize is ${batchSize}; an evaluation would hold ${most.toExponential(1)} numbers at once, and at most ${MOST_NUMBERS.toExponential(1)} fit into memory`,
    )
}

const withInput = ({ inputs, outputs }: Program, input: g.Node<'input'>): Program => ({
  inputs: [...inputs, input],
  outputs,
})

/** What the gradient does not depend on cannot be searched. The derivatives follow objective and distance in the program. */
function requireSmooth(model: OpenModel, inputs: readonly string[], program: Program): void {
  const rough = inputs.findIndex((_, i) => g.uniformValue(program.outputs[2 + i]) === 0)
  if (rough < 0) return
  const [which, instead] =
    model.inputs.length === 1
      ? ['its input', 'attack the embedding output instead']
      : [`its input '${inputs[rough]}'`, 'give it as known, or attack the embedding output instead']
  throw new DlgError(
    'invalid-model',
    `the gradient of model '${model.name}' does not depend on ${which} smoothly, as with token ids; ${instead}`,
  )
}
