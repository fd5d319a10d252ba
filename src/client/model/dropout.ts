import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Values } from '../../numbers/values'
import { readBatchMasks, type SampleMask } from './batch-masks'

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
  /** What reads the units of that weight's layer: the output of the model, or the dropout of this name alone. */
  readonly behind?: { readonly output: true } | { readonly dropout: string }
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
      if (!reader || at < 0) return { name: layer.name, rate }
      const behind = behindOf(reader, model)
      return { name: layer.name, rate, reader: at, ...(behind && { behind }) }
    })
}

/** The layers that read a layer. */
const readersOf = (layer: Layer, model: LayersModel): Layer[] =>
  model.layers.filter(({ inboundNodes }) => inboundNodes.some(({ inboundLayers }) => inboundLayers.includes(layer)))

/** What the units of a dense layer are to: the only output, or one dropout. An activation changes neither. */
function behindOf(layer: Layer, model: LayersModel): RandomLayer['behind'] {
  const readers = readersOf(layer, model)
  if (model.outputLayers.includes(layer))
    return readers.length === 0 && model.outputLayers.length === 1 ? { output: true } : undefined
  if (readers.length !== 1) return undefined
  const [reader] = readers
  if (reader.getClassName() === 'Activation') return behindOf(reader, model)
  return reader.getClassName() === 'Dropout' && !reader.getConfig().noiseShape ? { dropout: reader.name } : undefined
}

/** The one dense layer that reads the features of a layer, as they are or flattened. */
function readerOf(layer: Layer, model: LayersModel): Layer | undefined {
  const readers = readersOf(layer, model)
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
  /** Whether it is so many or more: features that are zero by themselves, as behind a ReLU, may count as dropped. */
  readonly enough: boolean
}

/** Reads the mask of a dropout from ∂W [features, units] of the layer behind it: ∂W_j = x_j ∂z is zero where x_j was dropped. */
function readMask(gradient: Values, units: number, rate: number): MaskReading {
  const features = gradient.length / units
  const mask = Float32Array.from({ length: features }, (_, j) =>
    gradient.subarray(j * units, (j + 1) * units).every((v) => v === 0) ? 0 : 1 / (1 - rate),
  )
  const dropped = mask.reduce((n, v) => n + (v === 0 ? 1 : 0), 0)
  const spread = 6 * Math.sqrt(features * rate * (1 - rate))
  const enough = dropped > 0 && dropped < features && dropped >= features * rate - spread
  return { dropped, features, mask, enough, plausible: enough && dropped <= features * rate + spread }
}

/** The masks that a gradient shows, by layer, and what must be known of random layers before a search, in sentences. */
export interface Dropped {
  /** Masks of each sample's features, one sample after the other. */
  readonly masks: ReadonlyMap<string, Float32Array>
  /** The class of each sample that the masks belong to, ascending; undefined of one sample, where there is no order. */
  readonly labels?: readonly number[]
  readonly notes: readonly string[]
}

/** What the readings need of what was shared. */
export interface DroppedIn {
  /** The shared gradient of a weight by its position, and its units; undefined where it was not shared. */
  gradientOf(weight: number): { readonly values: Values; readonly units: number } | undefined
  readonly training: boolean
  readonly batchSize: number
  /** Whether what was shared is of one step. */
  readonly oneStep: boolean
}

/**
 * Reads the masks of dropout layers from the shared gradient of one step. A mask that cannot be read is a random unknown: the
 * one that an attack draws is not the client's, and no data have this gradient then.
 */
export function readDropped(layers: readonly RandomLayer[], shared: DroppedIn): Dropped {
  const { training, batchSize, oneStep } = shared
  if (batchSize > 1 && oneStep && training) {
    const found = masksOfBatch(layers, shared)
    if (found) return found
  }
  const alone = batchSize === 1 && oneStep
  const masks = new Map<string, Float32Array>()
  const notes = layers.flatMap(({ name, rate, reader }) => {
    const rows = rate !== undefined && reader !== undefined && alone ? shared.gradientOf(reader) : undefined
    const found = rows && readMask(rows.values, rows.units, rate!)
    const count = found && `${found.dropped} of ${found.features} features`
    if (!training)
      return found?.plausible
        ? [
            `${count} behind '${name}' have no gradient, as under its dropout: if the client trains with it, say so (training: true), and the mask is read`,
          ]
        : []
    if (!found?.enough)
      return [
        `'${name}' draws a random mask in every step${alone ? '' : ', for every sample'}, and what was shared does not show it: the mask that the attack draws is not the client's, so that nothing can match`,
      ]
    masks.set(name, found.mask)
    return [
      `the mask of '${name}' is read from the gradient behind it: ${count} were dropped${found.plausible ? '' : ' or zero'}`,
    ]
  })
  return { masks, notes }
}

