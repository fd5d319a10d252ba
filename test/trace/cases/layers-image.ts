import { between, functional, type LayerCase, layer, layers, net, type Symbolic } from './layer-case'

const conv = (options: object = {}) => layers.conv2d({ filters: 2, kernelSize: 3, ...options })
const image = [5, 5, 2]
const even = [4, 4, 2]
const one = { batch: 1 }
const l = (name: string, inputShape: number[], make: () => object, options = {}) =>
  layer(name, inputShape, make, { ...one, ...options })
const pool = (name: string, inputShape: number[], make: () => object, options = {}) =>
  between(name, inputShape, make, { ...one, ...options })

export const imageCases: LayerCase[] = [
  l('Conv1D', [6, 2], () => layers.conv1d({ filters: 2, kernelSize: 3, strides: 2, activation: 'tanh' })),
  l('Conv1D same', [5, 2], () => layers.conv1d({ filters: 2, kernelSize: 4, padding: 'same' })),
  l('Conv1D dilation 2', [6, 2], () => layers.conv1d({ filters: 2, kernelSize: 3, dilationRate: 2 })),
  l('Conv1D causal', [5, 2], () => layers.conv1d({ filters: 2, kernelSize: 3, padding: 'causal' }), {
    // tfjs has no such convolution
    refused: /CAUSAL padding mode.* in layer 'conv1d/,
  }),
  l('Conv2D same', even, () => conv({ padding: 'same', activation: 'tanh' })),
  l('Conv2D valid', even, () => conv({ activation: 'softplus' })),
  l('Conv2D s2 same', image, () => conv({ padding: 'same', strides: 2 })),
  l('Conv2D s2 same, even', even, () => conv({ padding: 'same', strides: 2, activation: 'sigmoid' })),
  l('Conv2D s2 valid', image, () => conv({ strides: 2, activation: 'elu' })),
  l('Conv2D s3 ragged, no bias', [6, 7, 1], () => conv({ strides: [3, 2], kernelSize: [2, 3], useBias: false })),
  l('Conv2D relu', even, () => conv({ activation: 'relu' })),
  l('Conv2D sigmoid', even, () => conv({ activation: 'sigmoid', padding: 'same' }), { batch: 2 }),
  l('Conv2D dilation 2', image, () => conv({ dilationRate: 2, padding: 'same', activation: 'tanh' })),
  l('Conv2D channelsFirst', [2, 4, 4], () => conv({ dataFormat: 'channelsFirst', padding: 'same' })),
  l('Conv2DTranspose s1', [3, 3, 2], () => layers.conv2dTranspose({ filters: 2, kernelSize: 3, padding: 'same' })),
  l('Conv2DTranspose s2', [3, 3, 2], () =>
    layers.conv2dTranspose({ filters: 1, kernelSize: 3, strides: 2, padding: 'same', activation: 'tanh' }),
  ),
  l('Conv2DTranspose s2 valid', [2, 3, 1], () => layers.conv2dTranspose({ filters: 2, kernelSize: 2, strides: 2 })),
  l('DepthwiseConv2D', even, () => layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: 'tanh' })),
  l('DepthwiseConv2D s2 same', image, () => layers.depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same' })),
  l('DepthwiseConv2D dilation 2', image, () =>
    layers.depthwiseConv2d({ kernelSize: 2, dilationRate: 2, activation: 'sigmoid' }),
  ),
  l('SeparableConv2D', even, () => layers.separableConv2d({ filters: 2, kernelSize: 3, activation: 'tanh' })),
  l('SeparableConv2D s2 same mult2', even, () =>
    layers.separableConv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', depthMultiplier: 2 }),
  ),
  l('Conv3D', [3, 3, 2, 1], () => layers.conv3d({ filters: 2, kernelSize: 2, padding: 'same', activation: 'tanh' })),
  l('Conv3DTranspose', [2, 2, 1, 2], () =>
    layers.conv3dTranspose({ filters: 1, kernelSize: 2, strides: 2, activation: 'tanh' }),
  ),
  pool('MaxPooling1D', [5, 2], () => layers.maxPooling1d({ poolSize: 2, strides: 2 })),
  pool('MaxPooling2D', even, () => layers.maxPooling2d({ poolSize: 2 })),
  pool('MaxPooling2D 3x3 s2 same', image, () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  pool('MaxPooling2D channelsFirst', [2, 4, 4], () =>
    layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
  ),
  pool('AveragePooling1D', [5, 2], () => layers.averagePooling1d({ poolSize: 2, strides: 2 })),
  pool('AveragePooling2D valid', even, () => layers.averagePooling2d({ poolSize: 2 })),
  pool('AveragePooling2D 3x3 s2 same', image, () =>
    layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
  ),
  pool('GlobalAveragePooling1D', [4, 2], () => layers.globalAveragePooling1d()),
  pool('GlobalAveragePooling2D', even, () => layers.globalAveragePooling2d({})),
  pool('GlobalMaxPooling1D', [4, 2], () => layers.globalMaxPooling1d()),
  pool('GlobalMaxPooling2D', even, () => layers.globalMaxPooling2d({})),
  pool('MaxPooling3D', [4, 2, 2, 1], () => layers.maxPooling3d({ poolSize: 2, strides: 2, padding: 'valid' })),
  pool('AveragePooling3D', [4, 2, 2, 1], () => layers.averagePooling3d({ poolSize: 2, strides: 2, padding: 'valid' })),
  pool('UpSampling2D nearest', [2, 3, 2], () => layers.upSampling2d({ size: [2, 3] })),
  pool('UpSampling2D bilinear', [2, 3, 2], () => layers.upSampling2d({ interpolation: 'bilinear' })),
  pool('UpSampling2D channelsFirst', [2, 2, 3], () => layers.upSampling2d({ dataFormat: 'channelsFirst' })),
  pool('ZeroPadding2D', [2, 3, 2], () => layers.zeroPadding2d({ padding: [[1, 0], [2, 1]] })), // biome-ignore format: pairs
  pool('Cropping2D', [4, 4, 1], () => layers.cropping2D({ cropping: [[1, 0], [2, 1]] })), // biome-ignore format: pairs
  // tfjs hands this layer a list, which it does not unpack: it crashes in any model
  pool('Resizing', [3, 2, 2], () => layers.resizing({ height: 2, width: 4 }), {
    refused: /resizeBilinear: x must be rank 3 or 4.* in layer 'resizing/,
  }),
  pool('CenterCrop', [4, 5, 1], () => layers.centerCrop({ height: 2, width: 3 }), {
    refused: /the operation CropAndResize in layer 'center_crop/,
  }),
  pool('Rescaling', [3, 2, 2], () => layers.rescaling({ scale: 0.5, offset: -0.2 })),
  functional('residual block (conv-relu-conv + x)', [3, 3, 2], residual, one),
  net('LeNet-DLG sigmoid (3 conv + dense)', [8, 8, 2], lenet, { ...one, loss: 'crossEntropy' }),
  net(
    'LeNet-DLG, symmetric padding',
    [8, 8, 1],
    () => [
      ...[2, 2, 1].flatMap((strides) => [
        layers.zeroPadding2d({ padding: 2 }),
        layers.conv2d({ filters: 2, kernelSize: 5, strides, activation: 'sigmoid' }),
      ]),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    { ...one, loss: 'crossEntropy' },
  ),
  net(
    'ConvNet relu+maxpool',
    [6, 6, 1],
    () => [
      conv({ activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    { ...one, loss: 'crossEntropy' },
  ),
  net(
    'ConvNet softplus+avgpool+BN training',
    [4, 4, 1],
    () => [
      conv({ activation: 'softplus', padding: 'same' }),
      layers.averagePooling2d({ poolSize: 2 }),
      layers.batchNormalization(),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ],
    { batch: 2, training: true, loss: 'crossEntropy' },
  ),
]

function residual(x: Symbolic): Symbolic {
  const padded = { padding: 'same' as const }
  const inner = conv({ ...padded, activation: 'relu' }).apply(x)
  return layers.add().apply([conv(padded).apply(inner) as Symbolic, x]) as Symbolic
}

function lenet(): object[] {
  const sigmoid = (strides: number) =>
    layers.conv2d({ filters: 2, kernelSize: 5, strides, padding: 'same', activation: 'sigmoid' })
  return [sigmoid(2), sigmoid(2), sigmoid(1), layers.flatten(), layers.dense({ units: 3, activation: 'softmax' })]
}
