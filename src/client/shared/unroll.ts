import type { Node } from '../../graph'
import * as g from '../../graph'
import { type InputKinds, type TracedGradient, type Training, traceGradient } from '../model/gradient'
import type { OpenModel, Weight } from '../model/model'
import type { UpdateSettings } from './update-options'

type Steps = Pick<UpdateSettings, 'steps' | 'momentum'>

/** 1 + μ + … + μⁿ: how much of a gradient has gone into the weights n + 1 steps after it was computed. */
const spent = (momentum: number, n: number): number => (1 - momentum ** (n + 1)) / (1 - momentum)

/** How much the gradient of each local step counts in the whole update: 1 each without momentum. */
export const stepWeights = ({ steps, momentum }: Steps): number[] =>
  steps.map((_, step) => spent(momentum, steps.length - 1 - step))

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/**
 * How many gradients of all samples an update amounts to, if they were all alike: the number of steps for a mean over each
 * local batch, the number of epochs for a sum.
 */
export function gradientsIn(update: Steps, samples: number, reduction: 'mean' | 'sum'): number {
  const weights = stepWeights(update)
  if (reduction === 'mean') return total(weights)
  return total(weights.map((weight, step) => (weight * update.steps[step].size) / samples))
}

/**
 * Where on the way from the weights before (0) to those after (1) the gradients were computed, on average and if the way was
 * straight: Σ cₛ pₛ / Σ cₛ, cₛ what the gradient of step s counts and pₛ where it was computed. (S − 1) / 2S for S steps of
 * plain SGD, so that one step is exact.
 */
export function meanPosition(update: Steps): number {
  const weights = stepWeights(update)
  const length = total(weights)
  let at = 0
  const moments = weights.map((weight, step) => {
    const moment = weight * at
    at += spent(update.momentum, step)
    return moment
  })
  return total(moments) / length ** 2
}

/** Local steps that are taken as the client took them. */
type LocalTraining = UpdateSettings & { readonly learningRate: number }

/** One step is a gradient as it is. */
export const unrolls = (update: UpdateSettings | undefined): update is LocalTraining =>
  update?.approach === 'unrolled' && update.steps.length > 1

/**
 * The gradient that the client's local steps amount to, of the weights that were shared.
 *
 * @param changed makes of the gradient of a smaller batch what `traced` is of that of all samples
 */
export function unrolled(
  model: OpenModel,
  shared: readonly Weight[],
  training: Training,
  traced: TracedGradient,
  kinds: InputKinds,
  update: LocalTraining,
  changed: (traced: TracedGradient) => TracedGradient = (gradient) => gradient,
): TracedGradient {
  const names = new Set(shared.map(({ name }) => name))
  const gradients = localGradients(model, training, traced, kinds, update, changed)
  return { ...traced, trained: shared, gradients: gradients.filter((_, i) => names.has(traced.trained[i].name)) }
}

/**
 * The client's local steps as one computation, differentiable in the data:
 *
 * θ₀ the weights before, vₛ = μ vₛ₋₁ + ∂L(θₛ; batch s)/∂θ + λ θₛ, θₛ₊₁ = θₛ − η vₛ
 *
 * @param traced the gradient of all samples at θ₀
 * @returns (θ₀ − θ_S) / η per gradient of all samples, less λ θ₀, for every trained weight. The gradients are summed, not the
 * weights subtracted, which in float32 are too close to each other to tell how far they are apart
 */
function localGradients(
  model: OpenModel,
  training: Training,
  traced: TracedGradient,
  kinds: InputKinds,
  { learningRate, momentum, weightDecay, steps }: LocalTraining,
  changed: (traced: TracedGradient) => TracedGradient,
): Node[] {
  const leaves = traced.weightNodes.filter((_, i) => model.weights[i].trainable)
  const templates = new Map([[training.batchSize, traced]])
  for (const { size } of steps)
    if (!templates.has(size))
      templates.set(size, changed(placeholders(model, { ...training, batchSize: size }, kinds, traced)))
  const zeros = leaves.map(({ graph, shape }) => g.fill(graph, 0, shape))
  /** `velocity`: without its λθ₀ term. `moved`: the sum of all velocities so far. */
  let [velocity, moved] = [zeros, zeros]
  /** How many times λθ₀ is in each of them. */
  let [decay, decayed] = [0, 0]
  for (const { start, size } of steps) {
    const weights = leaves.map((leaf, i) =>
      g.sub(g.scale(leaf, 1 - learningRate * weightDecay * decayed), g.scale(moved[i], learningRate)),
    )
    const slice = (node: Node): Node => g.sliceAxis(node, 0, start, size)
    const template = templates.get(size)!
    const gradients = g.substitute(
      template.gradients,
      new Map([
        ...pairs(template.inputNodes, traced.inputNodes.map(slice)),
        ...pairs(template.targets, traced.targets.map(slice)),
        ...pairs(leaves, weights),
      ]),
    )
    velocity = velocity.map((v, i) => {
      const pull = g.add(gradients[i], g.scale(g.sub(weights[i], leaves[i]), weightDecay))
      return g.add(g.scale(v, momentum), pull)
    })
    moved = moved.map((m, i) => g.add(m, velocity[i]))
    decay = momentum * decay + 1
    decayed += decay
  }
  const count = gradientsIn({ steps, momentum }, training.batchSize, training.reduction)
  return moved.map((m) => g.scale(m, 1 / count))
}

const pairs = <T>(from: readonly T[], to: readonly T[]): [T, T][] =>
  from.flatMap((node, i): [T, T][] => (node === to[i] ? [] : [[node, to[i]]]))

/** The gradient of a batch of another size, in the same graph: its inputs and targets stand for whatever replaces them. */
function placeholders(model: OpenModel, training: Training, kinds: InputKinds, traced: TracedGradient): TracedGradient {
  const target = (output: Node, { name }: { readonly name: string }) =>
    g.input(output.graph, `batch targets ${name}`, output.shape)
  return traceGradient(model, training, target, kinds, traced)
}
