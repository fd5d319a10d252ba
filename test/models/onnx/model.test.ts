import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as tf from '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { checkModel, deepLeakage, gradientsOf } from '../../../src/index'
import { readTensors } from '../../../src/io'
import { modelFromOnnx, type OnnxModel, type OnnxModelOptions } from '../../../src/models/onnx/model-from-onnx'
import { uniform } from '../../oracle'
import { difference, inOnnxruntime, inOurGraph, slopes } from './onnxruntime'
import { type Attribute, type GraphSpec, type TensorSpec, writeOnnx } from './write-onnx'

const opened: OnnxModel[] = []
const open = (spec: GraphSpec, options?: OnnxModelOptions, opset?: number): OnnxModel => {
  const model = modelFromOnnx(writeOnnx(spec, opset), options)
  opened.push(model)
  return model
}
afterEach(() => {
  for (const model of opened.splice(0)) model.dispose()
})

const weight = (dims: readonly number[], seed = 1): TensorSpec => ({
  dims,
  values: Float32Array.from(
    uniform(
      dims.reduce((a, b) => a * b, 1),
      -0.7,
      0.7,
      seed,
    ),
  ),
})

const mlp = (batch: number | string = 'batch'): GraphSpec => ({
  nodes: [
    { op: 'Gemm', inputs: ['x', '0.weight', '0.bias'], outputs: ['h'], attributes: { transB: 1 } },
    { op: 'Sigmoid', inputs: ['h'], outputs: ['s'] },
    { op: 'Gemm', inputs: ['s', '2.weight', '2.bias'], outputs: ['y'], attributes: { transB: 1 } },
  ],
  initializers: {
    '0.weight': weight([8, 6]),
    '0.bias': weight([8], 2),
    '2.weight': weight([3, 8], 3),
    '2.bias': weight([3], 4),
  },
  inputs: { x: [batch, 6] },
  outputs: ['y'],
})

const one = (op: string, more: Partial<GraphSpec> = {}, domain = ''): GraphSpec => ({
  nodes: [{ op, inputs: ['x', 'w'], outputs: ['y'], name: 'the/node', domain }],
  initializers: { w: weight([6, 6]) },
  inputs: { x: ['batch', 6] },
  outputs: ['y'],
  ...more,
})

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ name: 'DlgError', code, message: expect.stringMatching(message) })

