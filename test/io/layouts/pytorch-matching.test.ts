import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Float32Tensor, fromPyTorch, type LayoutOptions, type TensorSpec, toPyTorch } from '../../../src/io'
import { thrown } from '../thrown'
import { torchLayer } from './torch-layers'

type Shapes = Record<string, number[]>
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
/** Tensors of these shapes, whose values are their positions. */
const counted = (shapes: Shapes): Map<string, Float32Tensor> =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: size(shape) }, (_, i) => i) },
    ]),
  )
const specs = (shapes: Shapes): TensorSpec[] => Object.entries(shapes).map(([name, shape]) => ({ name, shape }))
const pairs = (torch: Shapes, tfjs: Shapes, options?: LayoutOptions) =>
  fromPyTorch(counted(torch), specs(tfjs), options).mapping.map(({ from, to }) => [...from, ...to])

describe('where each value goes', () => {
  it('convolution kernels: [o, i, h, w] to [h, w, i, o], for every number of axes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 5 }), (shape) => {
        const [o, i, ...spatial] = shape
        const { tensors, mapping } = fromPyTorch(
          counted({ 'c.weight': shape }),
          specs({ 'c/kernel': [...spatial, i, o] }),
        )
        const { data } = tensors.get('c/kernel')!
        for (let at = 0; at < size(spatial); at++)
          for (let a = 0; a < o; a++)
            for (let b = 0; b < i; b++) expect(data[(at * i + b) * o + a]).toBe((a * i + b) * size(spatial) + at)
        expect(mapping[0].layout).toBe(['OIL → LIO', 'OIHW → HWIO', 'OIDHW → DHWIO'][shape.length - 3])
      }),
    )
  })

  it('a dense layer behind a flatten: feature (c, h, w) to (h, w, c)', () => {
    const [channels, height, width, out] = [2, 3, 4, 5]
    const { tensors, mapping } = fromPyTorch(
      counted({ 'fc.weight': [out, 24], 'fc.bias': [out] }),
      specs({ 'd/kernel': [24, out], 'd/bias': [out] }),
      { flatten: { 'fc.weight': [channels, height, width] } },
    )
    const { data } = tensors.get('d/kernel')!
    for (let o = 0; o < out; o++)
      for (let c = 0; c < channels; c++)
        for (let h = 0; h < height; h++)
          for (let w = 0; w < width; w++)
            expect(data[((h * width + w) * channels + c) * out + o]).toBe(o * 24 + (c * height + h) * width + w)
    expect(mapping).toEqual([
      { from: ['fc.weight'], to: ['d/kernel'], layout: '[out, CHW] → [HWC, out]' },
      { from: ['fc.bias'], to: ['d/bias'], layout: 'as it is' },
    ])
  })

  it('a norm of flattened features moves as they do', () => {
    const { tensors } = fromPyTorch(counted({ 'bn.weight': [6] }), specs({ 'bn/gamma': [6] }), {
      flatten: { 'bn.weight': [2, 1, 3] },
    })
    expect([...tensors.get('bn/gamma')!.data]).toEqual([0, 3, 1, 4, 2, 5])
  })

  it('a square matrix is transposed in a dense layer and kept in an embedding', () => {
    const torch = counted({ 'a.weight': [2, 2] })
    expect([...fromPyTorch(torch, specs({ 'd/kernel': [2, 2] })).tensors.get('d/kernel')!.data]).toEqual([0, 2, 1, 3])
    expect([...fromPyTorch(torch, specs({ 'e/embeddings': [2, 2] })).tensors.get('e/embeddings')!.data]).toEqual([
      0, 1, 2, 3,
    ])
  })

  it('PReLU’s slopes for channels', () => {
    expect([
      ...fromPyTorch(counted({ 'p.weight': [3] }), specs({ 'p/alpha': [1, 1, 3] })).tensors.get('p/alpha')!.data,
    ]).toEqual([0, 1, 2])
  })
})

