import { isRecord } from '../bytes/untrusted'
import type { TensorSpec } from './layer-groups'
import { tfjsLayers } from './layer-groups'

/** How two layers of a model stand to each other, by their names; undefined where the model does not say. */
export type LayerOrder = (one: string, other: string) => 'before' | 'after' | 'parallel' | undefined

/** What a layer of tfjs says about its place. */
interface PlacedLayer {
  readonly weights?: readonly TensorSpec[]
  readonly inboundNodes?: readonly { readonly inboundLayers?: readonly PlacedLayer[] }[]
}

const UNKNOWN: LayerOrder = () => undefined

/**
 * Reads from a model's graph which layers follow each other, and which lie in parallel branches.
 *
 * Layers inside of one nested model are not told apart: their order is not known here.
 */
export function layerOrderOf(targets: unknown): LayerOrder {
  const layers = isRecord(targets) && Array.isArray(targets.layers) ? (targets.layers as PlacedLayer[]) : []
  if (!layers.some((layer) => (layer?.inboundNodes?.length ?? 0) > 0)) return UNKNOWN
  const placeOf = new Map<string, PlacedLayer>()
  for (const layer of layers)
    for (const { name } of tfjsLayers((layer.weights ?? []).map((w) => ({ name: w.name, shape: w.shape }))))
      placeOf.set(name, layer)
  const before = new Map<PlacedLayer, ReadonlySet<PlacedLayer>>()
  /** Every layer upstream. */
  const upstream = (layer: PlacedLayer): ReadonlySet<PlacedLayer> => {
    const known = before.get(layer)
    if (known) return known
    const found = new Set<PlacedLayer>()
    // a layer that is used again meets itself
    before.set(layer, found)
    for (const { inboundLayers = [] } of layer.inboundNodes ?? [])
      for (const source of inboundLayers) for (const one of [source, ...upstream(source)]) found.add(one)
    return found
  }
  return (one, other) => {
    const [a, b] = [placeOf.get(one), placeOf.get(other)]
    if (!a || !b || a === b) return undefined
    if (upstream(b).has(a)) return 'before'
    return upstream(a).has(b) ? 'after' : 'parallel'
  }
}

/** The first two names that lie in parallel branches. */
export function parallelPair(names: readonly string[], order: LayerOrder): readonly [string, string] | undefined {
  for (const [i, one] of names.entries())
    for (const other of names.slice(i + 1)) if (order(one, other) === 'parallel') return [one, other]
  return undefined
}
