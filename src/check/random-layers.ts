import type { LayersModel } from '@tensorflow/tfjs-layers'

const KEYS = new Set(['rate', 'stddev', 'dropout', 'recurrentDropout', 'recurrent_dropout'])

/** Whether any layer draws random numbers in training mode, by its configuration and those of the layers inside it. */
export const isRandom = (model: LayersModel): boolean => model.layers.some((layer) => draws(layer.getConfig()))

function draws(config: unknown): boolean {
  if (Array.isArray(config)) return config.some(draws)
  if (typeof config !== 'object' || config === null) return false
  return Object.entries(config).some(([key, value]) => (KEYS.has(key) ? Number(value) > 0 : draws(value)))
}
