import { knownParameter } from '../client/model/gradient'
import { type Target, traceClient } from '../client/target'
import { type PlainTargets, targetRows } from '../client/target-values'
import * as g from '../graph'
import { atOnce, type Steps } from '../numbers/steps'
import { fittedFactor, relativeDistance } from '../numbers/stretches'
import { mapped, type Values } from '../numbers/values'

/** Residual up to which float32 gradients of the same data are the same: about 1e-6 is usual, 1e-5 in deep networks. */
export const RESIDUAL = 1e-4

/**
 * How far the gradient of found data is from what was shared: ‖g − g*‖ / ‖g*‖ over everything that was shared, at the target's
 * weights and through its local steps. Where the factor of what was shared is not known, g is first multiplied by the one that
 * fits best.
 *
 * @param data the searched inputs, in the model's order, [batchSize, ...inputShape] in row-major order
 * @param targets of each output with a loss, in the model's order
 * @param done does the comparison, which takes long for a large model: at once, or with rests between its steps
 * @throws DlgError `invalid-data` for targets that do not fit the outputs
 */
export async function residualOf(
  target: Target,
  data: readonly Values[],
  targets: readonly PlainTargets[],
  done: (work: Steps<number>) => number | Promise<number> = atOnce,
): Promise<number> {
  const [found] = await gradientsAt(target, [data], targets)
  return done(relativeResidual(target, found))
}

/** ‖g − g*‖ / ‖g*‖ of a gradient that was found, after the factor that fits best where none is known; in steps. */
export function* relativeResidual(
  target: Target,
  found: readonly Values[],
  shared: readonly Values[] = target.gradients,
): Steps<number> {
  return yield* relativeDistance(found, shared, yield* factorOf(target, found, shared))
}

/**
 * The gradients of the model on several choices of data, all with the same targets, each in the order of the trained weights. The
 * model is compiled once.
 *
 * @param data for each choice: the searched inputs, as {@link residualOf} takes them
 */
export async function gradientsAt(
  target: Target,
  data: readonly (readonly Values[])[],
  targets: readonly PlainTargets[],
): Promise<Values[][]> {
  const found: Values[][] = []
  for await (const gradients of eachGradient(target, data, targets)) found.push(gradients)
  return found
}

/** Like {@link gradientsAt}, one after the other: a choice is made when its turn comes, and none is kept. */
export async function* eachGradient(
  target: Target,
  data: Iterable<readonly Values[]>,
  targets: readonly PlainTargets[],
): AsyncGenerator<Values[]> {
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
  const inputs = [...traced.inputs, ...compared.map(({ node }) => node)]
  const executable = await target.settings.runtime.compile({ inputs, outputs: traced.gradients })
  try {
    const evaluator = await executable.bind(parameters)
    try {
      for (const one of data) yield await evaluator.run([...one, ...compared.map(({ values }) => values)])
    } finally {
      evaluator.dispose()
    }
  } finally {
    executable.dispose()
  }
}

/** The factor between a gradient and what was shared: the one that fits best where it is not known, else 1; in steps. */
export function* factorOf(
  { settings, gradients }: Target,
  found: readonly Values[],
  shared: readonly Values[] = gradients,
): Steps<number> {
  return settings.scale === 'auto' ? yield* fittedFactor(found, shared) : 1
}

/** factor · g − g*, tensor by tensor. */
export const differenceOf = (found: readonly Values[], shared: readonly Values[], factor = 1): Float64Array[] =>
  found.map((values, i) => mapped(values, (v, k) => factor * v - shared[i][k]))
