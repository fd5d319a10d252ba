import { model as build, input, layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { fromPyTorch } from '../../../src/io'
import { thrown } from '../thrown'

/** A residual block whose shortcut comes first in tfjs's order, with these names of its norms. */
function block(one: string, two: string, short: string) {
  const norm = (name: string) => layers.batchNormalization({ name })
  const conv = (name: string, kernelSize = 3) =>
    layers.conv2d({ name, filters: 4, kernelSize, padding: 'same', useBias: false })
  const x = input({ shape: [6, 6, 1] })
  const shortcut = norm(short).apply(conv('a', 1).apply(x)) as typeof x
  const main = norm(two).apply(conv('c').apply(norm(one).apply(conv('b').apply(x)))) as typeof x
  return build({ inputs: x, outputs: layers.add().apply([shortcut, main]) as typeof x })
}

/** The block as PyTorch lists it; the values of each tensor say where it stands. */
const torch = (names = ['bn1', 'bn2', 'downsample.1']) => {
  const norms = names.map((name) => [`${name}.weight`, `${name}.bias`])
  const shapes: [string, number[]][] = [
    ['conv1.weight', [4, 1, 3, 3]],
    ...norms[0].map((name): [string, number[]] => [name, [4]]),
    ['conv2.weight', [4, 4, 3, 3]],
    ...norms[1].map((name): [string, number[]] => [name, [4]]),
    ['downsample.0.weight', [4, 1, 1, 1]],
    ...norms[2].map((name): [string, number[]] => [name, [4]]),
  ]
  return new Map(
    shapes.map(([name, shape], i) => [
      name,
      { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(i) },
    ]),
  )
}

const pairs = (model: ReturnType<typeof block>, tensors = torch(), options = {}, graph = true) => {
  const weights = model.trainableWeights
  const { mapping } = fromPyTorch(tensors, graph ? { weights, layers: model.layers } : { weights }, options)
  return Object.fromEntries(
    mapping.map(({ from, to }) => [to[0].split('/').slice(0, 2).join('/').replace(/_\d+$/, ''), from[0]]),
  )
}

const right = {
  'bn1/gamma': 'bn1.weight',
  'bn2/gamma': 'bn2.weight',
  'sc/gamma': 'downsample.1.weight',
  'a/kernel': 'downsample.0.weight',
}

describe('layers that are alike in parallel branches', () => {
  it('are paired by equal names first, with and without the graph', () => {
    const model = block('bn1', 'bn2', 'sc')
    for (const graph of [true, false]) expect(pairs(model, torch(), {}, graph)).toMatchObject(right)
    model.dispose()
  })

  it("by PyTorch's path written with underscores too", () => {
    const model = block('layer1_bn1', 'layer1_bn2', 'sc')
    const tensors = torch(['layer1.bn1', 'layer1.bn2', 'layer1.downsample.1'])
    expect(pairs(model, tensors)['layer1_bn2/gamma']).toBe('layer1.bn2.weight')
    model.dispose()
  })

  it.each([true, false])(
    'are refused with the candidates where names do not say it; a map does (graph: %s)',
    (graph) => {
      const model = block('one', 'two', 'three')
      const error = thrown(() => pairs(model, torch(), {}, graph))
      expect(error.code).toBe('invalid-gradients')
      expect(error.message).toMatch(
        /PyTorch's 'bn1', 'bn2', 'downsample.1' could be tfjs's .* in more than one way: .*branch/,
      )
      expect(error.message).toMatch(/say which with map: \{'bn1': '.*', …\}/)
      const map = { bn1: 'one', bn2: 'two', 'downsample.1': 'three' }
      expect(pairs(model, torch(), { map }, graph)).toMatchObject({
        'one/gamma': 'bn1.weight',
        'two/gamma': 'bn2.weight',
        'three/gamma': 'downsample.1.weight',
      })
      // one name settles what is left in sequence
      if (graph) expect(pairs(model, torch(), { map: { 'downsample.1': 'three' } })['two/gamma']).toBe('bn2.weight')
      model.dispose()
    },
  )

  it('are refused in a list without names', () => {
    const model = block('one', 'two', 'three')
    const list = new Map([...torch().values()].map((tensor, i) => [`arr_${i}`, tensor]))
    expect(thrown(() => pairs(model, list)).message).toMatch(/parallel branches: .* save it with names/)
    model.dispose()
  })
})

it('layers that follow each other go by their order', () => {
  const dense = (name: string) => layers.dense({ name, units: 3, inputShape: [3] })
  const model = sequential({ layers: [dense('first'), dense('second'), dense('third')] })
  const shapes = ['zebra', 'ant', 'mole'].flatMap((name): [string, number[]][] => [
    [`${name}.weight`, [3, 3]],
    [`${name}.bias`, [3]],
  ])
  const tensors = new Map(
    shapes.map(([name, shape]) => [name, { shape, data: new Float32Array(shape.length === 2 ? 9 : 3) }]),
  )
  expect(fromPyTorch(tensors, model).mapping.map(({ from, to }) => [from[0], to[0]])).toMatchObject([
    ['zebra.weight', 'first/kernel'],
    ['zebra.bias', 'first/bias'],
    ['ant.weight', 'second/kernel'],
    ['ant.bias', 'second/bias'],
    ['mole.weight', 'third/kernel'],
    ['mole.bias', 'third/bias'],
  ])
  model.dispose()
})
