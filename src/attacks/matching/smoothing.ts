import type { TracedGradient } from '../../client/model/gradient'
import { unrolled, unrolls } from '../../client/shared/unroll'
import type { Target } from '../../client/target'
import type { Node, Op } from '../../graph/index'
import * as g from '../../graph/index'

/** Name of the input that says how sharp the smoothed kinks are. */
const SHARPNESS = 'sharpness'

/** A kink of the network, with a scale of its own. */
export interface Kink {
  /** The parameter to bind 1/s to, where s is the scale: the kink is rounded off over a width of about s/β. */
  readonly parameter: Node<'parameter'>
  /** Variance of what is compared there, a scalar that depends on the data: s² at typical data. */
  readonly variance: Node
}

/** The gradient of a network whose kinks are rounded off. */
export interface SmoothedGradient extends TracedGradient {
  /** β, a scalar input: how sharp kinks are, in units of their scales. */
  readonly sharpness: Node<'input'>
  readonly kinks: readonly Kink[]
}

/**
 * The client's gradient for a network whose kinks between data and outputs are rounded off, with derivatives of every order.
 *
 * One rule covers them all: a comparison a < b becomes sigmoid(β(b − a)), and a choice by a comparison becomes a mixture in
 * that proportion. ReLU is the choice between x and 0, so it becomes x·sigmoid(βx); leaky ReLU follows. The maximum of numbers
 * becomes Σ pᵢxᵢ with p = softmax(βx), |x| becomes x·tanh(βx), and sign(x) becomes tanh(βx).
 *
 * Each tends to what it replaces as β → ∞. The error falls exponentially with the distance from the kink, on both sides; that of
 * softplus(βx)/β is one-sided, and layer after layer shifts all values up. The loss stays as it is. So do rounding and
 * everything else whose derivative is zero wherever it has one.
 *
 * Here β stands for β/s with a scale s for each kink, so that one β suits layers and networks of any weights.
 */
export function smoothed(traced: TracedGradient): SmoothedGradient {
  const sharpness = g.input(traced.graph, SHARPNESS, [])
  const nodes = traced.outputs.map(({ node }) => node)
  const { replaced, kinks } = replacements(nodes, sharpness)
  const moves = traced.statistics.map(({ moved }) => moved)
  const normalised = traced.normalizations.map(({ input }) => input)
  const [loss, ...others] = g.substitute([traced.loss, ...moves, ...normalised], replaced)
  const statistics = traced.statistics.map(({ name }, i) => ({ name, moved: others[i] }))
  const normalizations = traced.normalizations.map((one, i) => ({ ...one, input: others[moves.length + i] }))
  const outputs = traced.outputs.map((output) => ({ ...output, node: replaced.get(output.node)! }))
  const gradients = g.grad(loss, traced.trainedNodes)
  return { ...traced, outputs, output: outputs[0].node, loss, gradients, statistics, normalizations, sharpness, kinks }
}

/** What a client shares, be it an update of several local steps, for a network whose kinks are rounded off. */
export function smoothedClient({ whole, trained, kinds, settings }: Target, traced: TracedGradient): SmoothedGradient {
  const soft = smoothed(traced)
  if (!unrolls(settings.update)) return soft
  const one = { ...soft, trained: whole.weights.filter((w) => w.trainable) }
  const local = unrolled(whole, trained, settings, one, kinds, settings.update, smoothed)
  return { ...local, sharpness: soft.sharpness, kinks: soft.kinks }
}

/** Every node between the data and the outputs, with the one that takes its place. */
function replacements(outputs: readonly Node[], sharpness: Node) {
  const kinks: Kink[] = []
  const replaced = new Map<Node, Node>(outputs.map((node) => [node, node]))
  const of = (node: Node): Node => replaced.get(node) ?? node
  for (const node of between(outputs)) {
    // traces of a model at several batch sizes have the same kinks in the same order
    const own = (): Node => {
      const parameter = g.parameter(node.graph, `kink ${kinks.length}`, [])
      kinks.push({ parameter, variance: varianceOf(node.inputs) })
      return g.mul(sharpness, parameter)
    }
    const smooth = (smoothings[node.op] as Smoothing | undefined)?.(node, of, own)
    replaced.set(node, smooth ?? (STEPS.includes(node.op) ? node : withInputs(node, node.inputs.map(of))))
  }
  return { replaced, kinks }
}

/** The mean variance of what nodes are made of, before it is cut into the views that max-pooling compares. */
function varianceOf(nodes: readonly Node[]): Node {
  const [seen, sources] = [new Set<Node>(), new Set<Node>()]
  const visit = (node: Node): void => {
    if (seen.has(node)) return
    seen.add(node)
    if (VIEWS.includes(node.op)) node.inputs.forEach(visit)
    else if (node.varying) sources.add(node)
  }
  nodes.forEach(visit)
  const variances = [...sources].map((x) => g.reshape(g.moments(x, g.range(x.shape.length)).variance, []))
  return g.scale(variances.reduce(g.add), 1 / variances.length)
}

