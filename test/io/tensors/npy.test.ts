import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNpy, writeNpy } from '../../../src/io'
import { thrown } from '../thrown'
import { files, fromBase64, npy } from './numpy-files'

const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`

describe('parseNpy', () => {
  it.each(files.files)('reads what numpy wrote: $name', ({ base64, shape, values }) => {
    const tensor = parseNpy(fromBase64(base64))
    expect(tensor.data).toBeInstanceOf(Float32Array)
    expect(tensor.shape).toEqual(shape)
    expect([...tensor.data]).toEqual(values)
  })

  it('reads unaligned bytes, as copies', () => {
    const { base64, values } = files.files.find(({ name }) => name === 'f4')!
    const bytes = fromBase64(base64)
    const shifted = Buffer.alloc(bytes.length + 3)
    shifted.set(bytes, 3)
    const { data } = parseNpy(shifted.subarray(3))
    shifted.fill(0)
    expect([...data]).toEqual(values)
  })

  it('reads the headers of Python 2 and of other writers', () => {
    const keys = `{"shape": (2L, 1L), 'fortran_order': False,'descr':"|u1"}\n`
    expect(parseNpy(npy(keys, [7, 8]))).toEqual({ shape: [2, 1], data: new Float32Array([7, 8]), dtype: 'uint8' })
    const longest = `${header('|u1', `(${'1,'.repeat(64)})`)}`
    expect(parseNpy(npy(longest, [7])).shape).toEqual(new Array(64).fill(1))
  })

  it('rounds float64, keeps NaN and infinities, refuses what float32 cannot hold', () => {
    const f8 = (value: number) => npy(header('<f8', '(1,)'), Buffer.from(new Float64Array([value]).buffer))
    for (const value of [0.1, Number.NaN, Number.NEGATIVE_INFINITY, 1e-50]) {
      expect(parseNpy(f8(value)).data[0]).toBe(Math.fround(value))
    }
    expect(thrown(() => parseNpy(f8(1e39), 'g.npy')).message).toBe(
      "g.npy holds 1e+39 at 0; it must be within float32's ±3.4e38",
    )
  })

  it('refuses whole numbers that float32 would round, and keeps those it holds', () => {
    const i8 = (value: bigint) => npy(header('<i8', '()'), Buffer.from(new BigInt64Array([value]).buffer))
    expect(parseNpy(i8(2n ** 24n + 2n)).data[0]).toBe(2 ** 24 + 2)
    for (const value of [2n ** 24n + 1n, 2n ** 53n + 1n, -(2n ** 62n) + 1n]) {
      const error = thrown(() => parseNpy(i8(value)))
      expect(error.code).toBe('invalid-file')
      expect(error.message).toContain(
        `npy holds ${value} at 0, which float32 would round; whole numbers must be within`,
      )
    }
  })

  it.each([
    ['object', /'?are Python objects, a pickle, which can run code when it is read; save lists of arrays with/],
    ['complex', /dtype "<c8", are complex numbers; save real and imaginary part/],
    ['text', /are text/],
    ['bytes', /are text/],
    ['date', /are dates/],
    ['structured', /has structured elements .*; save each field as an array of its own/],
    ['raw', /are raw bytes or a type that numpy lacks, such as bfloat16; save with .astype\(np.float32\)/],
  ])('refuses elements that are no numbers: %s', (name, message) => {
    const error = thrown(() => parseNpy(fromBase64(files.refused[name])))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })

  const f4 = header('<f4', '(2,)')
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /must start with \\x93NUMPY and a version, 0 bytes in all/],
    ['another magic', Buffer.from('\x93NUMPZ\x01\x00\x00\x00', 'latin1'), /must start with/],
    ['version 0', npy(f4, [], 0), /of format version 0; it must be 1, 2 or 3/],
    ['version 4', npy(f4, [], 4), /of format version 4/],
    ['a header length cut off', npy(f4, [], 2).subarray(0, 11), /truncated, ends inside the header length/],
    ['a header beyond the file', npy(f4, [], 1, 9000), /the header has 9000 bytes and \d+ follow/],
    ['a huge header', npy(f4, [], 2, 2 ** 32 - 1), /the header has 4294967295 bytes; it must be at most 10000/],
    ['an empty header', npy(''), /the header is ""; it must be \{'descr'/],
    [
      'code',
      npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"),
      /the header is "\{'descr': __import__/,
    ],
    ['a key too few', npy("{'descr': '<f4', 'shape': (2,)}"), /must be \{'descr'/],
    ['a key too many', npy(`${f4.slice(0, -1)}'x': True}`), /must be \{'descr'/],
    ['a key twice', npy(`${f4.slice(0, -1)}'descr': '<f8'}`, new Uint8Array(16)), /\{'descr'/],
    ['more after the header', npy(`${f4} 1`), /must be \{'descr'/],
    [
      'an order that is none',
      npy(header('<f4', '(2,)', '(1,)')),
      /fortran_order is "\(1,\)"; it must be True or False/,
    ],
    ['a negative length', npy(header('<f4', '(-2,)')), /shape is "\(-2,\)"; it must be at most 64 whole/],
    ['a fractional length', npy(header('<f4', '(1.5,)')), /shape is "\(1.5,\)"/],
    ['65 axes', npy(header('<f4', `(${'1,'.repeat(65)})`)), /at most 64 whole numbers/],
    ['a huge product', npy(header('<f4', '(4294967296, 4294967296)')), /with a product below 2\^53/],
    ['a huge product times 0', npy(header('<f4', '(4294967296, 4294967296, 0)')), /with a product below 2\^53/],
    ['too few data', npy(f4, [1, 2, 3, 4]), /<f4 \[2\] is 8 bytes, but 4 follow/],
    ['too many data', npy(f4, new Uint8Array(9)), /<f4 \[2\] is 8 bytes, but 9 follow/],
    [
      'no byte order',
      npy(header('f4', '(2,)'), new Uint8Array(8)),
      /dtype is "f4"; it must be < or > and one of b1, u1/,
    ],
    ['the byte order of the machine', npy(header('=f4', '(2,)'), new Uint8Array(8)), /dtype is "=f4"/],
    ['a long double', npy(header('<f16', '(1,)'), new Uint8Array(16)), /dtype is "<f16"/],
    ['an unknown type', npy(header('<constructor', '(1,)')), /are complex|dtype is "<constructor"/],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => parseNpy(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })

  it('refuses what are no bytes', () => {
    expect(thrown(() => parseNpy('x' as unknown as Uint8Array)).code).toBe('invalid-data')
  })
})

describe('writeNpy', () => {
  it.each(files.files.filter(({ name }) => ['f4', 'vector', 'scalar', 'empty'].includes(name)))(
    'writes the very bytes that numpy writes: $name',
    ({ base64, shape, values }) => {
      expect(Buffer.from(writeNpy({ shape, data: values })).toString('base64')).toBe(base64)
    },
  )

  it('and parseNpy are inverses', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { maxLength: 5 }), fc.infiniteStream(fc.float()), (shape, stream) => {
        const data = Float32Array.from([...stream.take(shape.reduce((a, b) => a * b, 1))])
        expect(parseNpy(writeNpy({ shape, data }))).toEqual({ shape, data, dtype: 'float32' })
      }),
    )
  })

  it.each<[string, number[], number[], RegExp]>([
    ['a shape that does not fit', [2, 3], [1], /npy has shape \[2,3\], 6 values, but data has 1/],
    ['a fractional length', [0.5], [], /shape \[0.5\]; it must be a list of whole numbers/],
    ['65 axes', new Array(65).fill(1), [1], /has 65 axes; it must have at most 64/],
  ])('refuses %s', (_, shape, data, message) => {
    const error = thrown(() => writeNpy({ shape, data }))
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })
})
