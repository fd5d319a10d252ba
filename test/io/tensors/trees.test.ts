import { ExtensionCodec, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseMsgpack, parseTensorsJson } from '../../../src/io'
import { thrown } from '../thrown'

const json = (tree: unknown) => Buffer.from(typeof tree === 'string' ? tree : JSON.stringify(tree))
const named = { 'fc.weight': { shape: [2, 2], data: [1, -0.5, 3, 4] }, b: { shape: [], data: [0.1] } }
const list = Object.values(named)
const read = [
  ['fc.weight', { shape: [2, 2], data: Float32Array.of(1, -0.5, 3, 4) }],
  ['b', { shape: [], data: Float32Array.of(0.1) }],
] as const
const numbered = read.map(([, tensor], i) => [String(i), tensor] as const)
/** Binary data say what they are; decimal numbers do not. */
const asFloat32 = <T>(tensors: readonly (readonly [string, T])[]) =>
  tensors.map(([name, tensor]) => [name, { ...tensor, dtype: 'float32' }])

/** As DISCO registers it: a Float32Array as extension 0x17, the bytes of its values. */
const disco = new ExtensionCodec()
disco.register({
  type: 0x17,
  encode: (value) =>
    value instanceof Float32Array ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null,
  decode: () => undefined,
})

const tensors = fc.array(
  fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 6 }).map((values) => ({
    shape: [1, values.length],
    // A list holds it as a whole number, in which zero has no sign.
    data: Float32Array.from(values, (value) => value + 0),
  })),
  { maxLength: 4 },
)
const asLists = (all: readonly { shape: number[]; data: Float32Array }[]) =>
  all.map(({ shape, data }) => ({ shape, data: [...data] }))

