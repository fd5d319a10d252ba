import type { DataType } from '@tensorflow/tfjs-core'
import * as g from '../../graph'
import { type Training, traceGradient } from './gradient'
import type { OpenModel } from './model'

/**
 * The operations of a model's loss as plain values, for comparison: each node in order, with its inputs by their places. Leaves stand
 * by their places too, so that names do not count, and captured numbers by their values.
 *
 * @param type of the first input
 * @throws what a trace of the model throws
 */
export function operationsOfLoss(model: OpenModel, training: Training, type: DataType): unknown {
  const target = (output: g.Node) => g.input(output.graph, 'target', output.shape)
  const types = new Map([[model.inputs[0].name, type]])
  const { loss, inputNodes, targets, weightNodes, captured } = traceGradient(model, training, target, { types })
  const leaves = [...inputNodes, ...targets, ...weightNodes]
  const places = new Map<g.Node, number>()
  const attributesOf = (node: g.Node): unknown => {
    if (node.op !== 'input' && node.op !== 'parameter') return node.attributes
    return captured.get(node.attributes.name) ?? leaves.indexOf(node)
  }
  return g.reachable([loss]).map((node, i) => {
    places.set(node, i)
    return [node.op, node.shape, node.inputs.map((n) => places.get(n)), attributesOf(node)]
  })
}
