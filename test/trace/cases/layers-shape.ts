import { sequential } from '@tensorflow/tfjs-layers'
import { between, functional, type LayerCase, layer, layers, net, type Symbolic } from './layer-case'

const norm = (options: object = {}) => layers.batchNormalization(options)
const trained = { training: true, batch: 3 }
const axis = /BatchNormalization with axis 1: .* in layer 'batch_normalization/
const missing = (what: string) =>
  new RegExp(`BatchNormalization with ${what}: false in training mode.* in layer 'batch_`)

const dense = (x: Symbolic, units = 3) => layers.dense({ units, activation: 'tanh' }).apply(x) as Symbolic
const merge = (name: string, join: (parts: Symbolic[]) => unknown, inputShape = [3]) =>
  functional(name, inputShape, (x) => join([dense(x), dense(x)]) as Symbolic)

export const shapeCases: LayerCase[] = [
  layer('BatchNormalization inference', [2, 2, 2], () => norm()),
  layer('BatchNormalization training 4D', [2, 2, 2], () => norm(), { ...trained, batch: 2 }),
  layer('BatchNormalization training 3D', [3, 2], () => norm(), trained),
  layer('BatchNormalization training 2D', [3], () => norm(), { ...trained, batch: 4 }),
  layer('BatchNormalization training axis=1', [2, 2, 3], () => norm({ axis: 1 }), { ...trained, refused: axis }),
  layer('BatchNormalization inference axis=1', [2, 2, 3], () => norm({ axis: 1 }), { refused: axis }),
  layer('BatchNormalization axis=3, the last', [2, 2, 2], () => norm({ axis: 3 }), { ...trained, batch: 2 }),
  layer('BatchNormalization scale:false inference', [3], () => norm({ scale: false })),
  layer('BatchNormalization scale:false training', [3], () => norm({ scale: false }), {
    ...trained,
    refused: missing('scale'),
  }),
  layer('BatchNormalization center:false training', [3], () => norm({ center: false }), {
    ...trained,
    refused: missing('center'),
  }),
  layer('BatchNormalization center:false inference', [3], () => norm({ center: false })),
  layer('LayerNormalization', [4], () => layers.layerNormalization()),
  layer('LayerNormalization 3D', [2, 3], () => layers.layerNormalization()),
  layer('LayerNormalization two axes', [2, 3], () => layers.layerNormalization({ axis: [1, 2] })),
  layer('LayerNormalization no scale', [4], () => layers.layerNormalization({ scale: false, center: false })),
  between('Flatten', [2, 3], () => layers.flatten()),
  between('Flatten channelsFirst', [2, 2, 3], () => layers.flatten({ dataFormat: 'channelsFirst' })),
  between('Reshape', [2, 3], () => [layers.reshape({ targetShape: [3, 2] }), layers.dense({ units: 2 })]),
  between('Permute', [2, 3, 1], () => [layers.permute({ dims: [2, 3, 1] }), layers.dense({ units: 2 })]),
  between('RepeatVector', [3], () => [layers.repeatVector({ n: 2 }), layers.dense({ units: 2, activation: 'tanh' })]),
  between('Dropout inference', [4], () => layers.dropout({ rate: 0.5 })),
  between('Dropout training seed', [4], () => layers.dropout({ rate: 0.5, seed: 3 }), trained),
  between('GaussianNoise inference', [4], () => layers.gaussianNoise({ stddev: 0.3 })),
  between('GaussianNoise training', [4], () => layers.gaussianNoise({ stddev: 0.3 }), { ...trained, random: true }),
  between('GaussianDropout training', [4], () => layers.gaussianDropout({ rate: 0.3 }), { ...trained, random: true }),
  between('AlphaDropout training', [4], () => layers.alphaDropout({ rate: 0.3 }), { ...trained, random: true }),
  between('SpatialDropout1D training', [3, 2], () => layers.spatialDropout1d({ rate: 0.4, seed: 3 }), trained),
  merge('functional Add', (parts) => layers.add().apply(parts)),
  merge('functional Multiply', (parts) => layers.multiply().apply(parts)),
  merge('functional Average', (parts) => layers.average().apply(parts)),
  merge('functional Maximum', (parts) => layers.maximum().apply(parts)),
  merge('functional Minimum', (parts) => layers.minimum().apply(parts)),
  merge('functional Concatenate', (parts) => layers.concatenate().apply(parts)),
  merge('functional Concatenate axis 1', (parts) => layers.concatenate({ axis: 1 }).apply(parts), [2, 3]),
  merge('functional Dot', (parts) => layers.dot({ axes: 1 }).apply(parts)),
  merge('functional Dot normalize', (parts) => layers.dot({ axes: 1, normalize: true }).apply(parts)),
  merge('functional Dot 3D (attention-like)', (parts) => layers.dot({ axes: [2, 2] }).apply(parts), [3, 2]),
  functional('a layer shared by two branches', [3], (x) => {
    const shared = layers.dense({ units: 3, activation: 'tanh' })
    return layers.multiply().apply([shared.apply(x), shared.apply(dense(x))] as Symbolic[]) as Symbolic
  }),
  net('tf.sequential nested as one layer', [4], () => [
    sequential({
      layers: [layers.dense({ units: 3, activation: 'tanh', inputShape: [4] }), layers.dense({ units: 2 })],
    }),
    layers.dense({ units: 2, activation: 'sigmoid' }),
  ]),
]
