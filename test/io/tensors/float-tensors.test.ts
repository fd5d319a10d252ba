import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExtensionCodec, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import {
  coarser,
  type Ignore,
  isWhole,
  parseSafetensors,
  readFloatTensors,
  readTensors,
  writeNpy,
} from '../../../src/io'
import { ignores } from '../../../src/io/bytes/limits'
import { thrown } from '../thrown'
import { buildSafetensors, bytesOf } from './safetensors-builder'

/** Eight of each, at or near the ends of what the type holds. */
const wholes: [string, string, { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }, number[]][] = [
  ['BOOL', 'bool', Uint8Array.of(0, 1, 1), [0, 1, 1]],
  ['U8', 'uint8', Uint8Array.of(0, 7, 255), [0, 7, 255]],
  ['I8', 'int8', Int8Array.of(-128, 0, 127), [-128, 0, 127]],
  ['U16', 'uint16', Uint16Array.of(0, 1, 65535), [0, 1, 65535]],
  ['I16', 'int16', Int16Array.of(-32768, 0, 32767), [-32768, 0, 32767]],
  ['U32', 'uint32', Uint32Array.of(0, 1, 2 ** 24), [0, 1, 2 ** 24]],
  ['I32', 'int32', Int32Array.of(-(2 ** 24), 0, 5), [-(2 ** 24), 0, 5]],
  ['U64', 'uint64', BigUint64Array.of(0n, 1n, 2n ** 24n), [0, 1, 2 ** 24]],
  ['I64', 'int64', BigInt64Array.of(-(2n ** 24n), 0n, 9n), [-(2 ** 24), 0, 9]],
]
const weight = { name: 'lm.weight', dtype: 'F32', shape: [2], bytes: bytesOf(Float32Array.of(0.25, -4)) }
const beside = (dtype: string, bytes: Uint8Array, shape = [3]) =>
  buildSafetensors([weight, { name: 'h.0.attn.mask', dtype, shape, bytes }])

