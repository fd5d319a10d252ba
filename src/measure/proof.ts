import * as tf from '@tensorflow/tfjs-core'
import type { gradientsOf } from '../client/gradients-of'
import type { Model } from '../client/model/model'
import { turnsBack } from '../client/model/turns-back'
import { type NamedGradients, type SharedGradients, weightTensors } from '../client/shared/read-gradients'
import { tensorValues } from '../client/shared/tensor-values'
import { type TracedExample, traceExample } from '../client/trace-example'
import type { TrainingOptions } from '../client/training-options'
import { invalid, number, requireObject, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import * as g from '../graph'
import { normOf } from '../numbers/norms'
import { atOnce } from '../numbers/steps'
import { relativeDistance } from '../numbers/stretches'
import { flat, mapped, type Values } from '../numbers/values'
import { evaluate } from '../runtime/runtime'
import { type GradientCertainty, gradientCertainty, groupsInOrder, partsOf } from './certainty/gradient-certainty'
import { dataImages, type MirroredPart } from './certainty/mirrors'

/** Whether what was recovered has the shared gradient. */
export interface Proof {
  /** ‖g − g*‖ / ‖g*‖ over all shared tensors. */
  readonly residual: number
  /**
   * Whether every number of the data, and every combination of them that was looked at, moves what was shared. False where a part of the
   * data could be otherwise: behind dead or saturated units, where more numbers were sought than shared, where the mean of several
   * samples has the gradient of one, where a mirror image of the data has their gradient, or where a function may turn back
   * between the data and the first weights whose gradient is shared, as a square or GELU does. Undefined where the residual is above the
   * tolerance, where no input is of floats (token ids do not move by degrees), and with `determined: false`.
   */
  readonly determined?: boolean | undefined
  /** Whether the residual is at most the tolerance, and `determined` is not false. */
  readonly proven: boolean
}

/** Data with their labels or targets, as {@link gradientsOf} takes them. */
export interface Recovered {
  /** [batch, ...inputShape] */
  readonly data: Parameters<typeof gradientsOf>[1]
  /** Class indices, or targets of the shape of the output. */
  readonly labels: Parameters<typeof gradientsOf>[2]
}

/** Options of `proofOf`. The options of the client's training are among them. */
export interface ProofOptions extends TrainingOptions {
  /** Default 1e-4: float32 gradients of the same data differ by about 1e-6. */
  tolerance?: number
  /**
   * Whether to examine, after the residual, that the data are determined by what was shared. Costs at most 200 evaluations of a
   * second derivative. Default true.
   */
  determined?: boolean
}

/** Residual up to which float32 gradients are the same. */
export const TOLERANCE = 1e-4

/** Root mean square from which data are others, in widths of their range. */
const APART = 0.01

/**
 * Computes the gradient of what was recovered and compares it with the shared one. Where they agree, it asks how far the gradient
 * determines the data, with at most 200 evaluations: noise has the gradient of the data as well, where the data do not move it.
 *
 * A proof says that these data explain the gradient, and that no data near them and no mirror image or rearrangement of them do. It is no proof that
 * nothing else far away does.
 *
 * @param shared by name, where tensors that were not shared are left out; or a list in the order of the trained weights
 * @throws DlgError as {@link gradientsOf}; `invalid-gradients` where the shared ones do not fit; `invalid-option`
 */
export async function proofOf(
  model: Model,
  recovered: Recovered,
  shared: SharedGradients,
  options: ProofOptions = {},
): Promise<Proof> {
  requireObject('what was recovered', recovered, '{data, labels}')
  requireObject('options', options, 'an object', 'invalid-option')
  const { data, labels } = recovered
  const { tolerance = TOLERANCE, determined: examines = true, ...training } = options
  if (typeof examines !== 'boolean') throw invalid(`determined is ${show(examines)}; it must be true or false`)
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const example = await traceExample(model, data, labels, training)
  const { traced, settings, inputs, values, parameters } = example
  const given = await sharedValues(shared, new Map(traced.trained.map(({ name, shape }) => [name, shape])))
  const gradients = await evaluate(settings.runtime, { inputs, outputs: traced.gradients }, parameters, values)
  const recomputed = traced.trained.flatMap(({ name }, i) => (given.has(name) ? [new Float32Array(gradients[i])] : []))
  const compared = traced.trained.flatMap(({ name }) => given.get(name) ?? [])
  const residual = atOnce(relativeDistance(recomputed, compared))
  if (!(residual <= tolerance)) return { residual, determined: undefined, proven: false }
  const determined = examines ? await determinedBy(example, given, tolerance) : undefined
  return { residual, determined, proven: determined !== false }
}

/** Data with their targets, as a step of the client and as values. */
type PointOfClient = Pick<TracedExample, 'traced' | 'data' | 'inputs' | 'values' | 'parameters'> & {
  readonly settings: Pick<TracedExample['settings'], 'runtime'>
  /** Whether the targets are unknown numbers too, as those of a regression that were read from the gradient. Default false. */
  readonly targetsMove?: boolean
}

/**
 * Whether what was shared determines the data around these, and neither a mirror image, a rearrangement nor the mean of several samples has the same gradient.
 *
 * @param shared by name of the weight
 * @param tolerance residual up to which a gradient is the shared one
 * @param cut asked before every evaluation: whether the work is to end
 * @returns undefined where none of the data are floats, or where the work ended before every number, and combinations of them, were looked at
 */
export async function determinedBy(
  { traced, settings, data, inputs, values, parameters, targetsMove = false }: PointOfClient,
  shared: ReadonlyMap<string, Values>,
  tolerance: number | undefined,
  cut?: () => boolean,
): Promise<boolean | undefined> {
  const moving = data.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []))
  if (moving.length === 0) return undefined
  // the inputs of the step are the data, then the targets
  const targets = targetsMove ? inputs.flatMap((_, i) => (i < data.length ? [] : [i])) : []
  const free = [...moving, ...targets]
  const kept = inputs.flatMap((_, i) => (free.includes(i) ? [] : [i]))
  const still = new Map(kept.map((i) => [inputs[i] as g.Node, `still ${i}`] as const))
  const nodes = new Map([...still].map(([node, name]) => [node, g.parameter(traced.graph, name, node.shape)] as const))
  const tensors = traced.trained.flatMap(({ name }, i) =>
    shared.has(name) ? [{ name, node: traced.gradients[i] }] : [],
  )
  const groups = groupsInOrder([
    ...moving.map((i) => ({ name: data[i].name, size: values[i].length, unit: rangeOf(values[i]) })),
    ...targets.map((i) => ({ name: `targets ${i}`, size: values[i].length, unit: sizeOf(values[i]) })),
  ])
  const searched = moving.map((i) => inputs[i])
  const outputs = traced.outputs.map(({ node }) => node)
  const sharing = traced.trainedNodes.filter((_, i) => shared.has(traced.trained[i].name))
  if (turnsBack(sharing, searched, outputs)) return false
  const given = tensors.map(({ name }) => shared.get(name)!)
  const problem = {
    ...{ runtime: settings.runtime, groups, cut },
    gradients: g.substitute(
      tensors.map(({ node }) => node),
      nodes,
    ),
    unknowns: free.map((i) => inputs[i]),
    parameters: new Map([...parameters, ...kept.map((i) => [`still ${i}`, values[i]] as const)]),
    shared: given,
    point: flat(free.map((i) => values[i])),
    mixtures: moving.length,
  }
  const answer = await gradientCertainty(problem)
  if (!answer) return undefined
  const parts = moving.map((i, k) => ({ start: groups[k].start, shape: inputs[i].shape, range: endsOf(values[i]) }))
  if (!answer.certainty.determined || answer.hidesMixtures) return false
  const image = await hasImage(problem, parts, tolerance)
  return image === undefined ? undefined : !image
}