describe('GRU', () => {
  const torch = torchLayer('gru')
  const after = specs({ 'g/kernel': [3, 6], 'g/recurrent_kernel': [2, 6], 'g/bias': [2, 6] })

  it('becomes Keras’s with reset_after, by Keras’s equations', () => {
    const { tensors, mapping } = fromPyTorch(torch.weights, after, { values: 'weights' })
    const [kernel, recurrent, bias] = [...tensors.values()].map(({ data }) => data)
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v))
    const [batch, steps, units] = torch.y.shape
    for (let b = 0; b < batch; b++) {
      let h = [0, 0]
      for (let t = 0; t < steps; t++) {
        const x = torch.x.data.subarray((b * steps + t) * 3, (b * steps + t) * 3 + 3)
        // x·kernel + first bias, and h·recurrent_kernel + second bias: columns z, r, h.
        const input = Array.from({ length: 6 }, (_, j) => x.reduce((sum, v, i) => sum + v * kernel[i * 6 + j], bias[j]))
        const state = Array.from({ length: 6 }, (_, j) =>
          h.reduce((sum, v, i) => sum + v * recurrent[i * 6 + j], bias[6 + j]),
        )
        h = h.map((before, u) => {
          const z = sigmoid(input[u] + state[u])
          const r = sigmoid(input[2 + u] + state[2 + u])
          return z * before + (1 - z) * Math.tanh(input[4 + u] + r * state[4 + u])
        })
        for (const u of h.keys()) expect(h[u]).toBeCloseTo(torch.y.data[(b * steps + t) * units + u], 5)
      }
    }
    expect(mapping.map(({ layout }) => layout)).toEqual([
      '[r z n, in] → [in, z r h]',
      '[r z n, in] → [in, z r h]',
      '[bias_ih, bias_hh] as rows, r z n → z r h',
    ])
  })

  it.each(['weights', 'gradients'] as const)('and back, for %s', (values) => {
    const stored = [...torch[values]].map(([name, { shape }]) => ({ name, shape }))
    const back = toPyTorch(fromPyTorch(torch[values], after, { values }).tensors, stored, { values })
    expect([...back.tensors]).toEqual([...torch[values]])
  })

  it.each([
    ['with the one bias of tfjs', specs({ 'g/kernel': [3, 6], 'g/recurrent_kernel': [2, 6], 'g/bias': [6] }), '[6]'],
    ['without bias', specs({ 'g/kernel': [3, 6], 'g/recurrent_kernel': [2, 6] }), 'none'],
  ])('is refused %s, which is another function', (_, targets, found) => {
    const error = thrown(() => fromPyTorch(torch.weights, targets))
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toContain(
      `reset_after=True with a bias of [2, 6], but tfjs's GRU, with ${found}, resets before`,
    )
  })
})