describe('tensors that are no gradients', () => {
  it.each(wholes)('%s is read exactly by readTensors, and left out of floats', (type, dtype, values, expected) => {
    const file = beside(type, bytesOf(values))
    const read = readTensors(file).get('h.0.attn.mask')!
    expect([...read.data]).toEqual(expected)
    expect(read.dtype).toBe(dtype)
    expect([...parseSafetensors(file).tensors.get('h.0.attn.mask')!.data]).toEqual(expected)
    const { tensors, leftOut } = readFloatTensors(file)
    expect([...tensors.keys()]).toEqual(['lm.weight'])
    expect(leftOut).toEqual([{ name: 'h.0.attn.mask', type }])
  })

  it.each<[string, Buffer, RegExp]>([
    ['a counter beyond 2^53', beside('I64', bytesOf(BigInt64Array.of(2n ** 60n)), [1]), /1152921504606846976 at 0/],
    ['a counter that float32 would round', beside('U32', bytesOf(Uint32Array.of(2 ** 31 + 1)), [1]), /would round/],
    ['a BOOL of 2', beside('BOOL', Uint8Array.of(2), [1]), /holds 2 at 0; a BOOL must be 0 or 1/],
    ['an element type that is not read', beside('F8_E4M3', Uint8Array.of(1, 2, 3)), /has dtype "F8_E4M3"/],
  ])('%s refuses only who reads it', (_, file, message) => {
    expect(thrown(() => readTensors(file)).message).toMatch(message)
    expect([...readTensors(file, { ignore: 'h.*.mask' }).get('lm.weight')!.data]).toEqual([0.25, -4])
    expect([...readFloatTensors(file).tensors.keys()]).toEqual(['lm.weight'])
  })

  it('of numpy: objects, which are pickles, complex numbers and text', () => {
    const one = (descr: string, shape: string, bytes: number) => {
      const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`
      const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0])
      return Buffer.concat([start, Buffer.from(header), Buffer.alloc(bytes)])
    }
    const members = {
      'w.npy': writeNpy({ shape: [1], data: [8] }),
      'config.npy': one('|O', '(9000000,)', 30),
      'fft.npy': one('<c8', '(2,)', 16),
      'name.npy': one('<U3', '()', 12),
      'count.npy': one('<i8', '()', 8),
      'rows.npy': one('|b1', '(2,)', 2),
    }
    const { tensors, leftOut } = readFloatTensors(zipSync(members))
    expect([...tensors]).toEqual([['w', { shape: [1], data: Float32Array.of(8), dtype: 'float32' }]])
    expect(leftOut.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'config |O',
      'fft <c8',
      'name <U3',
      'count <i8',
      'rows |b1',
    ])
    expect(thrown(() => readTensors(zipSync(members))).message).toMatch(/Python objects, a pickle/)
    expect(readTensors(zipSync(members), { ignore: [/^(config|fft|name)$/] }).size).toBe(3)
  })

  it('does not unpack what is ignored: neither its size nor its checksum refuses the archive', () => {
    const small = writeNpy({ shape: [1], data: [3] })
    const large = writeNpy({ shape: [50_000], data: new Float32Array(50_000) })
    const file = Buffer.from(zipSync({ 'w.npy': [small, { level: 0 }], 'optimizer.npy': [large, { level: 9 }] }))
    expect(thrown(() => readTensors(file)).message).toMatch(/inflates to 200\d+ bytes/)
    expect([...readTensors(file, { ignore: 'optimizer' }).keys()]).toEqual(['w'])
    const broken = Buffer.from(zipSync({ 'w.npy': small, 'm.npy': small }, { level: 0 }))
    broken[broken.lastIndexOf(Buffer.from(Float32Array.of(3).buffer))] ^= 1
    expect(thrown(() => readTensors(broken)).message).toMatch(/member "m.npy" is corrupt/)
    expect([...readTensors(broken, { ignore: ['m', 'x'] }).keys()]).toEqual(['w'])
  })

  it('of trees: what is no tensor', () => {
    const json = Buffer.from(JSON.stringify({ round: 3, w: { shape: [1], data: [2] }, who: 'a' }))
    expect(thrown(() => readTensors(json)).message).toMatch(/tensor "round" is 3/)
    expect(readFloatTensors(json).leftOut.map(({ name }) => name)).toEqual(['round', 'who'])
    expect([...readTensors(json, { ignore: ['round', 'who'] }).get('w')!.data]).toEqual([2])
  })
})

describe('envelopes are named, with what is in them', () => {
  const tensors = [
    { shape: [2], data: [1, 2] },
    { shape: [], data: [3] },
  ]
  it.each<[string, Uint8Array, RegExp]>([
    ['JSON around tensors', Buffer.from(JSON.stringify({ round: 2, weights: tensors })), /2 tensors within "weights"/],
    ['JSON around named tensors', Buffer.from(JSON.stringify({ state: { a: tensors[0] } })), /1 tensor within "state"/],
    ['msgpack around encoded tensors', encode({ type: 5, weights: encode(tensors) }), /has \d+ bytes within "weights"/],
    ['msgpack around bytes in a list', encode([1, encode(tensors)]), /bytes within "1"/],
    [
      'a model of DISCO',
      disco({ modelTopology: {}, weightSpecs: [] }),
      /is a model as DISCO saves it.*weights\.encode/,
    ],
    [
      'a model of DISCO, other order',
      disco({ format: 'layers-model', modelTopology: {} }),
      /is a model as DISCO saves/,
    ],
  ])('%s', (_, bytes, message) => {
    const error = thrown(() => readTensors(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })

  function disco(artifacts: object): Uint8Array {
    const codec = new ExtensionCodec()
    codec.register({
      type: 0x1a,
      encode: (v) => (v instanceof ArrayBuffer ? new Uint8Array(v) : null),
      decode: () => 0,
    })
    return encode([1, { ...artifacts, weightData: new ArrayBuffer(8) }], { extensionCodec: codec })
  }
})

describe('how a tensor was stored', () => {
  it.each([
    ['F64', 'float64', bytesOf(Float64Array.of(0.1))],
    ['F32', 'float32', bytesOf(Float32Array.of(0.1))],
    ['F16', 'float16', bytesOf(Uint16Array.of(0x3555))],
    ['BF16', 'bfloat16', bytesOf(Uint16Array.of(0x3f80))],
  ])('safetensors: %s is %s', (dtype, stored, bytes) => {
    expect(readTensors(buildSafetensors([{ name: 'w', dtype, shape: [1], bytes }])).get('w')!.dtype).toBe(stored)
  })

  it.each([
    ['<f2', 'float16', 2],
    ['>f4', 'float32', 4],
    ['<f8', 'float64', 8],
    ['|i1', 'int8', 1],
    ['|b1', 'bool', 1],
    ['>u2', 'uint16', 2],
  ])('npy: %s is %s', (descr, stored, size) => {
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (1,), }\n`
    const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0])
    const bytes = Buffer.concat([start, Buffer.from(header), Buffer.alloc(size)])
    expect(readTensors(bytes).get('array')!.dtype).toBe(stored)
  })

  it.each([
    ['float32', {}, 4, { dtype: 'float32' }],
    ['float32', { quantization: { dtype: 'float16' } }, 2, { dtype: 'float16' }],
    [
      'float32',
      { quantization: { dtype: 'uint8', scale: 0.5, min: -3 } },
      1,
      { dtype: 'uint8', quantization: { scale: 0.5, min: -3 } },
    ],
    [
      'float32',
      { quantization: { dtype: 'uint16', scale: 2, min: 0 } },
      2,
      { dtype: 'uint16', quantization: { scale: 2, min: 0 } },
    ],
    ['int32', { quantization: { dtype: 'uint8', scale: 1, min: 0 } }, 1, { dtype: 'int32' }],
    ['bool', {}, 1, { dtype: 'bool' }],
  ])('tfjs: %s with %j', (dtype, fields, size, stored) => {
    const folder = mkdtempSync(join(tmpdir(), 'dlg-stored-'))
    try {
      const weights = [{ name: 'w', shape: [3], dtype, ...fields }]
      writeFileSync(join(folder, 'w.bin'), new Uint8Array(3 * size))
      writeFileSync(join(folder, 'model.json'), JSON.stringify({ weightsManifest: [{ paths: ['w.bin'], weights }] }))
      const { shape, data, ...rest } = readTensors(join(folder, 'model.json')).get('w')!
      expect([shape, data.length, rest]).toEqual([[3], 3, stored])
      const floats = stored.dtype !== 'int32' && stored.dtype !== 'bool'
      expect(readFloatTensors(join(folder, 'model.json')).tensors.size).toBe(floats ? 1 : 0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('of two is the coarser one, and nothing where one is unknown', () => {
    const [half, brain, single, double] = (['float16', 'bfloat16', 'float32', 'float64'] as const).map((dtype) => ({
      dtype,
    }))
    const order = [brain, half, single, double]
    for (const [i, a] of order.entries())
      for (const [j, b] of order.entries()) expect(coarser(a, b)).toEqual(order[Math.min(i, j)])
    expect(coarser(half, {})).toEqual({})
    expect(coarser({ dtype: 'int8' }, single)).toEqual({})
  })

  it('is whole for integers that stand for themselves, and not for quantised floats', () => {
    expect(isWhole({ dtype: 'uint8' })).toBe(true)
    expect(isWhole({ dtype: 'bool' })).toBe(true)
    expect(isWhole({ dtype: 'uint8', quantization: { scale: 0.1, min: -1 } })).toBe(false)
    expect(isWhole({ dtype: 'float16' })).toBe(false)
    expect(isWhole({})).toBe(false)
  })
})

describe('ignore', () => {
  it('agrees with a regular expression for any pattern of stars', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 3 })
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), piece, piece, piece, (parts, ...name) => {
        const pattern = parts.map((p) => p.replaceAll('.', '\\.')).join('.*')
        expect(ignores(parts.join('*'))(name.join(''))).toBe(new RegExp(`^${pattern}$`).test(name.join('')))
      }),
      { numRuns: 2000 },
    )
  })

  it('is not fooled by a regular expression that remembers where it was', () => {
    const ignored = ignores(/mask/g)
    expect([ignored('a.mask'), ignored('a.mask'), ignored('b')]).toEqual([true, true, false])
  })

  it.each([[7], [null], [{}], [['a', 3]]])('refuses %j', (ignore) => {
    const error = thrown(() =>
      readTensors(beside('U8', Uint8Array.of(1, 2, 3)), { ignore: ignore as unknown as Ignore }),
    )
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringMatching(/^ignore must be a name/)])
  })
})