/** Whether a mirror image or a rearrangement of the data, and not the data themselves, has the shared gradient; undefined where the work ended before. */
async function hasImage(
  { runtime, gradients, unknowns, parameters, shared, point, groups, cut }: GradientCertainty,
  parts: readonly MirroredPart[],
  tolerance = TOLERANCE,
): Promise<boolean | undefined> {
  const norm = normOf(shared)
  const executable = await runtime.compile({ inputs: unknowns, outputs: gradients })
  try {
    const evaluator = await executable.bind(parameters)
    try {
      for (const { point: image } of dataImages(point, parts)) {
        if (cut?.()) return undefined
        if (!isApart(image, point, groups)) continue
        const found = await evaluator.run(partsOf(groups, image))
        const away = normOf(found.map((values, t) => mapped(values, (v, i) => v - shared[t][i])))
        if (away <= tolerance * norm) return true
      }
      return false
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** Whether data are others: by more than 0.01 of their range on average. */
const isApart = (image: Float64Array, point: Float64Array, groups: GradientCertainty['groups']): boolean =>
  groups.some(({ start, size, unit }) => {
    const difference = image.subarray(start, start + size).map((v, i) => (v - point[start + i]) / unit)
    return normOf([difference]) > APART * Math.sqrt(size)
  })

/** The size of the largest number; 1 where all are zero. Targets of a regression have no range. */
function sizeOf(values: Values): number {
  const [low, high] = endsOf(values)
  return Math.max(-low, high) || 1
}

/** The width of the range that numbers lie in; 1 where they are all the same. */
function rangeOf(values: Values): number {
  const [low, high] = endsOf(values)
  return high > low ? high - low : 1
}

/** The least and the largest of some numbers. */
function endsOf(values: Values): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i])
    high = Math.max(high, values[i])
  }
  return [low, high]
}

