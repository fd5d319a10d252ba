import { knownParameter } from '../client/model/gradient'
import { type Target, traceClient } from '../client/target'
import { type PlainTargets, targetRows } from '../client/target-values'
import * as g from '../graph'
import { normOf } from '../numbers/norms'
import type { Values } from '../numbers/values'
import { evaluate } from '../runtime/runtime'
import { fittedFactor } from './certainty/shared-residual'

/** Residual up to which float32 gradients of the same data are the same: about 1e-6 is usual, 1e-5 in deep networks. */
export const RESIDUAL = 1e-4

/**
 * How far the gradient of found data is from what was shared: ‖g − g*‖ / ‖g*‖ over everything that was shared, at the target's
 * weights and through its local steps. Where the factor of what was shared is not known, g is first multiplied by the one that
 * fits best.
 *
 * @param data the searched inputs, in the model's order, [batchSize, ...inputShape] in row-major order
 * @param targets of each output with a loss, in the model's order
 * @throws DlgError `invalid-data` for targets that do not fit the outputs
 */
export async function residualOf(
  target: Target,
  data: readonly Values[],
  targets: readonly PlainTargets[],
): Promise<number> {
  const compared: { node: g.Node<'input'>; values: Values }[] = []
  const traced = traceClient(target, (output, trained, all) => {
    const node = g.input(output.graph, `target ${trained.name}`, output.shape)
    compared.push({ node, values: targetRows(targets[all.indexOf(trained)], trained) })
    return node
  })
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...target.weights,
    ...target.known.map((input) => [knownParameter(input), input.values] as const),
  ])
  const found = await evaluate(
    target.settings.runtime,
    { inputs: [...traced.inputs, ...compared.map(({ node }) => node)], outputs: traced.gradients },
    parameters,
    [...data, ...compared.map(({ values }) => values)],
  )
  const shared = target.gradients
  const factor = target.settings.scale === 'auto' ? fittedFactor(found, shared) : 1
  const difference = found.map((values, i) => Float64Array.from(values, (v, k) => factor * v - shared[i][k]))
  return normOf(difference) / normOf(shared)
}
