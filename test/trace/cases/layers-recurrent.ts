import { type LayerCase, layer, layers } from './layer-case'

// the default, orthogonal, calls chained operations that only the union package has
const recurrent = { units: 2, recurrentInitializer: 'glorotUniform' as const }
const series = [3, 2]

export const recurrentCases: LayerCase[] = [
  layer('SimpleRNN', series, () => layers.simpleRNN(recurrent)),
  layer('SimpleRNN relu seq', series, () =>
    layers.simpleRNN({ ...recurrent, activation: 'relu', returnSequences: true, units: 3 }),
  ),
  layer('GRU', series, () => layers.gru(recurrent)),
  layer('GRU resetAfter=false, unrolled backwards', series, () =>
    layers.gru({ ...recurrent, goBackwards: true, recurrentActivation: 'sigmoid' }),
  ),
  layer('LSTM', series, () => layers.lstm(recurrent)),
  layer('LSTM recurrentActivation sigmoid', series, () =>
    layers.lstm({ ...recurrent, recurrentActivation: 'sigmoid' }),
  ),
  layer('LSTM returnSequences', series, () => layers.lstm({ ...recurrent, returnSequences: true })),
  layer('LSTM with 2 layers', series, () => [
    layers.lstm({ ...recurrent, returnSequences: true }),
    layers.lstm(recurrent),
  ]),
  layer('Bidirectional(LSTM)', series, () =>
    layers.bidirectional({ layer: layers.lstm(recurrent), mergeMode: 'concat' }),
  ),
  layer('Bidirectional(GRU) seq', series, () =>
    layers.bidirectional({ layer: layers.gru({ ...recurrent, returnSequences: true }), mergeMode: 'sum' }),
  ),
  layer('RNN of stacked cells', series, () =>
    layers.rnn({
      cell: layers.stackedRNNCells({ cells: [layers.simpleRNNCell(recurrent), layers.gruCell(recurrent)] }) as never,
    }),
  ),
  layer(
    'ConvLSTM2D',
    [2, 3, 3, 1],
    () =>
      layers.convLstm2d({
        filters: 1,
        kernelSize: 2,
        padding: 'same',
        recurrentInitializer: 'glorotUniform',
        returnSequences: true,
      } as never),
    { batch: 1 },
  ),
  layer('GRU dropout training', series, () => layers.gru({ ...recurrent, dropout: 0.3, recurrentDropout: 0.3 }), {
    training: true,
    random: true,
  }),
  layer('TimeDistributed(Dense)', series, () =>
    layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'tanh' }) }),
  ),
  layer('Masking', series, () => [layers.masking({ maskValue: 0 }), layers.simpleRNN(recurrent)]),
]
