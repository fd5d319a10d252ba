import { describe, expect, it } from 'vitest'
import { parseSafetensors, writeSafetensors } from '../../../src/io'
import { thrown } from '../thrown'

/** A file with this header and these data, however wrong. */
function file(header: unknown, data: Uint8Array | number[] = [], padding = ''): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header)
  return raw(Buffer.from(text + padding), data)
}

function raw(header: Uint8Array, data: Uint8Array | number[] = [], length = BigInt(header.length)): Uint8Array {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length)
  return Buffer.concat([prefix, header, Uint8Array.from(data)])
}

const f32 = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer)
const entry = (dtype: unknown, shape: unknown, ...offsets: unknown[]) => ({ dtype, shape, data_offsets: offsets })

describe('parseSafetensors', () => {
  it.each([
    ['F64', new Float64Array([1.1, -2, Number.POSITIVE_INFINITY]), [1.1, -2, Number.POSITIVE_INFINITY], Float64Array],
    [
      'F32',
      new Float32Array([1.5, -0.1, 3e38]),
      [Math.fround(1.5), Math.fround(-0.1), Math.fround(3e38)],
      Float32Array,
    ],
    // 1, -2, largest, smallest subnormal, largest subnormal, +inf, 1/3 rounded
    [
      'F16',
      new Uint16Array([0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x7c00, 0x3555]),
      [1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, Number.POSITIVE_INFINITY, 0.333251953125],
      Float32Array,
    ],
    [
      'BF16',
      new Uint16Array([0x3f80, 0xc000, 0x4049, 0xff80]),
      [1, -2, 3.140625, Number.NEGATIVE_INFINITY],
      Float32Array,
    ],
    ['I64', new BigInt64Array([-1n, 2n ** 53n - 1n]), [-1, 2 ** 53 - 1], Float64Array],
    ['I32', new Int32Array([-(2 ** 31), 2 ** 31 - 1]), [-(2 ** 31), 2 ** 31 - 1], Int32Array],
    ['U8', new Uint8Array([0, 255]), [0, 255], Uint8Array],
  ] as const)('reads %s', (dtype, stored, expected, type) => {
    const bytes = new Uint8Array(stored.buffer)
    const { tensors } = parseSafetensors(file({ t: entry(dtype, [stored.length], 0, bytes.length) }, bytes))
    const tensor = tensors.get('t')!
    expect(tensor.dtype).toBe(dtype)
    expect(tensor.shape).toEqual([stored.length])
    expect(tensor.data).toBeInstanceOf(type)
    expect([...tensor.data]).toEqual(expected)
  })

  it('reads F16 NaN as NaN', () => {
    const { tensors } = parseSafetensors(file({ t: entry('F16', [1], 0, 2) }, [0x01, 0x7e]))
    expect(tensors.get('t')!.data[0]).toBeNaN()
  })

  it('reads unaligned data, from a Buffer, as copies', () => {
    const bytes = file({ t: entry('F32', [2], 0, 8) }, f32(1, 2))
    for (let shift = 0; shift < 8; shift++) {
      const shifted = Buffer.alloc(bytes.length + 8)
      shifted.set(bytes, shift)
      const { tensors } = parseSafetensors(shifted.subarray(shift, shift + bytes.length))
      shifted.fill(0)
      expect([...tensors.get('t')!.data]).toEqual([1, 2])
    }
  })

  it('reads metadata, scalars, empty tensors and a padded header, in the order of the bytes', () => {
    const header = {
      late: entry('F32', [1, 1], 4, 8),
      __metadata__: { format: 'pt', __proto__x: 'y' },
      scalar: entry('F32', [], 0, 4),
      empty: entry('F32', [0, 7], 8, 8),
    }
    const { tensors, metadata } = parseSafetensors(file(header, f32(3, 4), '   '))
    expect([...tensors.keys()]).toEqual(['scalar', 'late', 'empty'])
    expect([...tensors.get('scalar')!.data, ...tensors.get('late')!.data]).toEqual([3, 4])
    expect(tensors.get('empty')!.data.length).toBe(0)
    expect(metadata).toEqual({ format: 'pt', __proto__x: 'y' })
  })

  it('treats __proto__ and constructor as names like any other', () => {
    const header = `{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
      "constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"__metadata__":{"__proto__":"p"}}`
    const { tensors, metadata } = parseSafetensors(file(header, [7, 8]))
    expect([...tensors].map(([name, { data }]) => [name, data[0]])).toEqual([
      ['__proto__', 7],
      ['constructor', 8],
    ])
    expect(Object.entries(metadata)).toEqual([['__proto__', 'p']])
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype)
  })

  it('does not take an inherited field for the entry’s own', () => {
    const header = '{"t":{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}'
    expect(thrown(() => parseSafetensors(file(header, [7]))).message).toMatch(/"t" has dtype missing/)
  })

  const a = entry('U8', [4], 0, 4)
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /has 0 bytes; it must have at least the 8/],
    ['7 bytes', new Uint8Array(7), /has 7 bytes; it must have at least the 8/],
    ['a header beyond the file', raw(Buffer.from('{}'), [], 3n), /header length is 3, but only 2 bytes follow/],
    ['a header above 100 MB', raw(Buffer.from('{}'), [], 100_000_001n), /100000001; it must be at most 100000000/],
    [
      'the largest header length',
      raw(Buffer.from('{}'), [], 2n ** 64n - 1n),
      /18446744073709551615; it must be at most/,
    ],
    ['an empty header', file(''), /header is not JSON/],
    ['not JSON', file('{"a":'), /header is not JSON/],
    ['not UTF-8', raw(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /header is not UTF-8/],
    ['a list', file([1]), /JSON but not an object/],
    ['null', file('null'), /JSON but not an object/],
    ['a number', file('3'), /JSON but not an object/],
    ['an entry that is no object', file({ a: 1 }), /tensor "a" must be an object/],
    [
      'an unknown dtype',
      file({ a: entry('F8_E4M3', [4], 0, 4) }, [1, 2, 3, 4]),
      /"a" has dtype "F8_E4M3"; it must be one of F64/,
    ],
    ['a dtype of the prototype', file({ a: entry('constructor', [4], 0, 4) }, [1, 2, 3, 4]), /has dtype "constructor"/],
    ['a dtype that is no string', file({ a: entry(['F32'], [1], 0, 4) }, f32(1)), /has dtype \["F32"\]/],
    ['no shape', file({ a: { dtype: 'U8', data_offsets: [0, 1] } }, [1]), /"a" has shape missing; it must be a list/],
    [
      'a negative length',
      file({ a: entry('U8', [-2, -2], 0, 4) }, [1, 2, 3, 4]),
      /shape \[-2, -2\]; it must be a list of whole/,
    ],
    ['a fractional length', file({ a: entry('U8', [1.5], 0, 1) }, [1]), /shape \[1.5\]; it must be a list of whole/],
    ['a length as text', file({ a: entry('U8', ['1'], 0, 1) }, [1]), /shape \["1"\]/],
    ['a huge length', file({ a: entry('U8', [1e300], 0, 1) }, [1]), /shape \[1e\+300\]/],
    ['a huge product', file({ a: entry('U8', [2 ** 40, 2 ** 40], 0, 1) }, [1]), /whose product is too large/],
    ['a huge product times 0', file({ a: entry('U8', [2 ** 40, 2 ** 40, 0], 0, 0) }), /whose product is too large/],
    ['one offset', file({ a: entry('U8', [1], 1) }, [1]), /data_offsets \[1\]; it must be two whole numbers/],
    ['three offsets', file({ a: entry('U8', [1], 0, 1, 2) }, [1]), /data_offsets \[0, 1, 2\]; it must be two/],
    ['a negative offset', file({ a: entry('U8', [1], -1, 0) }, [1]), /data_offsets \[-1, 0\]; it must be two/],
    ['a fractional offset', file({ a: entry('U8', [1], 0.5, 1.5) }, [1]), /data_offsets \[0.5, 1.5\]; it must be two/],
    ['an end before the begin', file({ a: entry('U8', [0], 2, 1) }, [1, 2]), /"a" begins at 2, after its end at 1/],
    ['an end outside the file', file({ a }, [1, 2, 3]), /"a" ends at 4, outside the file: 3 bytes follow/],
    [
      'too many bytes for the shape',
      file({ a: entry('U8', [3], 0, 4) }, [1, 2, 3, 4]),
      /U8 \[3\], 3 bytes, but its data_offsets span 4/,
    ],
    [
      'too few bytes for the dtype',
      file({ a: entry('F32', [4], 0, 4) }, [1, 2, 3, 4]),
      /F32 \[4\], 16 bytes, but its data_offsets span 4/,
    ],
    ['an overlap', file({ a, b: entry('U8', [4], 2, 6) }, [1, 2, 3, 4, 5, 6]), /"b" begins at 2, overlapping/],
    ['the same bytes twice', file({ a, b: a }, [1, 2, 3, 4]), /"b" begins at 0, overlapping/],
    ['a hole', file({ a, b: entry('U8', [1], 6, 7) }, [1, 2, 3, 4, 5, 6, 7]), /hole of 2 bytes before tensor "b"/],
    ['a hole at the start', file({ a: entry('U8', [1], 1, 2) }, [1, 2]), /hole of 1 bytes before tensor "a"/],
    ['trailing bytes', file({ a }, [1, 2, 3, 4, 5, 6]), /2 trailing bytes/],
    ['trailing bytes without tensors', file({}, [1]), /1 trailing bytes/],
    ['metadata that is no object', file({ __metadata__: ['x'] }), /__metadata__ must be an object of strings/],
    [
      'metadata that is no text',
      file({ __metadata__: { seed: 7 } }),
      /__metadata__ "seed" is number; it must be a string/,
    ],
    [
      'an I64 beyond 2^53',
      file({ a: entry('I64', [1], 0, 8) }, [0, 0, 0, 0, 0, 0, 0x20, 0]),
      /"a" holds 9007199254740992 at 0/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => parseSafetensors(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })

  it.each([
    ['a name', '{"a":1,"b":2,"a":3}', 'a'],
    ['an escaped name', '{"a":1,"\\u0061":3}', 'a'],
    ['a name after a nested object and list', '{"a":{"x":[{"y":1},"a"]},"z":"a\\"","a":3}', 'a'],
    ['__proto__', '{"__proto__":1,"__proto__":2}', '__proto__'],
    ['a field of a tensor', '{"a":{"dtype":"U8","shape":[1],"dtype":"F32","data_offsets":[0,1]}}', 'dtype'],
    ['a field of an object in a list', '{"a":[{"x":1},{"x":1,"x":2}]}', 'x'],
  ])('refuses %s that occurs twice', (_, header, name) => {
    const error = thrown(() => parseSafetensors(file(header, [1])))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toContain(`the name "${name}" twice`)
  })

  it('takes equal names in different objects, and text that looks like names, for what they are', () => {
    const header = `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},
      "__metadata__":{"a":"b\\\\","b":",\\"a\\":1","c":"{\\"c\\":["}}`
    expect([...parseSafetensors(file(header, [1, 2])).tensors.keys()]).toEqual(['a', 'b'])
  })

  it('names a hostile field without following it: nesting as deep as the file', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const error = thrown(() => parseSafetensors(file(`{"a":{"dtype":${deep}}}`)))
    expect(error.message).toMatch(/"a" has dtype \[a list\]; it must be one of/)
    expect(thrown(() => parseSafetensors(file({ ['n'.repeat(1e5)]: 1 }))).message.length).toBeLessThan(200)
  })

  it('refuses an argument that is not bytes', () => {
    const error = thrown(() => parseSafetensors('file' as unknown as Uint8Array))
    expect([error.code, error.message]).toEqual([
      'invalid-data',
      'safetensors: bytes is string; it must be a Uint8Array',
    ])
  })
})

