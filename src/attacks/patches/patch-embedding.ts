import type { TracedGradient } from '../../client/model/gradient'
import { countOf } from '../../errors/counted'
import * as g from '../../graph'
import { type Node, reachable, sizeOf } from '../../graph'
import { mapped, type Values } from '../../numbers/values'
import { reference } from '../../runtime/reference'
import { evaluate } from '../../runtime/runtime'
import { type Entries, eachOnce, entriesOf, onlyMoves } from './entries'
import { indices, type Layout, layoutOf } from './layout'

/**
 * A patch embedding with trained positions, z = XW + … + P for one sample: every row of X is a patch of the data, and every row
 * of P is added to one row alone.
 */
export interface PatchEmbedding {
  /** Which trained weight W is, and which P is. */
  readonly weight: number
  readonly positions: number
  /** Rows of X, numbers of a patch, and outputs for each patch. */
  readonly patches: number
  readonly numbers: number
  readonly width: number
  /** Which number of the data each number of X [patches, numbers] is; −1 is padding. */
  readonly pixels: Entries
  /** Which number of the weight's tensor each number of W [numbers, width] is. */
  readonly kernel: Int32Array
  /** ∂L/∂(XW), [patches, width], from ∂L/∂P as it was shared. */
  felt(positions: Values): Promise<Float64Array>
}

/**
 * Recognises a patch embedding by what the graph computes: a trained table is added to what one linear map makes of the data,
 * and neither reaches the loss on another way. The map is a matrix product or a convolution of any stride, with or without
 * bias; the sum may have rows of its own, such as a class token.
 *
 * @param traced of one sample
 * @param bound values of all weights and captured tensors
 * @param rest taken between the parts of the work
 * @returns the embedding, or why there is none
 */
export async function patchEmbedding(
  { loss, data, trainedNodes, graph }: TracedGradient,
  bound: ReadonlyMap<string, Values>,
  rest?: () => Promise<void>,
): Promise<PatchEmbedding | string> {
  if (data.shape[0] !== 1)
    return `the batch has ${countOf(data.shape[0], 'sample')}; the positions feel the sum over them`
  const trained = trainedNodes as readonly Node[]
  const trainedIn = (node: Node): Node[] => reachable([node]).filter((n) => trained.includes(n))
  const nodes = reachable([loss])
  const maps = nodes.flatMap((product) => {
    const layout = product.varying ? layoutOf(product) : undefined
    if (!layout || layout.patches < 2 || !onlyMoves(layout.source)) return []
    const weights = trainedIn(layout.kernel)
    return weights.length === 1 ? [{ product, layout, weight: weights[0] }] : []
  })
  if (maps.length === 0) return 'the model does not begin with a linear map of several patches of the data'
  let reason: string | undefined
  for (const sum of nodes) {
    if (sum.op !== 'add') continue
    for (const [embedded, added] of [sum.inputs, sum.inputs.toReversed()]) {
      if (!embedded.varying || added.varying || sizeOf(added.shape) < sizeOf(sum.shape)) continue
      const tables = trainedIn(added)
      const map = maps.find(({ product }) => reachable([embedded]).includes(product))
      if (tables.length !== 1 || !map) continue
      const [table] = tables
      const { product, weight, layout } = map
      const rows = await entriesOf(added, table, bound, rest)
      const pixels = await entriesOf(layout.source, data, bound, rest)
      const kernel = await entriesOf(layout.kernel, weight, bound, rest)
      if (!rows || !pixels || !kernel || ![rows, kernel].every(eachOnce)) continue
      const ways = [reaches(loss, table, sum), reaches(loss, weight, sum), reaches(embedded, weight, product)]
      if (ways.some((other) => other) || kernel.entry.length < sizeOf(weight.shape)) {
        reason ??= 'patches or positions are used twice: their gradients are sums over the uses'
        continue
      }
      const cotangent = g.parameter(graph, 'felt by the positions', sum.shape)
      const [backwards] = g.grad(sum, [product], cotangent)
      if (backwards.varying) {
        reason ??= 'something that depends on the data, such as a normalisation, stands between patches and positions'
        continue
      }
      return {
        ...{ weight: trained.indexOf(weight), positions: trained.indexOf(table) },
        ...arranged(layout, pixels, kernel),
        async felt(gradient) {
          const felt = mapped(rows.entry, (at) => gradient[at])
          const parameters = new Map([...bound, [cotangent.attributes.name, felt] as const])
          const [found] = await evaluate(reference(), { inputs: [], outputs: [backwards] }, parameters, [])
          return mapped(indices(layout.patches, layout.width, layout.inProduct), (at) => found[at])
        },
      }
    }
  }
  return reason ?? 'the model has no trained positions that are added patch by patch, whose gradient was shared'
}

/** The numbers of X and W as positions in the data and in the weight's tensor. */
function arranged(layout: Layout, pixels: Entries, kernel: Entries) {
  const { patches, numbers, width } = layout
  const inSource = indices(patches, numbers, layout.inSource)
  const of = (values: ArrayLike<number>, padding: number) => mapped(inSource, (at) => (at < 0 ? padding : values[at]))
  return {
    ...{ patches, numbers, width },
    pixels: { entry: Int32Array.from(of(pixels.entry, -1)), scale: of(pixels.scale, 0), offset: of(pixels.offset, 0) },
    kernel: indices(numbers, width, layout.inKernel).map((at) => kernel.entry[at]),
  }
}

/** Whether there is a way from a node to the output that does not lead through `without`. */
function reaches(output: Node, from: Node, without: Node): boolean {
  const seen = new Set<Node>([without])
  const stack = [output]
  while (stack.length > 0) {
    const node = stack.pop()!
    if (node === from) return true
    if (seen.has(node)) continue
    seen.add(node)
    stack.push(...node.inputs)
  }
  return false
}
