import { Add, getBackend, getGradient } from '@tensorflow/tfjs-core'
import { isRandom } from '../client/model/dropout'
import type { TracedGradient } from '../client/model/gradient'
import type { Model } from '../client/model/model'
import { isGraphModel } from '../client/model/open-model'
import type { Data } from '../client/read-data'
import type { TracedExample } from '../client/trace-example'
import * as g from '../graph'
import { normOf } from '../numbers/norms'
import { evaluate, type Values } from '../runtime/runtime'
import { knownCauses } from './known-causes'
import type { Finding } from './report'
import { kernelsOf, type Seeds, type TfjsModel, tfjsGradient } from './tfjs-gradient'

/** Largest relative difference of two float32 gradients that is rounding. */
const ROUNDING = 1e-3
/** Part of the whole gradient below which a weight's own is compared with the whole. */
const FLOOR = 1e-3
/** Largest ∂L/∂output: beyond, the output has reached 0 or 1, where its derivative is rounding. */
const LARGEST_SEED = 1e6
const TINY = 1e-30

/** Our gradient on the example, and how far tfjs's own is from it, weight by weight. */
export interface FirstOrder {
  readonly gradients: readonly Values[]
  readonly differences?: readonly number[]
  readonly findings: readonly Finding[]
}

/** Compares our gradient with the one of tfjs on the user's backend. */
export async function checkFirstOrder(model: Model, x: Data, example: TracedExample): Promise<FirstOrder> {
  const { traced, settings, inputs, values, parameters } = example
  const outputs = [...traced.gradients, ...seedNodes(traced)]
  const run = await evaluate(settings.runtime, { inputs, outputs }, parameters, values)
  const gradients = run.slice(0, traced.gradients.length)
  const seeds: Seeds = new Map(
    traced.outputs.map(({ name, node }, i) => [
      name,
      { shape: node.shape, values: Float32Array.from(run[traced.gradients.length + i]) },
    ]),
  )
  if (isGraphModel(model))
    return {
      gradients,
      findings: [
        {
          level: 'note',
          code: 'not-compared',
          message: 'the model has no tfjs operations, so there is no gradient of tfjs to compare with',
        },
      ],
    }
  const skipped = readsWeights(traced)
    ? "the criterion reads the weights itself, so tfjs's gradient of the output alone is not the whole"
    : notComparable(model, seeds, settings.training)
  if (skipped) return { gradients, findings: [{ level: 'note', code: 'not-compared', message: skipped }] }
  let theirs: Float32Array[]
  try {
    theirs = await tfjsGradient(model, x, seeds, settings.training)
  } catch (cause) {
    const hint = getGradient(Add)
      ? ''
      : "; its gradients are not loaded: import '@tensorflow/tfjs-layers', which brings them along"
    const message = `tfjs cannot differentiate this model (${(cause as Error).message.replace(/\.$/, '')}${hint}); the traced gradient can be attacked all the same`
    return { gradients, findings: [{ level: 'note', code: 'tfjs-cannot-differentiate', message }] }
  }
  const whole = normOf(gradients)
  const differences = gradients.map(
    (ours, i) => distance(theirs[i], ours) / Math.max(normOf([ours]), FLOOR * whole, TINY),
  )
  return { gradients, differences, findings: [await verdict(model, x, traced, differences)] }
}

/** Whether a criterion that takes the weights reads one otherwise than through the outputs. */
function readsWeights({ dataLoss, outputs, trainedNodes }: TracedGradient): boolean {
  // others may read the scores behind a soft-max, which is past the output too
  if (!outputs.some(({ criterion }) => typeof criterion === 'function' && criterion.length > 2)) return false
  const ends = new Set<g.Node>(outputs.map(({ node }) => node))
  const weights = new Set<g.Node>(trainedNodes)
  const seen = new Set<g.Node>()
  const stack: g.Node[] = [dataLoss]
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || ends.has(node)) continue
    if (weights.has(node)) return true
    seen.add(node)
    stack.push(...node.inputs)
  }
  return false
}

async function verdict(
  model: TfjsModel,
  x: Data,
  { trained }: TracedGradient,
  differences: readonly number[],
): Promise<Finding> {
  const backend = getBackend()
  const worst = differences.reduce((a, b) => Math.max(a, b), 0)
  const wrong = trained.flatMap(({ name }, i) =>
    differences[i] > ROUNDING ? [`'${name}' (${differences[i].toPrecision(2)})`] : [],
  )
  if (wrong.length === 0)
    return {
      ...{ level: 'ok', code: 'first-order' },
      message: `tfjs's own gradient on ${backend} is ours, to ${worst.toExponential(0)} of each weight's`,
    }
  const causes = knownCauses(await kernelsOf(model, x), backend)
  return {
    ...{ level: 'error', code: 'first-order' },
    message: `tfjs's own gradient on ${backend} is wrong for ${wrong.join(', ')}: a client that trains with it shares another gradient than the mathematical one. ${causes}`,
  }
}

/** Why the two cannot be compared, if they cannot. */
function notComparable(model: TfjsModel, seeds: Seeds, training: boolean): string | undefined {
  if (training && 'layers' in model && isRandom(model))
    return 'layers with dropout or noise draw anew in every forward pass, so tfjs has no one gradient to compare with'
  const saturated = [...seeds].find(([, { values }]) => values.some((v) => Math.abs(v) > LARGEST_SEED))
  return (
    saturated &&
    `output '${saturated[0]}' has reached 0 or 1, where the derivative of its last activation is rounding; tfjs was not compared`
  )
}

/**
 * ∂L/∂output. A cross-entropy that reads the scores z behind a soft-max or sigmoid p has it from ∂L/∂z: for a sigmoid
 * ∂L/∂p = ∂L/∂z / p(1 − p); for a soft-max ∂L/∂z / p, since Σ ∂L/∂z = 0.
 */
function seedNodes({ loss, outputs }: TracedGradient): g.Node[] {
  const nodes = outputs.map(({ node }) => node)
  return g.grad(loss, nodes).map((direct, i) => {
    const node = nodes[i]
    if (g.uniformValue(direct) !== 0 || (node.op !== 'softmax' && node.op !== 'sigmoid')) return direct
    const [scores] = g.grad(loss, [node.inputs[0]])
    const slope = node.op === 'softmax' ? node : g.mul(node, g.offset(g.neg(node), 1))
    return g.div(scores, g.maximum(slope, g.scalar(node.graph, TINY)))
  })
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < b.length; i++) sum += (a[i] - b[i]) ** 2
  return Math.sqrt(sum)
}