/** A δ counts as zero at a unit up to this part of its largest number. */
const NO_PART = 1e-4

/**
 * The masks of all dropout layers for each sample of a batch, in one order of the samples: those in front of the last layer belong to the
 * classes that its δ shows, and those in front of another dropout to the sample whose δ is zero where that one dropped a unit.
 *
 * @returns undefined where a mask is not read, or its sample not known
 */
function masksOfBatch(layers: readonly RandomLayer[], { gradientOf, batchSize }: DroppedIn): Dropped | undefined {
  const found = new Map<string, readonly SampleMask[]>()
  let labels: readonly number[] | undefined
  for (const { name, rate, reader, behind } of layers.toReversed()) {
    const rows = rate !== undefined && reader !== undefined && behind ? gradientOf(reader) : undefined
    const samples = rows && readBatchMasks(rows.values, rows.units, batchSize, rate!)
    if (!samples || !behind) return undefined
    if ('output' in behind) {
      if (labels) return undefined
      const classes = samples.map(({ felt }) => classOf(felt))
      const order = [...samples.keys()].sort((a, b) => (classes[a] ?? -1) - (classes[b] ?? -1))
      if (classes.includes(undefined)) return undefined
      labels = order.map((s) => classes[s]!)
      found.set(
        name,
        order.map((s) => samples[s]),
      )
      continue
    }
    const after = found.get(behind.dropout)
    const ordered = after?.map((mask) => samples.filter((sample) => isBefore(sample, mask)))
    if (!ordered?.every((candidates) => candidates.length === 1)) return undefined
    if (new Set(ordered.flat()).size < batchSize) return undefined
    found.set(name, ordered.flat())
  }
  if (!labels) return undefined
  const rates = new Map(layers.map(({ name, rate }) => [name, rate!]))
  const masks = layers.map(({ name }) => {
    const keep = 1 / (1 - rates.get(name)!)
    return [
      name,
      Float32Array.from(found.get(name)!.flatMap(({ dropped }) => Array.from(dropped, (v) => (v ? 0 : keep)))),
    ] as const
  })
  const counts = layers.map(({ name }) => {
    const samples = found.get(name)!
    return `the masks of '${name}' are read from the gradient behind it: of ${samples[0].dropped.length} features ${samples.map(({ count }) => count).join(', ')} were dropped for samples with labels ${labels.join(', ')}`
  })
  return { masks: new Map(masks), labels, notes: counts }
}

/** How far the numbers of p − y may be from a sum of zero, beside their sum without signs: noise of what was shared. */
const UNBALANCED = 1e-2

/**
 * The class that ∂L/∂z = p − y of a cross-entropy shows: the only number that is negative. Its sign may be unknown.
 *
 * @returns undefined where the numbers do not sum to zero, as those of a cross-entropy do, or several are negative
 */
function classOf(felt: Float64Array): number | undefined {
  const [sum, size] = felt.reduce(([a, b], v) => [a + v, b + Math.abs(v)], [0, 0])
  if (!(Math.abs(sum) <= UNBALANCED * size)) return undefined
  const least = NO_PART * felt.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  const negative = [...felt.keys()].filter((c) => felt[c] < -least)
  const positive = [...felt.keys()].filter((c) => felt[c] > least)
  if (negative.length === 1) return negative[0]
  return positive.length === 1 && negative.length > 1 ? positive[0] : undefined
}

/** Whether a sample's δ is zero where a mask of the layer's units has dropped them. */
function isBefore({ felt }: SampleMask, { dropped }: SampleMask): boolean {
  const least = NO_PART * felt.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  return felt.length === dropped.length && felt.every((v, j) => dropped[j] === 0 || Math.abs(v) <= least)
}

/**
 * Masks in the order of labels: each sample gets the next masks of its class.
 *
 * @returns undefined where the labels are others than those of the masks
 */
export function inOrderOf(
  { masks, labels }: Dropped,
  wanted: readonly number[],
): ReadonlyMap<string, Float32Array> | undefined {
  if (!labels || labels.length !== wanted.length) return undefined
  const left = labels.map((label, s) => ({ label, s }))
  const order = wanted.map((label) => {
    const at = left.findIndex((one) => one.label === label)
    return at < 0 ? -1 : left.splice(at, 1)[0].s
  })
  if (order.includes(-1)) return undefined
  const ordered = [...masks].map(([name, mask]) => {
    const size = mask.length / labels.length
    const out = new Float32Array(mask.length)
    for (const [slot, s] of order.entries()) out.set(mask.subarray(s * size, (s + 1) * size), slot * size)
    return [name, out] as const
  })
  return new Map(ordered)
}
