import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { fromPyTorch, type TensorToWrite, toPyTorch } from '../../../src/io'
import { thrown } from '../thrown'

const filled = (value: number, ...shape: number[]): TensorToWrite => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value + i / 64),
})
const listed = (...tensors: TensorToWrite[]) => new Map(tensors.map((tensor, i) => [String(i), tensor]))

describe('a list of PyTorch', () => {
  const net = () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3 }),
        layers.batchNormalization(),
        layers.globalAveragePooling2d({}),
        layers.dense({ units: 3 }),
        layers.dense({ units: 3 }),
      ],
    })
  const conv = [filled(1, 3, 2, 3, 3), filled(2, 3)]
  const affine = [filled(3, 3), filled(4, 3)]
  const moments = [filled(5, 3), filled(6, 3)]
  const dense = [filled(7, 3, 3), filled(8, 3), filled(9, 3, 3), filled(10, 3)]

  it('has statistics in their layer, where tfjs has them last, and may count batches', () => {
    const model = net()
    const without = fromPyTorch(listed(...conv, ...affine, ...moments, ...dense), model, { values: 'weights' })
    const counted = listed(...conv, ...affine, ...moments, filled(40), ...dense)
    const { tensors } = fromPyTorch(counted, model, { values: 'weights' })
    expect(tensors).toEqual(without.tensors)
    const of = (role: RegExp) => [...tensors].find(([name]) => role.test(name))![1].data
    expect([...of(/moving_mean/)]).toEqual([...(moments[0].data as Float32Array)])
    expect([...of(/moving_variance/)]).toEqual([...(moments[1].data as Float32Array)])
    // two dense layers of one shape, which only their order tells apart: [out, in] → [in, out]
    const kernels = [...tensors].filter(([name]) => /dense.*kernel/.test(name)).map(([, { data }]) => [...data])
    expect(kernels).toEqual([7, 9].map((v) => [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => Math.fround(v + i / 64))))
    model.dispose()
  })

  it('of gradients has none', () => {
    const model = net()
    const { mapping } = fromPyTorch(listed(...conv, ...affine, ...dense), { weights: model.trainableWeights })
    expect(mapping.map(({ from }) => from.join())).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
    model.dispose()
  })

  it('that does not fit says how to save it with names', () => {
    const model = net()
    const targets = { weights: model.trainableWeights }
    const message = (...tensors: TensorToWrite[]) => {
      const error = thrown(() => fromPyTorch(listed(...tensors), targets))
      expect(error.code).toBe('invalid-gradients')
      expect(error.message).toContain('np.savez(f, **dict(zip(net.state_dict().keys(), arrays)))')
      return error.message
    }
    expect(message(...conv, ...affine, ...dense.slice(0, 3))).toMatch(/has '6' \[3,3\] in the place of 'dense/)
    expect(message(...conv, ...affine)).toMatch(/has nothing in the place of/)
    expect(message(...conv, ...affine, ...dense, filled(1, 3))).toMatch(/has 9 tensors, and the model's layers have 8/)
    // tfjs's own layout: H W I O
    expect(message(filled(1, 3, 3, 2, 3), conv[1], ...affine, ...dense)).toMatch(/'0' \[3,3,2,3\].*in the place of/)
    model.dispose()
  })

  it('keeps how its tensors were stored, the coarser where one is made of two', () => {
    const model = sequential({
      layers: [
        layers.lstm({
          inputShape: [4, 3],
          units: 2,
          recurrentActivation: 'sigmoid',
          recurrentInitializer: 'glorotNormal',
        }),
        layers.dense({ units: 2 }),
      ],
    })
    const bias = filled(1, 8)
    const tensors = listed(
      { ...filled(1, 8, 3), dtype: 'float16' },
      { ...filled(1, 8, 2), dtype: 'float64' },
      { ...bias, dtype: 'float32' },
      { ...bias, dtype: 'bfloat16' },
      filled(1, 2, 2),
      { ...filled(1, 2), dtype: 'float32' },
    )
    const converted = fromPyTorch(tensors, { weights: model.trainableWeights }).tensors
    expect([...converted.values()].map(({ dtype }) => dtype)).toEqual([
      'float16',
      'float64',
      'bfloat16',
      undefined,
      'float32',
    ])
    const back = toPyTorch(
      converted,
      [...tensors].map(([name, { shape }]) => ({ name, shape })),
    )
    expect([...back.tensors.values()].map(({ dtype }) => dtype)).toEqual([
      'float16',
      'float64',
      'bfloat16',
      'bfloat16',
      undefined,
      'float32',
    ])
    model.dispose()
  })
})

describe('buffers beside the parameters of PyTorch', () => {
  const model = () => sequential({ layers: [layers.dense({ inputShape: [5], units: 4 }), layers.dense({ units: 2 })] })
  const parameters = [
    ['in.weight', filled(1, 4, 5)],
    ['in.bias', filled(2, 4)],
    ['out.weight', filled(3, 2, 4)],
    ['out.bias', filled(4, 2)],
  ] as const

  it.each<[string, (readonly [string, TensorToWrite])[]]>([
    ['counters of batches', [['norm.num_batches_tracked', filled(7)]]],
    ['positions', [['embeddings.position_ids', filled(0, 1, 8)]]],
    [
      'counts of thop',
      [
        ['total_ops', filled(9, 1)],
        ['in.total_ops', filled(9, 1)],
        ['in.total_params', filled(9, 1)],
      ],
    ],
    ['masks of booleans', [['h.0.attn.bias', { ...filled(0, 1, 1, 3, 3), dtype: 'bool' }]]],
    ['whole numbers', [['in.ids', { ...filled(0, 4), dtype: 'int64' }]]],
  ])('are left out and reported: %s', (_, buffers) => {
    const net = model()
    for (const values of ['gradients', 'weights'] as const) {
      const { tensors, ignored } = fromPyTorch(new Map([...buffers, ...parameters]), net, { values })
      expect(tensors.size).toBe(4)
      expect(ignored).toEqual(buffers.map(([name]) => name))
    }
    net.dispose()
  })

  it('of floats are named in the error, and left out by ignore', () => {
    const net = model()
    const all = new Map([...parameters, ['mean', filled(0, 1, 3, 1, 1)], ['std', filled(0, 1, 3, 1, 1)]])
    const error = thrown(() => fromPyTorch(all, net))
    expect([error.code, error.message]).toEqual([
      'invalid-gradients',
      expect.stringMatching(/If it is no parameter, leave it out: ignore: \['mean', 'std'\]$/),
    ])
    expect(fromPyTorch(all, net, { ignore: ['mean', /^std$/] }).ignored).toEqual(['mean', 'std'])
    const specs = [...all].map(([name, { shape }]) => ({ name, shape }))
    const there = fromPyTorch(all, net, { ignore: ['mean', 'std'] }).tensors
    expect(toPyTorch(there, specs, { ignore: ['mean', 'std'] })).toMatchObject({ ignored: ['mean', 'std'] })
    net.dispose()
  })
})
