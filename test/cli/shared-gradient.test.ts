import { writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GradientFiles } from '../../src/cli/gradient-files'
import { sharedGradient } from '../../src/cli/shared-gradient'
import { type TensorToWrite, writeNpz } from '../../src/io'
import { buildSafetensors, bytesOf } from '../io/tensors/safetensors-builder'
import { thrown } from '../io/thrown'
import { dlg, scratch } from './terminal'

const folder = scratch()
let model: LayersModel
let values: Map<string, TensorToWrite>

beforeEach(async () => {
  await tf.setBackend('cpu')
  model = sequential({
    name: 'net',
    layers: [
      layers.conv2d({ inputShape: [6, 6, 1], filters: 3, kernelSize: 2, name: 'first' }),
      layers.batchNormalization({ name: 'norm' }),
      layers.conv2d({ filters: 2, kernelSize: 2, name: 'second' }),
      layers.flatten(),
      layers.dense({ units: 4, name: 'last' }),
    ],
  })
  // every number once, so that one in a wrong place shows
  let next = 0
  values = new Map(
    model.weights.map((w) => [
      w.originalName,
      {
        shape: w.shape as number[],
        data: Float32Array.from({ length: tf.util.sizeFromShape(w.shape as number[]) }, () => next++),
      },
    ]),
  )
})
afterEach(() => model.dispose())

const files = (given: Partial<GradientFiles> = {}): GradientFiles => ({
  source: { gradients: folder.at('g') },
  scale: 1,
  update: undefined,
  layout: 'tfjs',
  map: undefined,
  ordered: false,
  partial: false,
  ignore: [],
  imported: undefined,
  weights: undefined,
  ...given,
})
const write = (entries: Iterable<readonly [string, TensorToWrite]>, name = 'g') =>
  writeFileSync(folder.at(name), writeNpz(new Map(entries)))
const read = (given: Partial<GradientFiles> = {}) => {
  const lines: string[] = []
  return { shared: sharedGradient(model, files(given), (line) => lines.push(line)), lines }
}
const trained = () => model.trainableWeights.map((w) => [w.originalName, values.get(w.originalName)!] as const)
const byName = () => {
  write(trained())
  return read().shared
}
const listed = (names: readonly string[]) => names.map((name, i) => [`arr_${i}`, values.get(name)!] as const)
const byLayer = () => model.layers.flatMap((layer) => layer.weights).map((w) => w.originalName)