describe('a model out of an ONNX file', () => {
  it('is attacked by a search, with the gradient that the names of its weights pair', async () => {
    const model = open(mlp())
    const secret = tf.tensor2d(Float32Array.from(uniform(6, 0, 1)), [1, 6])
    const gradients = await gradientsOf(model, secret, [2], { runtime: 'reference' })
    expect(Object.keys(gradients)).toEqual(['0.weight', '0.bias', '2.weight', '2.bias'])
    const leak = await deepLeakage(model, gradients, { seed: 1, restarts: 2 })
    expect([...leak.labels]).toEqual([2])
    expect(difference(leak.data.dataSync(), secret.dataSync())).toBeLessThan(1e-2)
    leak.dispose()
    tf.dispose([secret, gradients])
  })

  it('is attacked with the gradient that PyTorch saved, with nothing to map', async () => {
    const folder = fileURLToPath(new URL('pytorch', import.meta.url))
    const saved = readTensors(`${folder}/mlp.safetensors`)
    const gradients = new Map(
      [...saved].flatMap(([name, t]) => (name.startsWith('gradient ') ? [[name.slice(9), t] as const] : [])),
    )
    const model = modelFromOnnx(gunzipSync(readFileSync(`${folder}/mlp.onnx.gz`)))
    opened.push(model)
    const leak = await deepLeakage(model, gradients, { batchSize: 2, labels: [0, 1], seed: 3, restarts: 4 })
    expect(leak.status).toBe('converged')
    expect(difference(leak.data.dataSync(), saved.get('input')!.data)).toBeLessThan(1e-2)
    leak.dispose()
  })

  it('is checked: its gradient is the one of its operators', async () => {
    const model = open(mlp())
    const x = tf.tensor2d(Float32Array.from(uniform(12, 0, 1)), [2, 6])
    const { findings, parameters } = await checkModel(model, { x, y: [0, 1] }, { runtime: 'reference' })
    expect(findings.filter(({ level }) => level === 'error')).toEqual([])
    expect(findings.map(({ code }) => code)).toContain('not-compared')
    expect(parameters.trained).toBe(8 * 6 + 8 + 3 * 8 + 3)
    x.dispose()
  })

  it('takes any batch where the batch axis is open, and refuses another than the one in the file', async () => {
    const y = { x: { dims: [5, 6], values: uniform(30, 0, 1) } }
    expect((await inOurGraph(open(mlp()), y)).y.dims).toEqual([5, 3])
    expect((await inOurGraph(open(mlp(5)), y)).y.dims).toEqual([5, 3])
    const fixed = open(mlp(4))
    await expect(gradientsOf(fixed, tf.ones([5, 6]), [0, 1, 2, 0, 1], { runtime: 'reference' })).rejects.toThrow(
      refusal('invalid-option', /'x' .* batch size 4 .* batch of 5 .*dynamic_axes/),
    )
  })

  it('trains what is named, and by default what has a name of its own', () => {
    expect(open(mlp(), { trainable: ['0.weight'] }).trainable).toEqual(['0.weight'])
    expect(open(mlp(), { trainable: { '2.bias': 1, '0.bias': 1 } }).trainable).toEqual(['0.bias', '2.bias'])
    expect(open(mlp(), { trainable: new Map([['2.bias', 1]]) }).trainable).toEqual(['2.bias'])
    expect(() => open(mlp(), { trainable: ['fc.weight'] })).toThrow(
      refusal('invalid-option', /'fc.weight', which is no float .*0.weight, .*do_constant_folding=False/),
    )
    const generated: GraphSpec = { ...one('MatMul'), initializers: { w: weight([6, 6]), 'onnx::w': weight([6, 6]) } }
    expect(
      open({
        ...generated,
        nodes: [
          { op: 'MatMul', inputs: ['x', 'onnx::w'], outputs: ['h'] },
          { op: 'MatMul', inputs: ['h', 'w'], outputs: ['y'] },
        ],
      }).trainable,
    ).toEqual(['w'])
  })

  it('undoes what the exporter of PyTorch does to weights: copies of equal ones, and transposed ones', async () => {
    const spec: GraphSpec = {
      nodes: [
        { op: 'Identity', inputs: ['a.bias'], outputs: ['b.bias'] },
        { op: 'MatMul', inputs: ['x', 'onnx::MatMul_7'], outputs: ['h'] },
        { op: 'Add', inputs: ['a.bias', 'h'], outputs: ['k'] },
        { op: 'Mul', inputs: ['k', 'b.bias'], outputs: ['y'] },
      ],
      initializers: { 'a.bias': weight([4]), 'onnx::MatMul_7': weight([6, 4]) },
      inputs: { x: ['batch', 6] },
      outputs: ['y'],
    }
    const model = open(spec)
    expect(Object.entries(model.weights).map(([name, { shape }]) => [name, shape])).toEqual([
      ['a.bias', [4]],
      ['b.bias', [4]],
      ['a.weight', [4, 6]],
    ])
    const x = { dims: [1, 6], values: uniform(6, 0, 1) }
    const right = Array.from({ length: 4 }, (_, j) => {
      const w = spec.initializers!['onnx::MatMul_7'].values
      const b = spec.initializers!['a.bias'].values[j]
      return (Array.from(x.values).reduce((sum, v, i) => sum + v * w[i * 4 + j], 0) + b) * b
    })
    expect(difference((await inOurGraph(model, { x })).y.values, right)).toBeLessThan(1e-6)
    expect(Object.keys(open(spec, { trainable: ['a.bias', 'a.weight'] }).weights)).toEqual(['a.bias', 'a.weight'])
  })

  it('takes the statistics of the file or of the batch, as the client trains', async () => {
    const spec: GraphSpec = {
      nodes: [
        {
          op: 'BatchNormalization',
          inputs: ['x', 'scale', 'bias', 'bn.running_mean', 'bn.running_var'],
          outputs: ['y'],
        },
      ],
      initializers: {
        scale: weight([2]),
        bias: weight([2], 2),
        'bn.running_mean': { dims: [2], values: [0.5, -1] },
        'bn.running_var': { dims: [2], values: [2, 0.5] },
      },
      inputs: { x: ['batch', 2] },
      outputs: ['y'],
    }
    const model = open(spec)
    expect(model.trainable).toEqual(['scale', 'bias'])
    expect(Object.keys(model.weights)).toContain('bn.running_mean')
    const x = { dims: [3, 2], values: [1, 2, 3, 4, 8, 0] }
    const { scale, bias } = spec.initializers!
    const normal = (i: number, mean: number, variance: number) =>
      ((x.values[i] - mean) / Math.sqrt(variance + 1e-5)) * scale.values[i % 2] + bias.values[i % 2]
    const [stored, batch] = [await inOurGraph(model, { x }), await inOurGraph(model, { x }, true)]
    expect(
      difference(
        stored.y.values,
        x.values.map((_, i) => normal(i, [0.5, -1][i % 2], [2, 0.5][i % 2])),
      ),
    ).toBeLessThan(1e-6)
    const [means, variances] = [
      [4, 2],
      [26 / 3, 8 / 3],
    ]
    expect(
      difference(
        batch.y.values,
        x.values.map((_, i) => normal(i, means[i % 2], variances[i % 2])),
      ),
    ).toBeLessThan(1e-6)
  })

  it('reads weights out of files beside it', async () => {
    const bytes = new Uint8Array(Float32Array.from([0, 1, 2, 3, 4, 5, 6]).buffer)
    const spec: GraphSpec = {
      ...one('Mul'),
      initializers: { w: { dims: [6], values: [], external: { location: 'net.bin', offset: '4', length: '24' } } },
    }
    expect(() => open(spec)).toThrow(refusal('invalid-file', /'w' lies in the file 'net.bin'/))
    const model = open(spec, { externalData: new Map([['net.bin', bytes]]) })
    expect([...model.weights.w.dataSync()]).toEqual([1, 2, 3, 4, 5, 6])
    expect(() => open(spec, { externalData: { 'net.bin': bytes.subarray(8) } })).toThrow(
      refusal('invalid-file', /24 bytes from 4 of 'net.bin', which has 20/),
    )
  })

  it('chooses outputs, and needs no operator that these do not need', () => {
    const spec = mlp()
    const both = {
      ...spec,
      nodes: [...spec.nodes, { op: 'TreeEnsemble', inputs: ['y'], outputs: ['z'], domain: 'ai.onnx.ml' }],
      outputs: ['y', 'z'],
    }
    expect(() => open(both)).toThrow(
      refusal('untraceable', /node 'z' \(TreeEnsemble\) of 'ai.onnx.ml' is not supported/),
    )
    expect(open(both, { outputs: ['y'] }).trainable).toHaveLength(4)
    expect(() => open(both, { outputs: ['w'] })).toThrow(refusal('invalid-option', /outputs has 'w'.*there are y,z/))
  })

  it('takes pictures with their channels last, as the priors need them', async () => {
    const spec: GraphSpec = {
      nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'] }],
      initializers: { w: weight([2, 3, 2, 2]) },
      inputs: { x: ['batch', 3, 4, 5] },
      outputs: ['y'],
    }
    const [first, last] = [open(spec, { channelsLast: false }), open(spec)]
    expect([first.inputShape.x, last.inputShape.x]).toEqual([
      [3, 4, 5],
      [4, 5, 3],
    ])
    const values = uniform(60, 0, 1)
    const turned = Array.from({ length: 60 }, (_, i) => values[(i % 3) * 20 + Math.floor(i / 3)])
    const right = (await inOurGraph(first, { x: { dims: [1, 3, 4, 5], values } })).y
    expect((await inOurGraph(last, { x: { dims: [1, 4, 5, 3], values: turned } })).y).toEqual(right)
    expect(
      open({ ...spec, inputs: { x: ['batch', 8, 4, 5] }, initializers: { w: weight([2, 8, 2, 2]) } }).inputShape.x,
    ).toEqual([8, 4, 5])
  })

  it('asks for sizes that the file leaves open', () => {
    const spec = {
      ...one('Relu'),
      nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['y'] }],
      inputs: { x: ['batch', 'n', 6] },
    }
    expect(() => open(spec)).toThrow(refusal('untraceable', /input 'x' has open sizes \[\?,6\].*inputShape: \{ 'x': /))
    expect(open(spec, { inputShape: { x: [6, 6] } }).inputShape).toEqual({ x: [6, 6] })
    expect(() => open(spec, { inputShape: { x: [6, 5] } })).toThrow(
      refusal('invalid-option', /inputShape.x is \[6,5\]; .* \[\?,6\]/),
    )
  })

  it('puts functions of the file in place of their calls, as onnxruntime-node does', async () => {
    const spec: GraphSpec = {
      nodes: [
        { op: 'Twice', inputs: ['x', 'w'], outputs: ['h'], domain: 'own', attributes: { slope: { float: 0.3 } } },
        { op: 'Twice', inputs: ['h', 'w'], outputs: ['y'], domain: 'own', attributes: { slope: { float: 0.5 } } },
      ],
      initializers: { w: weight([6, 6]) },
      inputs: { x: ['batch', 6] },
      outputs: ['y'],
    }
    const twice = {
      name: 'Twice',
      inputs: ['a', 'b'],
      outputs: ['c'],
      nodes: [
        { op: 'MatMul', inputs: ['a', 'b'], outputs: ['h'] },
        { op: 'LeakyRelu', inputs: ['h'], outputs: ['c'], attributes: { alpha: { refersTo: 'slope', type: 1 } } },
      ],
    }
    const bytes = writeOnnx(spec, 17, 8, [twice])
    const model = modelFromOnnx(bytes)
    opened.push(model)
    const x = { dims: [2, 6], values: uniform(12, -1, 1) }
    const [ours, theirs] = [await inOurGraph(model, { x }), await inOnnxruntime(bytes, { x })]
    expect(difference(ours.y.values, theirs.y.values)).toBeLessThan(1e-6)
  })

  it('calls the one of two functions of a name that the call means, with attributes down into its branches', async () => {
    const call = (overload: string, input: string, output: string, slope: number) => ({
      ...{ op: 'Bent', inputs: [input], outputs: [output], domain: 'own', overload },
      attributes: { slope: { float: slope } },
    })
    const spec: GraphSpec = {
      nodes: [call('one', 'x', 'h', 0.3), call('two', 'h', 'y', 0.5)],
      inputs: { x: ['batch', 6] },
      outputs: ['y'],
    }
    const leaky = (input: string) => ({
      ...{ op: 'LeakyRelu', inputs: [input], outputs: ['leaky'] },
      attributes: { alpha: { refersTo: 'slope', type: 1 } },
    })
    const branch = { nodes: [leaky('a')], inputs: {}, outputs: ['leaky'] }
    const within = [
      {
        op: 'Constant',
        inputs: [],
        outputs: ['yes'],
        attributes: { value: { tensor: { dims: [], values: [1], type: 9 } } },
      },
      {
        ...{ op: 'If', inputs: ['yes'], outputs: ['c'] },
        attributes: { then_branch: { graph: branch }, else_branch: { graph: branch } },
      },
    ]
    const turned = [
      { op: 'Neg', inputs: ['a'], outputs: ['b'] },
      { ...leaky('b'), outputs: ['c'] },
    ]
    const bytes = writeOnnx(spec, 17, 10, [
      { name: 'Bent', overload: 'one', inputs: ['a'], outputs: ['c'], nodes: within },
      { name: 'Bent', overload: 'two', inputs: ['a'], outputs: ['c'], nodes: turned },
    ])
    const model = modelFromOnnx(bytes)
    opened.push(model)
    const { y } = await inOurGraph(model, { x: { dims: [1, 6], values: [-2, -1, -0.5, 0.5, 1, 2] } })
    expect(difference(y.values, [0.6, 0.3, 0.15, -0.25, -0.5, -1])).toBeLessThan(1e-6)
  })

  it('reads a 0 that a writer left out because it is 0', async () => {
    const row = (attributes: Readonly<Record<string, Attribute>>): GraphSpec => ({
      nodes: [
        { op: 'Softmax', inputs: ['x'], outputs: ['s'], attributes },
        { op: 'Elu', inputs: ['s'], outputs: ['e'], attributes: { alpha: { zero: 'float' } } },
        { op: 'Neg', inputs: ['x'], outputs: ['n'] },
        { op: 'Elu', inputs: ['n'], outputs: ['f'], attributes: { alpha: { zero: 'float' } } },
        { op: 'Add', inputs: ['e', 'f'], outputs: ['y'] },
      ],
      inputs: { x: [3, 2] },
      outputs: ['y'],
    })
    const x = { dims: [3, 2], values: [1, 2, 3, 4, 5, 6] }
    const [short, long] = [open(row({ axis: { zero: 'integer' } })), open(row({ axis: 0 }))]
    const { y } = await inOurGraph(short, { x })
    expect(y.values).toEqual((await inOurGraph(long, { x })).y.values)
    expect(y.values[0] + y.values[2] + y.values[4]).toBeCloseTo(1, 6)
  })

  it('knows a moving variance that the exporter made a copy of the scale, and what the model copies itself', async () => {
    const spec: GraphSpec = {
      nodes: [
        { op: 'Identity', inputs: ['bn.weight'], outputs: ['bn.running_var'] },
        { op: 'Identity', inputs: ['bn.bias'], outputs: ['bn.running_mean'] },
        {
          op: 'BatchNormalization',
          inputs: ['x', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var'],
          outputs: ['y'],
        },
      ],
      initializers: { 'bn.weight': { dims: [2], values: [1, 1] }, 'bn.bias': { dims: [2], values: [0, 0] } },
      inputs: { x: ['batch', 2] },
      outputs: ['y'],
    }
    const x = tf.tensor2d([0.3, -0.2, 0.9, 0.4], [2, 2])
    for (const trainable of [undefined, ['bn.weight', 'bn.bias']]) {
      const model = open(spec, { trainable })
      expect(model.trainable).toEqual(['bn.weight', 'bn.bias'])
      const gradients = await gradientsOf(model, x, [0, 1], { runtime: 'reference' })
      const [scale, bias] = ['bn.weight', 'bn.bias'].map((name) => [...gradients[name].dataSync()])
      // Σ over the batch of (p − 1) and of (p − 1)·x̂, the slope of the mean cross-entropy
      const p = [
        [0.3, -0.2],
        [0.9, 0.4],
      ].map((row) => {
        const [a, b] = row.map((v) => Math.exp(v / Math.sqrt(1 + 1e-5)))
        return [a / (a + b), b / (a + b)]
      })
      const errors = [
        [p[0][0] - 1, p[0][1]],
        [p[1][0], p[1][1] - 1],
      ]
      const normal = [0.3, -0.2, 0.9, 0.4].map((v) => v / Math.sqrt(1 + 1e-5))
      expect(
        difference(
          bias,
          [0, 1].map((c) => (errors[0][c] + errors[1][c]) / 2),
        ),
      ).toBeLessThan(1e-6)
      expect(
        difference(
          scale,
          [0, 1].map((c) => (errors[0][c] * normal[c] + errors[1][c] * normal[2 + c]) / 2),
        ),
      ).toBeLessThan(1e-6)
      tf.dispose(gradients)
    }
    x.dispose()
  })

  it('says of a file whose weights have lost their names that they have, and takes them by those that they have', () => {
    const spec: GraphSpec = {
      nodes: [{ op: 'MatMul', inputs: ['x', 'onnx::MatMul_7'], outputs: ['y'] }],
      initializers: { 'onnx::MatMul_7': weight([6, 6]) },
      inputs: { x: ['batch', 6] },
      outputs: ['y'],
    }
    const bytes = writeOnnx(spec, 17, 8, [], 'pytorch')
    expect(() => modelFromOnnx(bytes)).toThrow(
      refusal(
        'invalid-file',
        /no weight .* has kept its name, there are only 'onnx::MatMul_7' \[6,6\]; .*dynamo=False/,
      ),
    )
    const model = modelFromOnnx(bytes, { trainable: ['onnx::MatMul_7'] })
    opened.push(model)
    expect(model.trainable).toEqual(['onnx::MatMul_7'])
  })

  it('knows the name of a weight that a module reads out of another one, and a copy that the model makes itself', async () => {
    const inModule = (...path: string[]) => ({
      'pkg.torch.onnx.name_scopes': `[${['', ...path, 'node'].map((name) => `'${name}'`).join(', ')}]`,
      'pkg.torch.onnx.fx_node': 'a call of the program',
    })
    const spec: GraphSpec = {
      nodes: [
        { op: 'Identity', inputs: ['block.sub.weight'], outputs: ['clone'], metadata: inModule('block') },
        { op: 'MatMul', inputs: ['x', 'clone'], outputs: ['h'], metadata: inModule('block') },
        { op: 'Add', inputs: ['h', 'block.sub.weight'], outputs: ['i'], metadata: inModule() },
        { op: 'MatMul', inputs: ['i', 'block.sub.weight'], outputs: ['y'], metadata: inModule('block', 'block.sub') },
      ],
      initializers: { 'block.sub.weight': weight([6, 6]) },
      inputs: { x: [6, 6] },
      outputs: ['y'],
    }
    const bytes = writeOnnx(spec, 18, 10, [], 'pytorch')
    for (const trainable of [undefined, ['block.sub.weight']]) {
      const model = modelFromOnnx(bytes, { trainable })
      opened.push(model)
      expect(Object.keys(model.weights)).toEqual(['block.sub.weight'])
      const { ours, differences } = await slopes(model, { x: { dims: [6, 6], values: uniform(36, -1, 1) } })
      expect(Math.abs(ours - differences)).toBeLessThan(1e-6 * Math.max(1, Math.abs(differences)))
    }
  })

  it('takes modules whose names begin as those of constants do', () => {
    const names = ['const_layer.weight', 'shape_head.bias', 'val_1.weight', 'scalar_mix.0.bias_hh_l0']
    const spec: GraphSpec = {
      nodes: names.map((name, i) => ({
        op: 'Add',
        inputs: [i === 0 ? 'x' : `h${i}`, name],
        outputs: [i === 3 ? 'y' : `h${i + 1}`],
      })),
      initializers: Object.fromEntries(names.map((name) => [name, weight([6])])),
      inputs: { x: ['batch', 6] },
      outputs: ['y'],
    }
    expect(open(spec).trainable).toEqual(names)
  })

  it('normalises by the batch where a node of the old operators is in training mode', async () => {
    const spec = (outputs: readonly string[]): GraphSpec => ({
      nodes: [{ op: 'BatchNormalization', inputs: ['x', 's', 'b', 'm', 'v'], outputs }],
      initializers: Object.fromEntries(
        [1, 0, 5, 9].map((value, i) => ['sbmv'[i], { dims: [1], values: [value] }] as const),
      ),
      inputs: { x: [2, 1] },
      outputs: ['y'],
    })
    const x = { dims: [2, 1], values: [1, 3] }
    const [trained, stored] = [open(spec(['y', 'm1', 'v1', 'm2', 'v2']), {}, 11), open(spec(['y']), {}, 11)]
    expect(difference((await inOurGraph(trained, { x })).y.values, [-1, 1])).toBeLessThan(1e-4)
    expect(difference((await inOurGraph(stored, { x })).y.values, [-4 / 3, -2 / 3])).toBeLessThan(1e-4)
  })

  it.each<[string, GraphSpec, string, RegExp]>([
    [
      'a mask that is shorter than the keys',
      {
        nodes: [{ op: 'Attention', inputs: ['x', 'k', 'k', 'm'], outputs: ['y'] }],
        initializers: { k: weight([1, 1, 3, 2]), m: weight([2, 1]) },
        inputs: { x: [1, 1, 2, 2] },
        outputs: ['y'],
      },
      'untraceable',
      /has a mask \[2,1\] for 3 keys; its last axis must be as long/,
    ],
    [
      'parts that leave something out',
      {
        nodes: [{ op: 'Split', inputs: ['x', 's'], outputs: ['y', 'z'], attributes: { axis: 1 } }],
        initializers: { s: { dims: [2], values: [1, 3], type: 7 } },
        inputs: { x: [2, 6] },
        outputs: ['y', 'z'],
      },
      'invalid-file',
      /splits 6 into \[1,3\]; the parts must add up to it, one for each of 2 outputs/,
    ],
    [
      'a place that is written twice',
      {
        nodes: [{ op: 'ScatterND', inputs: ['x', 'i', 'w'], outputs: ['y'] }],
        initializers: { i: { dims: [2, 1], values: [0, -2], type: 7 }, w: weight([2, 3]) },
        inputs: { x: [2, 3] },
        outputs: ['y'],
      },
      'untraceable',
      /writes to one place twice/,
    ],
    [
      'an index beyond the end',
      {
        nodes: [{ op: 'GatherND', inputs: ['x', 'i'], outputs: ['y'] }],
        initializers: { i: { dims: [1, 2], values: [0, -4], type: 7 } },
        inputs: { x: [2, 3] },
        outputs: ['y'],
      },
      'invalid-file',
      /index -4 is not in \[-3, 3\)/,
    ],
  ])('refuses %s', (_, spec, code, message) => {
    expect(() => open(spec, {}, 23)).toThrow(refusal(code, message))
  })

  it.each([
    ['two nodes that give one name', [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }], /gives 'y' twice/],
    ['a node that gives a weight', [{ op: 'Neg', inputs: ['x'], outputs: ['w'] }], /gives 'w' twice/],
    ['a node that gives an input', [{ op: 'Neg', inputs: ['w'], outputs: ['x'] }], /gives 'x' twice/],
  ])('refuses %s', (_, more, message) => {
    const spec = one('Mul')
    expect(() => open({ ...spec, nodes: [...more, ...spec.nodes] })).toThrow(refusal('invalid-file', message))
  })

  it.each([
    ['an operator that there is not', one('NonZero'), 'untraceable', /node 'the\/node' \(NonZero\) is not supported/],
    [
      'quantised numbers',
      one('QLinearMatMul'),
      'untraceable',
      /\(QLinearMatMul\) computes with quantised numbers.*float model/,
    ],
    [
      'operators of others',
      one('FusedMatMul', {}, 'com.microsoft'),
      'untraceable',
      /\(FusedMatMul\) of 'com.microsoft'/,
    ],
    [
      'shapes that do not fit',
      one('MatMul', { initializers: { w: weight([5, 6]) } }),
      'invalid-file',
      /'the\/node' \(MatMul\): .*\[2,6\] · \[5,6\]/,
    ],
    [
      'a name that nothing gives',
      one('MatMul', { initializers: {} }),
      'invalid-file',
      /'the\/node' \(MatMul\) reads 'w'/,
    ],
    [
      'a shape that depends on the data',
      one('Reshape', { nodes: [{ op: 'Reshape', inputs: ['w', 'x'], outputs: ['y'] }] }),
      'untraceable',
      /\(Reshape\): input 1 depends on the data/,
    ],
    [
      'a loop that runs for as long as the data say',
      one('MatMul', {
        nodes: [
          {
            op: 'Loop',
            name: 'the loop',
            inputs: ['', '', 'x'],
            outputs: ['y'],
            attributes: {
              body: {
                graph: {
                  nodes: [
                    { op: 'ReduceSum', inputs: ['h'], outputs: ['sum'], attributes: { keepdims: 0 } },
                    { op: 'Less', inputs: ['sum', 'sum'], outputs: ['on'] },
                    { op: 'Neg', inputs: ['h'], outputs: ['next'] },
                  ],
                  inputs: { i: [], go: [], h: [2, 6] },
                  types: { i: 7, go: 9, on: 9 },
                  outputs: ['on', 'next'],
                },
              },
            },
          },
        ],
      }),
      'untraceable',
      /'the loop' \(Loop\): runs for as long as the data say/,
    ],
    [
      'a linear model whose coefficients fit no classes',
      one('MatMul', {
        nodes: [
          {
            op: 'LinearClassifier',
            name: 'the model',
            domain: 'ai.onnx.ml',
            inputs: ['x'],
            outputs: ['label', 'y'],
            attributes: { coefficients: { floats: [1, 2, 3] }, classlabels_ints: [0, 1] },
          },
        ],
      }),
      'invalid-file',
      /'the model' \(LinearClassifier\) has 3 coefficients and 0 intercepts for 2 classes/,
    ],
    ['no outputs', one('MatMul', { outputs: [] }), 'invalid-file', /no outputs/],
    ['no inputs', one('MatMul', { inputs: {} }), 'invalid-file', /no inputs/],
  ] as const)('refuses %s', (_, spec, code, message) => {
    expect(() => open(spec)).toThrow(refusal(code, message))
  })

  it('refuses random masks in training mode, by the node', async () => {
    const model = open({
      ...one('Dropout'),
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'Dropout', inputs: ['h'], outputs: ['y'], name: 'drop' },
      ],
    })
    const x = tf.ones([1, 6])
    const message = refusal('untraceable', /node 'drop' \(Dropout\): draws a random mask/)
    await expect(gradientsOf(model, x, [1], { training: true, runtime: 'reference' })).rejects.toThrow(message)
    await expect(gradientsOf(model, x, [1], { runtime: 'reference' })).resolves.toHaveProperty('w')
    x.dispose()
  })

  it.each([
    [[0x50, 0x4b, 3, 4], /zip.*torch.onnx.export/],
    [[0x80, 2, 0x8a], /pickle.*torch.onnx.export/],
    [[0x89, 0x48, 0x44, 0x46], /HDF5.*tf2onnx/],
    [[0x7b, 0x22], /JSON.*loadLayersModel/],
    [[1, 2, 3], /must be one ModelProto/],
    [[], /no graph/],
  ])('says what another file is: %j', (bytes, message) => {
    expect(() => modelFromOnnx(Uint8Array.from(bytes))).toThrow(refusal('invalid-file', message))
  })

  it('keeps no tensor when it is disposed of, and none when a file is refused', () => {
    const before = tf.memory().numTensors
    modelFromOnnx(writeOnnx(mlp())).dispose()
    expect(() => modelFromOnnx(writeOnnx(one('NonZero')))).toThrow()
    expect(tf.memory().numTensors).toBe(before)
  })
})