describe('parseTensorsJson', () => {
  it('reads tensors by name and in a list', () => {
    expect([...parseTensorsJson(json(named))]).toEqual(read)
    expect([...parseTensorsJson(json(list))]).toEqual(numbered)
    expect([...parseTensorsJson(json('\ufeff {}'))]).toEqual([])
  })

  it('reads nested lists', () => {
    expect([
      ...parseTensorsJson(
        json([
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
          [7],
          [[], []],
        ]),
      ),
    ]).toEqual([
      ['0', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      ['1', { shape: [1], data: Float32Array.of(7) }],
      ['2', { shape: [2, 0], data: new Float32Array(0) }],
    ])
    expect(parseTensorsJson(json({ k: [[[[8]]]] })).get('k')!.shape).toEqual([1, 1, 1, 1])
  })

  it('gives back what JSON.stringify wrote', () => {
    fc.assert(
      fc.property(tensors, (all) => {
        expect([...parseTensorsJson(json(asLists(all))).values()]).toEqual(all)
      }),
    )
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['not UTF-8', Buffer.from([0x5b, 0xff, 0x5d]), /json: is not UTF-8/],
    ['not JSON', json('[1,'), /json: is not JSON: /],
    ['NaN, which is not JSON', json('[[NaN]]'), /json: is not JSON: /],
    ['a number beyond float64', json('[[1e400]]'), /tensor "0" holds Infinity at 0; it must be a finite number/],
    ['a number beyond float32', json('[[1e39]]'), /tensor "0" holds 1e\+39 at 0; it must be within/],
    ['a number', json('1'), /holds 1; it must hold a list or an object of tensors/],
    ['text', json('"x"'), /holds "x"; it must hold/],
    ['null', json('null'), /holds null; it must hold/],
    ['one tensor', json(list[0]), /holds one \{shape, data\}; it must hold a list or an object of them/],
    ['a tensor that is a number', json([1]), /tensor "0" is 1; it must be \{shape, data\} or nested lists/],
    ['a tensor that is null', json({ a: null }), /tensor "a" is null; it must be/],
    ['no shape', json({ a: { data: [1] } }), /tensor "a" has shape missing; it must be a list of whole/],
    ['a negative length', json([{ shape: [-1], data: [] }]), /has shape \[-1\]; it must be a list of whole/],
    ['a huge shape', json([{ shape: [2 ** 40, 2 ** 40], data: [] }]), /must be a list of whole numbers/],
    ['a shape that does not fit', json([{ shape: [3], data: [1] }]), /shape \[3\], 3 values, but data has 1/],
    ['no data', json([{ shape: [3] }]), /has data missing; it must be a list of numbers/],
    ['text in the data', json([{ shape: [1], data: ['1'] }]), /holds "1" at 0; it must be a finite number/],
    ['null in the data', json([[null]]), /holds null at 0; it must be a finite number/],
    [
      'ragged lists',
      json([[[1, 2], [3]]]),
      /has a list of 1 among the lists of 2 along axis 1; they must be equally long/,
    ],
    ['a number among lists', json([[[1], 2]]), /has 2 among the lists of 1 along axis 1/],
    ['a list among numbers', json([[1, [2]]]), /holds \[2\] at 1; it must be a finite number/],
    ['deep lists', json(`${'['.repeat(70)}1${']'.repeat(70)}`), /has lists in lists deeper than 64/],
    ['very deep lists', json('['.repeat(1e5) + ']'.repeat(1e5)), /has lists in lists deeper than 64/],
    ['a name twice', json('{"a": [1], "a": [2]}'), /has the name "a" twice in one object/],
    ['too many tensors', json(`[${'[],'.repeat(65_535)}[]]`), /holds 65536 tensors; there must be at most 65535/],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => parseTensorsJson(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })
})

describe('parseMsgpack', () => {
  it('reads lists of numbers, as another library encodes them', () => {
    expect([...parseMsgpack(encode(named))]).toEqual(read)
    expect([...parseMsgpack(encode(list))]).toEqual(numbered)
    expect([...parseMsgpack(encode(list, { forceFloat32: true }))]).toEqual(numbered)
  })

  it('reads every kind of number', () => {
    const numbers = [0, 127, -1, -32, 200, 60_000, 2 ** 31, 2 ** 40, -100, -30_000, -(2 ** 30), -(2 ** 40), 0.5]
    const { data } = parseMsgpack(encode([{ shape: [numbers.length], data: numbers }])).get('0')!
    expect([...data]).toEqual(numbers.map(Math.fround))
  })

  it('reads float32 as DISCO sends it, and as plain bytes, unaligned', () => {
    const binary = read.map(([, tensor]) => tensor)
    expect([...parseMsgpack(encode(binary, { extensionCodec: disco }))]).toEqual(asFloat32(numbered))
    const bytes = binary.map(({ shape, data }) => ({ shape, data: new Uint8Array(data.buffer) }))
    for (const pad of ['', 'a', 'ab', 'abc']) {
      const padded = { [`${pad}x`]: bytes[0] }
      expect(parseMsgpack(encode(padded)).get(`${pad}x`)).toEqual({ ...binary[0], dtype: 'float32' })
    }
  })

  it('reads long names, lists and maps', () => {
    const many = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `${'x'.repeat(i * 20)}${i}.`,
        { shape: [70_000 * (i % 2)], data: new Array(70_000 * (i % 2)).fill(i) },
      ]),
    )
    const tensors = parseMsgpack(encode(many))
    expect([...tensors.keys()]).toEqual(Object.keys(many))
    expect(tensors.get(Object.keys(many)[19])!.data.every((value) => value === 19)).toBe(true)
  })

  it('gives back what another library encoded', () => {
    fc.assert(
      fc.property(tensors, fc.boolean(), (all, binary) => {
        const bytes = encode(binary ? all : asLists(all), { extensionCodec: disco })
        expect([...parseMsgpack(bytes).values()]).toEqual(
          binary ? all.map((tensor) => ({ ...tensor, dtype: 'float32' })) : all,
        )
      }),
    )
  })

  const raw = (...bytes: (number | string)[]) =>
    Buffer.concat(bytes.map((b) => (typeof b === 'string' ? Buffer.from(b) : Buffer.from([b]))))
  const u32 = [0xff, 0xff, 0xff, 0xff]
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', raw(), /truncated, a length in it reaches beyond its 0 bytes/],
    ['a list that claims 2^32 values', raw(0xdd, ...u32), /truncated, a length in it reaches beyond its 5 bytes/],
    ['a map that claims 2^32 values', raw(0xdf, ...u32), /truncated/],
    ['bytes that claim to be 2^32', raw(0x91, 0xc6, ...u32), /truncated/],
    ['an extension that claims to be 2^32', raw(0x91, 0xc9, ...u32, 0x17), /truncated/],
    ['text that claims to be 2^32', raw(0x91, 0xdb, ...u32), /truncated/],
    ['a length cut off', raw(0xdd, 0), /truncated/],
    ['a number cut off', raw(0x91, 0xcb, 0), /truncated/],
    ['claims within claims', raw(...new Array(1000).fill([0xdc, 0, 0xff]).flat()), /is nested deeper than 3/],
    ['deep lists', Buffer.alloc(1e5, 0x91), /is nested deeper than 3, as no list of \{shape, data\} is/],
    [
      'many parts',
      Buffer.concat([raw(0xdd, 0, 0x10, 0, 0), Buffer.alloc(2 ** 20, 0x90)]),
      /has more parts than 65535 tensors have/,
    ],
    ['a byte that msgpack never uses', raw(0x91, 0xc1), /has the byte 0xc1 at 1/],
    ['trailing bytes', raw(0x90, 0, 0), /has 2 trailing bytes after its value/],
    ['a name twice', raw(0x82, 0xa1, 'a', 0x90, 0xa1, 'a', 0x90), /has the name "a" twice in one map/],
    ['a name that is a number', raw(0x81, 1, 0x90), /has a map with a name that is not a string/],
    ['the name __proto__', encode(JSON.parse('{"__proto__":1}')), /is not msgpack: .*__proto__/],
    ['a number', raw(7), /holds 7; it must hold a list or an object/],
    ['float32 alone', encode(Float32Array.of(1), { extensionCodec: disco }), /must hold a list or an object/],
    [
      'half a float',
      encode([{ shape: [1], data: new Uint8Array(6) }]),
      /has 6 bytes of data; it must be float32, a multiple of 4/,
    ],
    [
      'an unknown extension',
      raw(0x91, 0x82, 0xa5, 'shape', 0x90, 0xa4, 'data', 0xd6, 0x55, 0, 0, 0, 0),
      /has data an object; it must be/,
    ],
    ['a big integer', encode([{ shape: [1], data: ['1'] }]), /holds "1" at 0; it must be a finite number/],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => parseMsgpack(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })
})
