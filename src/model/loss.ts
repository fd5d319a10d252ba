import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import type { Node } from '../graph'
import * as g from '../graph'
import { type Captured, record } from '../trace'
import type { Criterion, Reduction } from './criterion'

/**
 * A loss of the caller's own in tfjs operations: of output and target, of the same shape, to one loss per sample [batch],
 * which are then reduced, or to a scalar, which is the loss of the batch as it stands.
 */
export type LossFunction = (output: Tensor, target: Tensor) => Tensor

/** The losses of a batch as one scalar. @throws DlgError `invalid-option` when they have another shape than [batch] */
export function lossOf(
  criterion: Criterion | LossFunction,
  output: Node,
  target: Node,
  reduction: Reduction,
  captured: Captured,
): Node {
  const batch = output.shape[0]
  const own = typeof criterion === 'function'
  const losses = own ? recorded(criterion, output, target, captured) : criterion.loss(output, target)
  if (own && losses.shape.length === 0) return losses
  if (!losses?.shape || !g.sameShape(losses.shape, [batch])) {
    const got = losses?.shape ? `a node of shape [${losses.shape}]` : String(losses)
    const right = own ? `it must give a scalar or [batch]: [${batch}]` : `loss() must give [batch]: [${batch}]`
    throw new DlgError('invalid-option', `criterion '${criterion.name}' gave ${got}; ${right}`)
  }
  if (reduction === 'sum') return g.reshape(g.sum(losses), [])
  const weights = own ? undefined : criterion.weights?.(output, target)
  return g.reshape(weights ? g.div(g.sum(losses), g.sum(weights)) : g.mean(losses), [])
}

function recorded(loss: LossFunction, output: Node, target: Node, captured: Captured): Node {
  return record(output.graph, captured, (recorder) => {
    const leave = recorder.enter(`criterion ${loss.name}`.trim())
    const value = loss(recorder.tensorOf(output), recorder.tensorOf(target))
    if (!(value instanceof Tensor))
      throw new DlgError('invalid-option', `criterion '${loss.name}' gave ${value}; it must give a tensor, at once`)
    leave()
    return recorder.nodeOf(value)
  })
}
