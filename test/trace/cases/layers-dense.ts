import { between, type LayerCase, layer, layers, net } from './layer-case'

type Activation = Parameters<typeof layers.activation>[0]['activation']
const dense = (units: number, activation?: string) =>
  layers.dense({ units, activation: activation as Activation, biasInitializer: 'glorotUniform' })

const activations = [
  ['linear', 'relu', 'relu6', 'sigmoid', 'tanh', 'softmax', 'logSoftmax', 'elu', 'selu', 'gelu', 'gelu_new'],
  ['swish', 'mish', 'softplus', 'softsign', 'hardSigmoid'],
].flat()

export const denseCases: LayerCase[] = [
  ...activations.map((a) => layer(`Dense(${a})`, [4], () => dense(4, a))),
  layer('Dense 3D input', [2, 3], () => dense(2, 'tanh')),
  layer('Dense no bias', [3], () => layers.dense({ units: 3, useBias: false, activation: 'sigmoid' })),
  net('MLP sigmoid (Dense-Dense-softmax)', [4], () => [dense(4, 'sigmoid'), dense(3, 'sigmoid'), dense(3, 'softmax')], {
    loss: 'crossEntropy',
  }),
  net('MLP relu', [4], () => [dense(5, 'relu'), dense(4, 'relu'), dense(3)], { loss: 'crossEntropy' }),
  net('MLP with a Softmax layer', [4], () => [dense(4, 'tanh'), dense(3), layers.softmax()], { loss: 'crossEntropy' }),
  net('cross-entropy per position', [2, 3], () => [dense(4, 'tanh'), dense(3, 'softmax')], { loss: 'crossEntropy' }),
  ...activations.map((a) =>
    between(`Activation(${a})`, [4], () => layers.activation({ activation: a as Activation }), { seed: 3 }),
  ),
  between('LeakyReLU', [4], () => layers.leakyReLU({ alpha: 0.2 }), { seed: 3 }),
  layer('PReLU', [4], () => [dense(4), layers.prelu()], { seed: 3 }),
  between('ELU', [4], () => layers.elu({ alpha: 1 }), { seed: 3 }),
  between('ReLU', [4], () => layers.reLU(), { seed: 3 }),
  between('ReLU(maxValue .6)', [4], () => layers.reLU({ maxValue: 0.6 }), { seed: 3 }),
  between('ThresholdedReLU', [4], () => layers.thresholdedReLU({ theta: 0.3 }), { seed: 3 }),
  between('Softmax layer', [4], () => layers.softmax()),
]