function byName(given: SharedGradients, names: readonly string[]): NamedGradients {
  const shared = weightTensors(given)
  if (typeof shared !== 'object' || shared === null || shared instanceof tf.Tensor)
    throw new DlgError('invalid-gradients', 'gradients must be a list or a map of tensors')
  if (!Array.isArray(shared)) return shared as NamedGradients
  if (shared.length !== names.length)
    throw new DlgError(
      'invalid-gradients',
      `${countOf(shared.length, 'gradient')} for ${countOf(names.length, 'trained weight')}`,
    )
  return Object.fromEntries(names.map((name, i) => [name, shared[i]]))
}

/**
 * What was shared as numbers, by name. Tensors that were not shared are left out.
 *
 * @param shapes of the trained weights, by name
 * @throws DlgError `invalid-gradients` for a shared tensor that is unknown, of another shape, disposed or not finite, and where all of
 * them are zero
 */
async function sharedValues(
  given: SharedGradients,
  shapes: ReadonlyMap<string, g.Shape>,
): Promise<ReadonlyMap<string, Values>> {
  const entries = Object.entries(byName(given, [...shapes.keys()])).map(async ([name, tensor]) => {
    const values = await tensorValues(tensor, `gradient '${name}'`, Float64Array)
    requireWeight(shapes, name, tensor.shape)
    return [name, values] as const
  })
  const read = new Map<string, Values>(await Promise.all(entries))
  if (read.size === 0) throw new DlgError('invalid-gradients', 'no gradient was shared: there is nothing to prove')
  if (normOf([...read.values()]) === 0)
    throw new DlgError('invalid-gradients', 'every shared gradient is zero: there is nothing to prove')
  return read
}

/** @throws DlgError `invalid-gradients` for a name or a shape that the model does not have */
function requireWeight(shapes: ReadonlyMap<string, g.Shape>, name: string, shape: readonly number[]): void {
  const own = shapes.get(name)
  if (!own)
    throw new DlgError(
      'invalid-gradients',
      `shared gradient '${name}' is of no trained weight; the model has ${[...shapes.keys()].join(', ')}`,
    )
  if (!g.sameShape(shape, own))
    throw new DlgError(
      'invalid-gradients',
      `shared gradient '${name}' has shape [${shape.join(', ')}]; the weight has [${own.join(', ')}]`,
    )
}

/** The gradient that a shared one is held against. @throws DlgError `invalid-gradients` for a name or a shape that the model does not have */
export async function recomputedOf(found: tf.NamedTensorMap, name: string, shape: readonly number[]) {
  requireWeight(new Map(Object.entries(found).map(([own, tensor]) => [own, tensor.shape])), name, shape)
  return found[name].data()
}
