import { type NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import type { Node } from '../../graph'
import * as g from '../../graph'
import { type Captured, record } from '../../trace'
import type { Criterion, Reduction } from './criterion'
import { type Each, inOrder, requireNames } from './each'
import type { ModelOutput } from './model'

/**
 * A loss of the caller's own in tfjs operations: of output and target, of the same shape, to one loss per sample [batch],
 * which are then reduced, or to a scalar, which is the loss of the batch as it stands.
 *
 * The third argument has every weight of the model by name. A term of the weights belongs there, such as FedProx's
 * μ/2 ‖w − w₀‖² (Li et al. 2020). Through local steps it follows the weights as they move.
 */
export type LossFunction = (output: Tensor, target: Tensor, weights: NamedTensorMap) => Tensor

/** A weight of the model in the graph of a loss. */
export interface WeightNode {
  readonly name: string
  readonly node: Node
}

/**
 * The losses of a batch as one scalar.
 *
 * @param weights every weight of the model, which a loss of the caller's own may read
 * @throws DlgError `invalid-option` when a criterion fails, or its losses or weights have another shape than [batch]
 */
export function lossOf(
  criterion: Criterion | LossFunction,
  output: Node,
  target: Node,
  reduction: Reduction,
  captured: Captured,
  weights: readonly WeightNode[] = [],
): Node {
  const own = typeof criterion === 'function'
  const losses = own
    ? recorded(criterion, output, target, captured, weights)
    : asked(criterion, 'loss', () => criterion.loss(output, target))
  if (own && losses.shape.length === 0) return losses
  requirePerSample(
    losses,
    output,
    `criterion '${criterion.name}'`,
    own ? 'it must give a scalar or' : 'loss() must give',
  )
  if (reduction === 'sum') return g.reshape(g.sum(losses), [])
  const shares = own ? undefined : weightsOf(criterion, output, target)
  return g.reshape(shares ? g.div(g.sum(losses), g.sum(shares)) : g.mean(losses), [])
}

/** The weight of every sample, [batch]; undefined where each weight is 1. @throws DlgError `invalid-option` as {@link lossOf} */
export function weightsOf(criterion: Criterion, output: Node, target: Node): Node | undefined {
  if (!criterion.weights) return undefined
  const weights = asked(criterion, 'weights', () => criterion.weights!(output, target))
  requirePerSample(weights, output, `weights() of criterion '${criterion.name}'`, 'it must give')
  return weights
}

/** Calls a method of a criterion. Anything it throws becomes an error that names the criterion. */
function asked(criterion: Criterion, method: 'loss' | 'weights', ask: () => Node): Node {
  try {
    return ask()
  } catch (cause) {
    if (cause instanceof DlgError && cause.code !== 'invalid-graph') throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new DlgError(
      'invalid-option',
      `${method}() of criterion '${criterion.name}' threw: ${reason}; it must give a node [batch] of output and target`,
      { cause },
    )
  }
}

function requirePerSample(values: Node | undefined, { graph, shape }: Node, what: string, right: string): void {
  const batch = shape[0]
  if (values?.graph === graph && g.sameShape(values.shape, [batch])) return
  const stranger = values?.graph === graph ? '' : ' of another graph'
  const got = Array.isArray(values?.shape) ? `a node of shape [${values.shape}]${stranger}` : String(values)
  throw new DlgError('invalid-option', `${what} gave ${got}; ${right} [batch]: [${batch}]`)
}

function recorded(
  loss: LossFunction,
  output: Node,
  target: Node,
  captured: Captured,
  weights: readonly WeightNode[],
): Node {
  return record(output.graph, captured, (recorder) => {
    const leave = recorder.enter(`criterion ${loss.name}`.trim())
    const byName = Object.fromEntries(weights.map(({ name, node }) => [name, recorder.tensorOf(node)]))
    const value = loss(recorder.tensorOf(output), recorder.tensorOf(target), byName)
    if (!(value instanceof Tensor))
      throw new DlgError('invalid-option', `criterion '${loss.name}' gave ${value}; it must give a tensor, at once`)
    leave()
    return recorder.nodeOf(value)
  })
}

/** A loss that compares an output with its targets. */
export type AnyCriterion = Criterion | LossFunction

/** One criterion for every output, or one for each; a map may leave out outputs, which then have no loss. */
export type Criteria = AnyCriterion | Each<AnyCriterion>

/** An output with a loss: the training loss is Σ weight · loss over these. */
export interface TrainedOutput extends ModelOutput {
  readonly criterion: AnyCriterion
  readonly weight: number
}

const isOne = (criteria: Criteria): criteria is AnyCriterion =>
  typeof criteria === 'function' || typeof (criteria as Criterion).loss === 'function'

/** The outputs with a loss, in the model's order. @throws DlgError `invalid-option` for a name or number that does not fit */
export function trainedOutputs(
  outputs: readonly ModelOutput[],
  criteria: Criteria,
  lossWeights: Each<number> | undefined,
): TrainedOutput[] {
  const names = outputs.map(({ name }) => name)
  const pairs = isOne(criteria)
    ? outputs.map((output) => ({ output, criterion: criteria }))
    : Array.isArray(criteria)
      ? inOrder<AnyCriterion>('criteria', criteria, names, 'invalid-option').map((criterion, i) => ({
          output: outputs[i],
          criterion,
        }))
      : named(outputs, criteria as { readonly [name: string]: AnyCriterion })
  const weights =
    lossWeights &&
    inOrder(
      'lossWeights',
      lossWeights,
      pairs.map(({ output }) => output.name),
      'invalid-option',
    )
  return pairs.map(({ output, criterion }, i) => ({ ...output, criterion, weight: weights?.[i] ?? 1 }))
}

function named(outputs: readonly ModelOutput[], criteria: { readonly [name: string]: AnyCriterion }) {
  const names = outputs.map(({ name }) => name)
  requireNames('criteria', Object.keys(criteria), names, 'invalid-option')
  if (Object.keys(criteria).length === 0)
    throw new DlgError('invalid-option', `criterion names no output; there are ${names.join(', ')}`)
  return outputs.flatMap((output) =>
    Object.hasOwn(criteria, output.name) ? [{ output, criterion: criteria[output.name] }] : [],
  )
}