describe('what was shared, by any names and orders', () => {
  it.each<[string, (name: string) => string]>([
    ["Keras's :0", (name) => `${name}:0`],
    ["the model's name in front", (name) => `net/${name}`],
    ['both', (name) => `outer/net/${name}:0`],
    ["the number of tfjs's second model of a process behind", (name) => `${name}_1`],
  ])('%s', (_, rename) => {
    const expected = byName()
    write(trained().map(([name, tensor]) => [rename(name), tensor]))
    expect(read().shared).toEqual(expected)
  })

  it('prefers a name as it is', () => {
    const name = model.trainableWeights[0].originalName
    write([...trained(), [`${name}:0`, values.get(name)!]])
    expect(thrown(() => read()).message).toMatch(`'${name}' and '${name}:0' are both '${name}'`)
  })

  it("lists: of the trained weights, of all in tfjs's order, and layer by layer as Keras has them", () => {
    const expected = byName()
    const orders = [
      model.trainableWeights.map((w) => w.originalName),
      model.weights.map((w) => w.originalName),
      byLayer(),
    ]
    expect(new Set(orders.map((order) => order.join())).size).toBe(3)
    for (const order of orders) {
      write(listed(order))
      expect(read().shared).toEqual(expected)
    }
  })

  it('updates list moving statistics where Keras has them', () => {
    const source = { before: folder.at('b'), after: folder.at('a') }
    const after = [...values].map(
      ([name, { shape, data }]) => [name, { shape, data: [...(data as Float32Array)].map((v) => 2 * v) }] as const,
    )
    write(values, 'b')
    write(after, 'a')
    const expected = read({ source }).shared
    write(listed(byLayer()), 'b')
    const doubled = new Map(after)
    write(
      byLayer().map((name, i) => [`arr_${i}`, doubled.get(name)!]),
      'a',
    )
    expect(read({ source }).shared).toEqual(expected)
    const { before } = expected as object as { before: Record<string, { data: Float32Array }> }
    const name = model.weights.find((w) => /moving_variance/.test(w.originalName))!
    expect([...before[name.name].data]).toEqual([...(values.get(name.originalName)!.data as Float32Array)])
  })

  it('says how to save with names what fits no order', () => {
    const names = byLayer()
    write(listed([...names.slice(1), names[0]]))
    expect(thrown(() => read()).message).toMatch(
      /in its place has .* layer by layer, as get_weights\(\).*np\.savez\(f, \*\*\{w\.path: a/,
    )
    write(listed(names.slice(1, 4)))
    expect(thrown(() => read()).message).toMatch(/3 tensors for 8 trained weights.*np\.savez/)
  })

  it('a list of PyTorch, with statistics and counters or without', () => {
    const torch = (name: string): TensorToWrite => {
      const { shape, data } = values.get(name)!
      if (shape.length < 2) return { shape, data }
      const moved = tf.tidy(() =>
        tf.transpose(tf.tensor(data as Float32Array, [...shape]), shape.length === 2 ? [1, 0] : [3, 2, 0, 1]),
      )
      return { shape: moved.shape, data: moved.dataSync() as Float32Array }
    }
    const expected = byName()
    const map = folder.at('map.json')
    const state = byLayer().flatMap((name) =>
      /variance/.test(name) ? [torch(name), { shape: [], data: [9] }] : [torch(name)],
    )
    for (const list of [state, model.trainableWeights.map((w) => torch(w.originalName))]) {
      write(list.map((tensor, i) => [`arr_${i}`, tensor]))
      writeFileSync(map, JSON.stringify({ flatten: { [`arr_${list.length - 2}`]: 'channels-last' } }))
      expect(read({ layout: 'pytorch', map }).shared).toEqual(expected)
    }
  })
})

describe('what is no gradient', () => {
  const floats = () =>
    trained().map(([name, { shape, data }]) => ({ name, dtype: 'F32', shape, bytes: bytesOf(data as Float32Array) }))
  const mask = { name: 'net.attn.bias', dtype: 'BOOL', shape: [2], bytes: Uint8Array.of(1, 0) }
  const steps = { name: 'steps', dtype: 'I64', shape: [], bytes: bytesOf(BigInt64Array.of(2n ** 62n)) }

  it('is left out, and reported in one line', () => {
    const expected = byName()
    writeFileSync(folder.at('g'), buildSafetensors([mask, ...floats(), steps]))
    const { shared, lines } = read()
    expect(shared).toEqual(expected)
    expect(lines).toEqual([
      `${folder.at('g')}: left out, as what is shared is floats: 'net.attn.bias' (BOOL), 'steps' (I64)`,
    ])
  })

  it('is an error where it is needed', () => {
    const [first, ...others] = floats()
    const whole = { ...first, dtype: 'I32' }
    writeFileSync(folder.at('g'), buildSafetensors([whole, ...others]))
    const error = thrown(() => read())
    expect(error.code).toBe('invalid-gradients')
    expect(error.message).toMatch(
      `'${first.name}' is I32, and what a weight shares must be floats; save it with .astype`,
    )
  })

  it('goes by --ignore where it is of floats, in both files of an update', () => {
    const extra = { name: 'ema.decay', dtype: 'F32', shape: [1], bytes: bytesOf(Float32Array.of(0.9)) }
    const expected = byName()
    writeFileSync(folder.at('g'), buildSafetensors([extra, ...floats()]))
    expect(thrown(() => read()).message).toMatch(/'ema\.decay' is no weight of the model.*--ignore 'ema\.decay'/)
    for (const ignore of [['ema.decay'], ['none', 'ema.*']]) expect(read({ ignore }).shared).toEqual(expected)
    const source = { before: folder.at('g'), after: folder.at('a') }
    writeFileSync(folder.at('a'), buildSafetensors(floats()))
    expect(thrown(() => read({ source })).message).toMatch(/has no 'ema\.decay'/)
    expect(read({ source, ignore: ['ema.*'] }).shared).toHaveProperty('delta')
  })

  it('is told on the command line', async () => {
    const { code, stderr } = await dlg(['attack', '--model', 'm.json', '--gradients', 'g', '--ignore', 'a,,b'])
    expect([code, stderr]).toEqual([2, "dlg: --ignore is 'a,,b'; it must be names separated by commas\n"])
  })

  it('keeps how it was stored: the coarser of both sides of an update', () => {
    const name = model.trainableWeights[3].originalName
    const half = (dtype: string, width: 2 | 8) =>
      floats().map((part) =>
        part.name === name ? { ...part, dtype, bytes: new Uint8Array((part.bytes.length / 4) * width) } : part,
      )
    writeFileSync(folder.at('g'), buildSafetensors(half('F16', 2)))
    const dtypes = (shared: object) =>
      Object.values(shared as Record<string, { dtype: string }>).map(({ dtype }) => dtype)
    expect(dtypes(read().shared)).toEqual(trained().map((_, i) => (i === 3 ? 'float16' : 'float32')))
    writeFileSync(folder.at('a'), buildSafetensors(half('F64', 8)))
    const { delta } = read({ source: { before: folder.at('g'), after: folder.at('a') } }).shared as { delta: object }
    expect(dtypes(delta)[3]).toBe('float16')
  })
})