describe('which layer is which', () => {
  const dense = (name: string, n = 4): Shapes => ({ [`${name}.weight`]: [n, n], [`${name}.bias`]: [n] })
  const denseTfjs = (name: string, n = 4): Shapes => ({ [`${name}/kernel`]: [n, n], [`${name}/bias`]: [n] })
  const two = { ...denseTfjs('d1'), ...denseTfjs('d2') }

  it('goes by kind and shape, in whatever order', () => {
    const torch = { 'out.weight': [5, 4], 'out.bias': [5], 'in.weight': [4, 3], 'in.bias': [4], 'emb.weight': [9, 3] }
    const tfjs = { 'e/embeddings': [9, 3], 'a/kernel': [3, 4], 'a/bias': [4], 'b/kernel': [4, 5], 'b/bias': [5] }
    expect(pairs(torch, tfjs)).toEqual([
      ['emb.weight', 'e/embeddings'],
      ['in.weight', 'a/kernel'],
      ['in.bias', 'a/bias'],
      ['out.weight', 'b/kernel'],
      ['out.bias', 'b/bias'],
    ])
  })

  it('goes by order among equals, where the file keeps the model’s', () => {
    expect(pairs({ ...dense('zebra'), ...dense('ant') }, two).map(([from, to]) => [from, to])).toEqual([
      ['zebra.weight', 'd1/kernel'],
      ['zebra.bias', 'd1/bias'],
      ['ant.weight', 'd2/kernel'],
      ['ant.bias', 'd2/bias'],
    ])
  })

  const sorted = (shapes: Shapes): Shapes =>
    Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1)))

  it('goes by number where safetensors sorted the names', () => {
    const torch = sorted({ ...dense('net.2'), ...dense('net.10') })
    expect(Object.keys(torch)[0]).toBe('net.10.bias')
    expect(pairs(torch, two).map(([from, to]) => [from, to])[0]).toEqual(['net.2.weight', 'd1/kernel'])
  })

  it('refuses to guess where it sorted names that do not count, and takes a map', () => {
    const torch = sorted({ ...dense('query'), ...dense('key') })
    const error = thrown(() => pairs(torch, two))
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toBe(
      "PyTorch's 'key', 'query' could be tfjs's 'd1', 'd2' in more than one way, and the file does not keep the model's order; say which with map: {'key': 'd1', …}",
    )
    // What the map leaves out has one place left.
    expect(pairs(torch, two, { map: { query: 'd1' } }).map(([from]) => from)).toEqual([
      'query.weight',
      'query.bias',
      'key.weight',
      'key.bias',
    ])
  })

  it('refuses to tell a square embedding from a square dense layer without bias by its shape', () => {
    const torch = { 'tok.weight': [4, 4], 'proj.weight': [4, 4] }
    const tfjs = { 'e/embeddings': [4, 4], 'd/kernel': [4, 4] }
    expect(thrown(() => pairs(torch, tfjs)).message).toMatch(
      /'tok', 'proj' could be tfjs's 'e', 'd' in more than one way/,
    )
    expect(pairs(torch, tfjs, { map: { tok: 'e' } })).toEqual([
      ['tok.weight', 'e/embeddings'],
      ['proj.weight', 'd/kernel'],
    ])
  })

  it.each<[string, Shapes, Shapes, RegExp]>([
    [
      'a layer with no counterpart',
      dense('a'),
      denseTfjs('d', 5),
      /no PyTorch layer fits 'd' \(kernel \[5,5\], bias \[5\]\) of tfjs; there are left 'a' \(weight \[4,4\], bias \[4\]\)/,
    ],
    [
      'a layer too many',
      { ...dense('a'), 'x.weight': [2] },
      denseTfjs('d'),
      /no tfjs layer fits PyTorch's 'x' \(weight \[2\]\); the model has 'd'/,
    ],
    [
      'more of a kind',
      { ...dense('a'), ...dense('b') },
      denseTfjs('d'),
      /2 PyTorch layers \('a', 'b'\) for 1 of tfjs \('d'\)/,
    ],
    ['a bias too many', dense('a'), { 'd/kernel': [4, 4] }, /no PyTorch layer fits 'd' \(kernel \[4,4\]\)/],
    ['a bias too few', { 'a.weight': [4, 4] }, denseTfjs('d'), /no PyTorch layer fits 'd'/],
    ['weights of no known role', dense('a'), { w1: [4, 4], b1: [4] }, /no PyTorch layer fits '' \(w1 \[4,4\]/],
    [
      'buffers for trained weights alone',
      { 'n.weight': [3], 'n.running_mean': [3] },
      { 'n/gamma': [3] },
      /no PyTorch layer fits 'n' \(gamma \[3\]\)/,
    ],
    [
      'an LSTM with projections',
      { 'l.weight_ih_l0': [8, 3], 'l.weight_hh_l0': [8, 2], 'l.weight_hr_l0': [1, 2] },
      { 'k/kernel': [3, 8], 'k/recurrent_kernel': [2, 8] },
      /'l.l0' is an LSTM with a projection of its state \(proj_size\)/,
    ],
  ])('refuses %s', (_, torch, tfjs, message) => {
    const error = thrown(() => pairs(torch, tfjs))
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toMatch(message)
  })

  const cnn = { 'c.weight': [3, 1, 2, 2], 'c.bias': [3], 'f.weight': [2, 12], 'f.bias': [2] }
  const cnnTfjs = { 'c/kernel': [2, 2, 1, 3], 'c/bias': [3], 'd/kernel': [12, 2], 'd/bias': [2] }

  it('asks what was flattened behind a convolution, where silence would reorder', () => {
    const error = thrown(() => pairs(cnn, cnnTfjs))
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toBe(
      "'f.weight' reads 12 features of a convolution with 3 channels, and their order differs between PyTorch and tfjs; say what is flattened with flatten: {'f.weight': [3, height, width]}, or 'channels-last' if PyTorch has that order too",
    )
    const kept = fromPyTorch(counted(cnn), specs(cnnTfjs), { flatten: { 'f.weight': 'channels-last' } })
    expect(kept.mapping.at(-2)!.layout).toBe('[out, in] → [in, out]')
  })

  it('asks nothing behind a global pool, or once a dense layer came between', () => {
    const torch = { ...cnn, 'f.weight': [12, 3], 'f.bias': [12], 'g.weight': [2, 12], 'g.bias': [2] }
    const tfjs = { ...cnnTfjs, 'd/kernel': [3, 12], 'd/bias': [12], 'e/kernel': [12, 2], 'e/bias': [2] }
    expect(pairs(torch, tfjs).length).toBe(6)
  })

  it.each<[string, LayoutOptions, RegExp]>([
    [
      'flatten with a wrong product',
      { flatten: { 'f.weight': [3, 2, 3] } },
      /flatten says that 'f.weight' reads \[3,2,3\]; it must be \[channels, height, width\] with a product of 12/,
    ],
    [
      'flatten with a number',
      { flatten: { 'f.weight': 12 as never } },
      /flatten has 12 for 'f.weight'; it must be a list of whole numbers or 'channels-last'/,
    ],
    [
      'flatten of a convolution',
      { flatten: { 'f.weight': [3, 2, 2], 'c.weight': [3, 2, 2] } },
      /flatten names 'c.weight'; it must be a weight of PyTorch that reads flattened/,
    ],
    ['flatten of nothing', { flatten: { 'f.weight': [3, 2, 2], x: 'channels-last' } }, /flatten names 'x'/],
    ['a map from nowhere', { map: { x: 'd' } }, /map names the PyTorch layer 'x'; it must be one of 'c', 'f'/],
    ['a map to nowhere', { map: { f: 'x' } }, /map names the tfjs layer 'x'; it must be one of 'c', 'd'/],
    [
      'a map of what does not fit',
      { map: { f: 'c' } },
      /map pairs 'f' \(weight \[2,12\], bias \[2\]\) with 'c' \(kernel \[2,2,1,3\], bias \[3\]\), which do not fit/,
    ],
    ['other values', { values: 'deltas' as 'weights' }, /values is 'deltas'; it must be 'gradients' or 'weights'/],
  ])('refuses %s', (_, options, message) => {
    const error = thrown(() => pairs(cnn, cnnTfjs, options))
    expect(error.code).toBe('invalid-option')
    expect(error.message).toMatch(message)
  })

  it('refuses biases of an LSTM whose gradients differ: they are weights', () => {
    const { weights } = torchLayer('lstm')
    const targets = specs({ 'l/kernel': [3, 8], 'l/recurrent_kernel': [2, 8], 'l/bias': [8] })
    const error = thrown(() => fromPyTorch(weights, targets))
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toMatch(
      /as gradients of two added biases they must be equal; for weights pass values: 'weights'/,
    )
  })

  const tensors = counted({ 'a.weight': [2] })
  it.each<[string, () => unknown, RegExp]>([
    [
      'a tensor that does not fit its shape',
      () => fromPyTorch(new Map([['a.weight', { shape: [2, 2], data: [1] }]]), []),
      /^tensor 'a.weight' has shape \[2,2\], 4 values, but data has 1$/,
    ],
    ['tensors that are no Map', () => fromPyTorch({} as typeof tensors, []), /^tensors must be a Map from name to/],
    ['no targets', () => fromPyTorch(tensors, undefined as never), /^targets must be a tf.LayersModel, or a list of/],
    ['targets without a shape', () => toPyTorch(tensors, [{ name: 'a' }] as never), /^targets must be/],
  ])('refuses %s', (_, call, message) => {
    const error = thrown(call)
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })
})
