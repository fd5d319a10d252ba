import { isRecord } from '../bytes/untrusted'

/** A layer of tfjs-layers, as far as its configuration tells what it computes. */
interface ConfiguredLayer {
  readonly name?: string
  getConfig?(): Record<string, unknown>
  getClassName?(): string
  readonly inboundNodes?: readonly { readonly inputShapes?: readonly (readonly (number | null)[])[] }[]
}

/** A layer that computes something else than PyTorch's layer with the same shapes. */
export interface ConventionDifference {
  /** Name of the layer in tfjs. */
  readonly layer: string
  /** What differs, and what computes as PyTorch does. */
  readonly message: string
}

/** Defaults of PyTorch that differ from those of tfjs. */
const [EPSILON, SLOPE] = [1e-5, 0.01]

/**
 * Layers of a tfjs model that no shape tells from PyTorch's, and that compute other values: `same` padding of a stride, which puts
 * more on the far side where PyTorch pads both sides alike; the default ε of a batch norm, the default slope of a leaky ReLU, the
 * hard sigmoid of a recurrent layer.
 *
 * @param model a tf.LayersModel; whatever has no layers has no differences
 */
export function conventionDifferences(model: unknown): ConventionDifference[] {
  const layers = isRecord(model) && Array.isArray(model.layers) ? (model.layers as ConfiguredLayer[]) : []
  return layers.flatMap((layer) => {
    const config = layer?.getConfig?.()
    if (!config) return []
    const message = paddingDifference(layer, config) ?? defaultDifference(layer.getClassName?.() ?? '', config)
    return message === undefined ? [] : [{ layer: String(layer.name), message }]
  })
}

function paddingDifference(layer: ConfiguredLayer, config: Record<string, unknown>): string | undefined {
  const window = numbersOf(config.kernelSize ?? config.poolSize)
  const strides = numbersOf(config.strides ?? config.poolSize)
  const [input] = layer.inboundNodes?.[0]?.inputShapes ?? []
  if (config.padding !== 'same' || window.length === 0 || !Array.isArray(input)) return undefined
  const space = config.dataFormat === 'channelsFirst' ? input.slice(2) : input.slice(1, -1)
  for (const [axis, size] of space.entries()) {
    const stride = strides[axis] ?? strides[0] ?? 1
    if (size === null || stride === 1) continue
    const reach = ((window[axis] ?? window[0]) - 1) * (numbersOf(config.dilationRate)[axis] ?? 1) + 1
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size)
    if (total % 2 === 1)
      return `pads ${Math.floor(total / 2)} before and ${Math.ceil(total / 2)} after ('same' with stride ${stride} on ${size}), and PyTorch pads both sides alike: the shapes agree and the values cannot; zeroPadding2d with PyTorch's padding, and 'valid', compute the same`
  }
  return undefined
}

function defaultDifference(kind: string, config: Record<string, unknown>): string | undefined {
  if (kind === 'BatchNormalization' && config.epsilon !== EPSILON)
    return `has epsilon ${config.epsilon}, and PyTorch's default is ${EPSILON}`
  if (kind === 'LeakyReLU' && config.alpha !== SLOPE)
    return `has the slope ${config.alpha}, and PyTorch's default is ${SLOPE}`
  if (config.recurrentActivation === 'hardSigmoid' || config.recurrentActivation === 'hard_sigmoid')
    return "has recurrentActivation 'hardSigmoid', and PyTorch has 'sigmoid'"
  return undefined
}

const numbersOf = (value: unknown): readonly number[] =>
  typeof value === 'number' ? [value] : Array.isArray(value) ? value.filter((v) => typeof v === 'number') : []