const VIEWS: readonly Op[] = ['slice', 'concat', 'reshape', 'transpose', 'maximum']

const withInputs = (node: Node, inputs: readonly Node[]): Node =>
  inputs.every((n, i) => n === node.inputs[i]) ? node : node.graph.intern(node.op, inputs, node.attributes, node.shape)

/** Operations whose derivative is zero wherever there is one: nothing is gained by moving what goes into them. */
const STEPS: readonly Op[] = ['equal', 'argmax', 'floor', 'ceil', 'round']

/** What moves with the data on its way to the outputs, inputs before users. */
function between(outputs: readonly Node[]): Node[] {
  const found = new Set<Node>()
  const stack = [...outputs]
  while (stack.length > 0) {
    const node = stack.pop()!
    if (!node.varying || found.has(node)) continue
    found.add(node)
    // the indices of a gather are not numbers to move either
    if (!STEPS.includes(node.op)) stack.push(...(node.op === 'gather' ? node.inputs.slice(0, 1) : node.inputs))
  }
  return [...found].sort((a, b) => a.id - b.id)
}

/**
 * The smooth node in the place of a kink; undefined where it is none.
 *
 * @param of the node in the place of one of its inputs
 * @param sharpness β for this kink
 */
type Smoothing<K extends Op = Op> = (node: Node<K>, of: (node: Node) => Node, sharpness: () => Node) => Node | undefined

const smoothings: { readonly [K in Op]?: Smoothing<K> } = {
  // max-pooling pads with −∞, of which not even the share of 0 may be taken
  concat: (node, of) =>
    withInputs(
      node,
      node.inputs.map((n) =>
        g.uniformValue(n) === Number.NEGATIVE_INFINITY ? g.fill(n.graph, LOWEST, n.shape) : of(n),
      ),
    ),
  relu: ({ inputs: [x] }, of, sharpness) => g.swish(of(x), sharpness()),
  abs: ({ inputs: [x] }, of, sharpness) => g.mul(of(x), g.tanh(g.mul(of(x), sharpness()))),
  sign: ({ inputs: [x] }, of, sharpness) => g.tanh(g.mul(of(x), sharpness())),
  less: ({ inputs: [a, b] }, of, sharpness) => softLess(of(a), of(b), sharpness()),
  maximum(node, of, sharpness) {
    const [a, b] = node.inputs
    if (isAtMost(node)) return of(a)
    return without(node, Number.NEGATIVE_INFINITY, of) ?? g.smoothMaximum(of(a), of(b), sharpness())
  },
  minimum(node, of, sharpness) {
    const [a, b] = node.inputs
    return without(node, Number.POSITIVE_INFINITY, of) ?? g.smoothMaximum(of(a), of(b), g.neg(sharpness()))
  },
  max({ inputs: [x], attributes: { axis } }, of, sharpness) {
    const shares = softmaxAlong(g.mul(of(x), sharpness()), axis)
    return g.sum(g.mul(shares, of(x)), [axis])
  },
  select({ inputs: [mask, a, b] }, of) {
    // any other mask is a step, and chooses as before
    const chooses = mask.varying && (mask.op === 'less' || isAtMost(mask))
    return chooses ? mixture(of(mask), of(a), of(b)) : undefined
  },
}

/** The other of two nodes, where one is this number everywhere: a window that lies in the padding alone. */
function without({ inputs: [a, b] }: Node, number: number, of: (node: Node) => Node): Node | undefined {
  if (g.uniformValue(b) === number) return of(a)
  return g.uniformValue(a) === number ? of(b) : undefined
}

/** Far below what a network computes, and finite with the factors that meet it. */
const LOWEST = -1e20

const softLess = (a: Node, b: Node, sharpness: Node): Node => g.sigmoid(g.mul(g.sub(b, a), sharpness))

/** a in this share, b in the rest: not b + share·(a − b), since max-pooling pads with numbers that swallow any other. */
const mixture = (share: Node, a: Node, b: Node): Node =>
  g.add(g.mul(share, a), g.mul(g.sub(g.scalar(share.graph, 1), share), b))

/** a ≤ b, which is traced as the maximum of a < b and a = b. */
const isAtMost = ({ op, inputs: [a, b] }: Node): boolean =>
  op === 'maximum' && a.op === 'less' && b.op === 'equal' && a.inputs.every((n) => b.inputs.includes(n))

/** e^x / Σ e^x along an axis. */
function softmaxAlong(x: Node, axis: number): Node {
  const last = x.shape.length - 1
  const swap = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i))
  return g.transpose(g.softmax(g.transpose(x, swap)), swap)
}
