import type { TracedGradient } from '../../client/model/gradient'
import { usesOf } from '../../client/model/uses'
import { countOf } from '../../errors/counted'
import { type Node, reachable, sizeOf, unshaped } from '../../graph'
import { CUT, type Pause } from '../contract/pause'
import { eachOnce, entriesOf } from '../patches/entries'
import { indices, type Layout, layoutOf } from '../patches/layout'
import { type Between, type Bound, betweenOf } from './between'

/** Most products of numbers that one use of a layer may take: each step of the iteration takes four times as many. */
const MOST_PRODUCTS = 25e6

/** A linear map with trained weights: a convolution, or a dense layer. */
export interface Link {
  /** X W before its bias. */
  readonly product: Node
  /** Numbers of what it reads. */
  readonly unknowns: number
  /** How often the weights are used: once for a dense layer, once for each place of a convolution. */
  readonly patches: number
  readonly numbers: number
  readonly width: number
  /** Independent images that the map reads: the channels of a convolution. `place(channel, q)` is a position in what is read. */
  readonly channels: number
  readonly place: (channel: number, q: number) => number
  /** Which number of what is read number j of patch t is, at t · numbers + j; −1 is padding. */
  readonly source: Int32Array
  /** Where W[j, o] is in its tensor, at j · width + o. */
  readonly kernel: Int32Array
  /** Where output o of patch t is in the product, at t · width + o. */
  readonly output: Int32Array
  /** Which trained weight W is, and which is the bias of a dense layer. */
  readonly weight: number
  readonly bias: number | undefined
  /** What stands before it: behind the product before, or behind the data. */
  readonly before: Between
}

/** A model whose layers follow each other, each with an inverse between. */
export interface Chain {
  readonly traced: TracedGradient
  readonly bound: Bound
  /** In the order of the forward pass. The last one is dense. */
  readonly links: readonly Link[]
}

/**
 * Recognises a sequence of convolutions and dense layers with strictly monotone activations between them, by what the graph computes.
 *
 * @param traced of one sample
 * @param bound values of all weights and captured tensors
 * @param pause asked before every layer
 * @returns the chain, or why there is none
 * @throws CUT
 */
export async function chainOf(
  traced: TracedGradient,
  bound: Bound,
  pause: Pause = async () => false,
): Promise<Chain | string> {
  if (traced.outputs.length !== 1)
    return `the model has ${countOf(traced.outputs.length, 'output')} with a loss; it must have one`
  const trained: readonly Node[] = traced.trainedNodes
  const targets = new Set(traced.targets)
  const found: Link[] = []
  let [to, behind]: [Node, Omit<Link, 'before'> | undefined] = [traced.dataLoss, undefined]
  for (;;) {
    if (await pause()) throw CUT
    const sources = sourcesOf(to, targets, traced)
    if (sources.length !== 1)
      return sources.length === 0
        ? 'the loss does not depend on the data'
        : 'several paths meet: the layers are no chain'
    const [from] = sources
    if (behind) {
      const before = await betweenOf(from, to, bound)
      if (typeof before === 'string') return before
      found.unshift({ ...behind, before })
    }
    if (from === traced.data) break
    const layout = layoutOf(from)!
    if (!behind && layout.patches !== 1) return 'the last layer with trained weights is not dense'
    const link = await linkOf(from, layout, traced, bound)
    if (typeof link === 'string') return link
    ;[to, behind] = [layout.source, link]
  }
  if (found.length === 0) return 'no layer with trained weights that are used as they are reads the data'
  const twice = found.find(({ weight }) => usesOf(trained[weight], [traced.dataLoss]) !== 1)
  if (twice) return `the weight '${traced.trained[twice.weight].name}' is used more than once`
  return { traced, bound, links: found }
}

/** The linear maps that a node is made of without another between, and the data. */
function sourcesOf(node: Node, targets: ReadonlySet<Node>, { data, trainedNodes }: TracedGradient): Node[] {
  const seen = new Set<Node>()
  const found: Node[] = []
  const stack = [node]
  while (stack.length > 0) {
    const one = stack.pop()!
    if (seen.has(one) || !one.varying || targets.has(one)) continue
    seen.add(one)
    const layout = layoutOf(one)
    const isLink = layout && reachable([layout.kernel]).some((n) => (trainedNodes as readonly Node[]).includes(n))
    if (one === data || isLink) found.push(one)
    else stack.push(...one.inputs)
  }
  return found
}

async function linkOf(
  product: Node,
  layout: Layout,
  { dataLoss, trainedNodes }: TracedGradient,
  bound: Bound,
): Promise<Omit<Link, 'before'> | string> {
  const trained: readonly Node[] = trainedNodes
  const { kernel, patches, numbers, width, source } = layout
  const products = patches * numbers * width
  if (products > MOST_PRODUCTS)
    return `a layer takes ${products.toLocaleString('en')} products; at most ${MOST_PRODUCTS.toLocaleString('en')} are solved`
  const weights = reachable([kernel]).filter((n) => trained.includes(n))
  const entries = weights.length === 1 ? await entriesOf(kernel, weights[0], bound) : undefined
  if (!entries || !eachOnce(entries) || entries.entry.length !== sizeOf(weights[0].shape))
    return 'the weights of a layer are computed from trained weights, and are not one of them'
  const all = reachable([dataLoss])
  const bias = all.flatMap((node) => {
    if (node.op !== 'add') return []
    const [a, b] = node.inputs.map(unshaped)
    const term = a === product ? b : b === product ? a : undefined
    return term && trained.includes(term) && usesOf(term, [dataLoss]) === 1 ? [trained.indexOf(term)] : []
  })
  return {
    ...{ product, patches, numbers, width },
    ...channelsOf(product, layout),
    unknowns: sizeOf(source.shape),
    source: indices(patches, numbers, layout.inSource),
    kernel: indices(numbers, width, layout.inKernel).map((at) => entries.entry[at]),
    output: indices(patches, width, layout.inProduct),
    weight: trained.indexOf(weights[0]),
    bias: patches === 1 && bias.length === 1 ? bias[0] : undefined,
  }
}

/** The images that a map reads one by one, with the same places in each. */
function channelsOf(product: Node, { source, numbers, inSource }: Layout): Pick<Link, 'channels' | 'place'> {
  if (product.op !== 'conv') return { channels: numbers, place: (channel, q) => inSource(q, channel) }
  const space = sizeOf(source.shape.slice(2))
  return { channels: source.shape[1], place: (channel, q) => channel * space + q }
}