describe('writeSafetensors', () => {
  it('gives back what was written, rounded to float32, in order', () => {
    const tensors = new Map([
      ['10', { shape: [2, 1], data: [0.1, Number.NaN] }],
      ['2', { shape: [], data: new Float64Array([1e-50]) }],
      ['__proto__', { shape: [0], data: [] }],
      ['é"\\', { shape: [1, 1, 1], data: new Float32Array([-5]) }],
    ])
    const bytes = writeSafetensors(tensors, { seed: '7', ['__proto__']: 'x' })
    const read = parseSafetensors(bytes)
    expect([...read.tensors].map(([name, { dtype, shape, data }]) => [name, dtype, shape, [...data]])).toEqual([
      ['10', 'F32', [2, 1], [Math.fround(0.1), Number.NaN]],
      ['2', 'F32', [], [0]],
      ['__proto__', 'F32', [0], []],
      ['é"\\', 'F32', [1, 1, 1], [-5]],
    ])
    expect(Object.entries(read.metadata)).toEqual([
      ['seed', '7'],
      ['__proto__', 'x'],
    ])
  })

  it('writes the bytes the format describes', () => {
    const bytes = Buffer.from(writeSafetensors(new Map([['w', { shape: [1], data: [1] }]])))
    const json = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    expect(Number(bytes.readBigUInt64LE(0))).toBe(56)
    expect(bytes.subarray(8, 64).toString()).toBe(json.padEnd(56))
    expect(bytes.subarray(64).toString('hex')).toBe('0000803f')
  })

  it.each([
    [
      'data that do not fit the shape',
      { shape: [2, 2], data: [1, 2, 3] },
      /"t" has shape \[2,2\], 4 values, but data has 3/,
    ],
    ['a fractional shape', { shape: [1.5], data: [1] }, /shape \[1.5\]; it must be a list of whole numbers/],
    ['a negative shape', { shape: [-1, -1], data: [1] }, /shape \[-1, -1\]; it must be a list of whole numbers/],
  ])('refuses %s', (_, tensor, message) => {
    const error = thrown(() => writeSafetensors(new Map([['t', tensor]])))
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })

  it('refuses the reserved name and metadata that are not text', () => {
    const reserved = thrown(() => writeSafetensors(new Map([['__metadata__', { shape: [], data: [1] }]])))
    expect([reserved.code, reserved.message]).toEqual(['invalid-data', expect.stringContaining('name __metadata__')])
    const number = thrown(() => writeSafetensors(new Map(), { seed: 7 } as unknown as Record<string, string>))
    expect([number.code, number.message]).toEqual(['invalid-data', expect.stringContaining('"seed" is number')])
  })
})
