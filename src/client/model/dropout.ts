import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Values } from '../../numbers/values'

type Layer = LayersModel['layers'][number]

const KEYS = new Set(['rate', 'stddev', 'dropout', 'recurrentDropout', 'recurrent_dropout'])

/** Whether any layer draws random numbers in training mode, by its configuration and those of the layers inside it. */
export const isRandom = (model: LayersModel): boolean => model.layers.some((layer) => draws(layer.getConfig()))

function draws(config: unknown): boolean {
  if (Array.isArray(config)) return config.some(draws)
  if (typeof config !== 'object' || config === null) return false
  return Object.entries(config).some(([key, value]) => (KEYS.has(key) ? Number(value) > 0 : draws(value)))
}

/** A layer that draws random numbers in training mode. */
export interface RandomLayer {
  readonly name: string
  /** Part of the features that a dropout sets to 0; undefined for a layer that draws otherwise. */
  readonly rate?: number
  /** Position of the weight [features, units] whose gradient has a row of zeros for each dropped feature, among all weights. */
  readonly reader?: number
}

/** The random layers of a model, in its order. @param weights the model's weights in the order of an open model */
export function randomLayersOf(model: LayersModel, weights: readonly LayersModel['weights'][number][]): RandomLayer[] {
  return model.layers
    .filter((layer) => draws(layer.getConfig()))
    .map((layer) => {
      if (layer.getClassName() !== 'Dropout') return { name: layer.name }
      const rate = Number(layer.getConfig().rate)
      const reader = layer.getConfig().noiseShape ? undefined : readerOf(layer, model)
      const kernel = reader?.weights.find((w) => w.originalName.includes('/kernel'))
      const at = kernel ? weights.indexOf(kernel) : -1
      return { name: layer.name, rate, ...(at >= 0 && { reader: at }) }
    })
}

/** The one dense layer that reads the features of a layer, as they are or flattened. */
function readerOf(layer: Layer, model: LayersModel): Layer | undefined {
  const readers = model.layers.filter(({ inboundNodes }) =>
    inboundNodes.some(({ inboundLayers }) => inboundLayers.includes(layer)),
  )
  if (readers.length !== 1 || model.outputLayers.includes(layer)) return undefined
  const [reader] = readers
  if (reader.getClassName() === 'Flatten') return readerOf(reader, model)
  // a dense layer over many places of a sample adds up their rows
  const [shape] = reader.inboundNodes[0].inputShapes as (readonly unknown[])[]
  const flat = reader.inboundNodes.length === 1 && shape.length === 2
  return reader.getClassName() === 'Dense' && flat ? reader : undefined
}

/** What the rows of a gradient say about the mask of a dropout. */
interface MaskReading {
  readonly dropped: number
  readonly features: number
  /** What each feature is multiplied by: 0, or 1 / (1 − rate). */
  readonly mask: Float32Array
  /** Whether the number of zero rows is one that the rate draws: within six standard deviations of its mean. */
  readonly plausible: boolean
}

/** Reads the mask of a dropout from ∂W [features, units] of the layer behind it: ∂W_j = x_j ∂z is zero where x_j was dropped. */
function readMask(gradient: Values, units: number, rate: number): MaskReading {
  const features = gradient.length / units
  const mask = Float32Array.from({ length: features }, (_, j) =>
    gradient.subarray(j * units, (j + 1) * units).every((v) => v === 0) ? 0 : 1 / (1 - rate),
  )
  const dropped = mask.reduce((n, v) => n + (v === 0 ? 1 : 0), 0)
  const spread = 6 * Math.sqrt(features * rate * (1 - rate))
  return { dropped, features, mask, plausible: dropped > 0 && Math.abs(dropped - features * rate) <= spread }
}

/** The masks that a gradient shows, by layer, and what must be known of random layers before a search, in sentences. */
export interface Dropped {
  readonly masks: ReadonlyMap<string, Float32Array>
  readonly notes: readonly string[]
}

/**
 * Reads the masks of dropout layers from the shared gradient of one sample in one step. A mask that cannot be read is a random
 * unknown: the one that an attack draws is not the client's, and no data have this gradient then.
 *
 * @param gradientOf the shared gradient of a weight by its position, and its units; undefined where it was not shared
 * @param alone whether what was shared is of one sample in one step
 */
export function readDropped(
  layers: readonly RandomLayer[],
  gradientOf: (weight: number) => { readonly values: Values; readonly units: number } | undefined,
  training: boolean,
  alone: boolean,
): Dropped {
  const masks = new Map<string, Float32Array>()
  const notes = layers.flatMap(({ name, rate, reader }) => {
    const rows = rate !== undefined && reader !== undefined && alone ? gradientOf(reader) : undefined
    const found = rows && readMask(rows.values, rows.units, rate!)
    const count = found && `${found.dropped} of ${found.features} features`
    if (!training)
      return found?.plausible
        ? [
            `${count} behind '${name}' have no gradient, as under its dropout: if the client trains with it, say so (training: true), and the mask is read`,
          ]
        : []
    if (!found?.plausible)
      return [
        `'${name}' draws a random mask in every step${alone ? '' : ', for every sample'}, and what was shared does not show it: the mask that the attack draws is not the client's, so that nothing can match`,
      ]
    masks.set(name, found.mask)
    return [`the mask of '${name}' is read from the gradient behind it: ${count} were dropped`]
  })
  return { masks, notes }
}
