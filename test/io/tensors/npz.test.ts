import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { unzipSync, zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { parseNpy, parseNpz, writeNpy, writeNpz } from '../../../src/io'
import { thrown } from '../thrown'
import { files, fromBase64 } from './numpy-files'

const one = writeNpy({ shape: [2], data: [1, 2] })
const zip = (members: Record<string, Uint8Array>, level: 0 | 6 = 0) => Buffer.from(zipSync(members, { level }))
/** Where the central directory's first entry starts. */
const entryOf = (bytes: Buffer) => bytes.indexOf('PK\x01\x02', 0, 'latin1')

describe('parseNpz', () => {
  it.each(Object.keys(files.archives))('reads what numpy.%s wrote, in its order', (kind) => {
    const bytes = fromBase64(files.archives[kind])
    const tensors = parseNpz(bytes)
    expect([...tensors].map(([name, { shape, data }]) => ({ name, shape, values: [...data] }))).toEqual(files.named)
  })

  it('names positional arrays as numpy does', () => {
    expect([...parseNpz(fromBase64(files.positional)).keys()]).toEqual(['arr_0', 'arr_1'])
  })

  it('reads members of either method, a comment, and bytes in front of the directory', () => {
    const bytes = zip({ 'a.npy': one, 'b.npy': one }, 6)
    const commented = Buffer.concat([bytes, Buffer.from('PK\x05\x06')])
    commented.writeUInt16LE(4, bytes.length - 2)
    for (const file of [bytes, commented]) expect([...parseNpz(file).get('b')!.data]).toEqual([1, 2])
  })

  it('refuses by default what is more than four times the file, and says how to read it', () => {
    const bytes = fromBase64(files['mostly zero'])
    const error = thrown(() => parseNpz(bytes, {}, 'zero.npz'))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toBe(
      `zero.npz: inflates to 80128 bytes; it must be at most ${bytes.length * 4}, by default four times the file's size; if you trust the file, pass maximumBytes: 80128`,
    )
    expect(parseNpz(bytes, { maximumBytes: 80128 }).get('gradient')!.data.length).toBe(20000)
    expect(thrown(() => parseNpz(bytes, { maximumBytes: 80127 })).message).toContain('at most 80127')
  })

  it('counts tensors as float32, beside what is inflated', () => {
    const bytes = zip({ 'a.npy': fromBase64(files.files.find(({ name }) => name === 'u1')!.base64) })
    const maximumBytes = 128 + 6
    expect(parseNpz(bytes, { maximumBytes }).get('a')!.data.length).toBe(6)
    const many = writeNpy({ shape: [100], data: new Float32Array(100) })
    const halves = Buffer.from(many.subarray(0, 128 + 200))
    halves.write('<f2', halves.indexOf('<f4'), 'latin1')
    expect(thrown(() => parseNpz(zip({ 'a.npy': halves }), { maximumBytes: 350 })).message).toMatch(
      /as float32 holds 400 bytes; it must be at most 350/,
    )
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses maximumBytes: %s', (maximumBytes) => {
    const error = thrown(() => parseNpz(zip({ 'a.npy': one }), { maximumBytes }))
    expect(error.code).toBe('invalid-option')
    expect(error.message).toBe(`maximumBytes is ${maximumBytes}; it must be a positive whole number`)
  })

  const patched = (level: 0 | 6, patch: (bytes: Buffer, entry: number) => void) => {
    const bytes = zip({ 'a.npy': one }, level)
    patch(bytes, entryOf(bytes))
    return bytes
  }
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /truncated zip, its directory at the end is missing/],
    ['a cut', zip({ 'a.npy': one }).subarray(0, -1), /truncated zip/],
    ['another member', zip({ 'a.txt': one }), /member "a.txt" must be an array, with a name in .npy/],
    ['a member that is no array', zip({ 'a.npy': new Uint8Array(64) }), /array "a": must start with/],
    ['one name twice', twins(), /has two members named "a.npy"/],
    ['a PyTorch archive', zip({ 'archive/data.pkl': one }), /is a PyTorch file, a Python pickle/],
    ['a Keras archive', zip({ 'model.weights.h5': one }), /is a \.keras archive, which is a model; .* unzip it/],
    ['a member encrypted', patched(0, (b, e) => b.writeUInt16LE(1, e + 8)), /"a.npy" is encrypted/],
    ['an unknown method', patched(0, (b, e) => b.writeUInt16LE(93, e + 10)), /packed by method 93; it must be stored/],
    ['a wrong checksum', patched(0, (b, e) => b.writeUInt32LE(1, e + 16)), /is corrupt, its checksum differs/],
    ['changed data', patched(0, (b) => b.writeFloatLE(9, 30 + 5 + 128)), /is corrupt, its checksum differs/],
    [
      'a stored size that lies',
      patched(0, (b, e) => b.writeUInt32LE(100, e + 24)),
      /has 136 bytes, the directory says 100/,
    ],
    ['more than declared', patched(6, (b, e) => b.writeUInt32LE(99, e + 24)), /inflates to more than the 99 bytes/],
    ['more than nothing', patched(6, (b, e) => b.writeUInt32LE(0, e + 24)), /inflates to more than the 0 bytes/],
    ['less than declared', patched(6, (b, e) => b.writeUInt32LE(137, e + 24)), /has 136 bytes, the directory says 137/],
    ['a deflated member damaged', patched(6, (b) => b.fill(0xff, 35, 60)), /is corrupt: /],
    [
      'a member outside',
      patched(0, (b, e) => b.writeUInt32LE(2 ** 31, e + 42)),
      /"a.npy" is not where the directory says/,
    ],
    ['a member too long', patched(0, (b, e) => b.writeUInt32LE(2 ** 31, e + 20)), /"a.npy" ends outside it/],
    [
      'an entry too long',
      patched(0, (b, e) => b.writeUInt16LE(0xffff, e + 28)),
      /entry 0 of its directory ends outside/,
    ],
    ['an entry missing', patched(0, (b) => b.writeUInt16LE(2, b.length - 12)), /lists 2 members but has no entry 1/],
    ['zip64', patched(0, (b) => b.writeUInt16LE(0xffff, b.length - 12)), /is a zip64 archive; it must be below 4 GiB/],
    ['two members of one stream', together(0), /members "a.npy" and "b.npy" share bytes; each must have its own/],
    ['a member that lies in another', together(40), /members "a.npy" and "b.npy" share bytes/],
    ['a member that ends in the next', together(undefined, 137), /members "a.npy" and "b.npy" share bytes/],
    [
      'a bomb',
      zip({ 'a.npy': writeNpy({ shape: [250_000], data: new Float32Array(250_000) }) }, 6),
      /pass maximumBytes: 1000128/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => parseNpz(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })
})

/** Two members, the second of which begins so many bytes behind the first, or the first is so long. */
function together(begin?: number, length?: number): Buffer {
  // The first holds a local header of its own, which is what a member within it begins with.
  const inner = zip({ 'b.npy': one }).subarray(0, 35 + one.length)
  const bytes = zip({ 'a.npy': Buffer.concat([new Uint8Array(5), inner]), 'b.npy': one })
  const [first, second] = [entryOf(bytes), bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1')]
  if (begin !== undefined) bytes.writeUInt32LE(begin, second + 42)
  if (length !== undefined) bytes.writeUInt32LE(bytes.readUInt32LE(first + 20) + length, first + 20)
  return bytes
}

function twins(): Buffer {
  const bytes = zip({ 'a.npy': one, 'b.npy': one })
  for (let at = bytes.indexOf('b.npy'); at >= 0; at = bytes.indexOf('b.npy', at)) bytes.write('a', at)
  return bytes
}

describe('writeNpz', () => {
  const tensors = new Map([
    ['conv/kernel', { shape: [2, 3], data: Float32Array.of(1, -2, 3, 4, 5, 6) }],
    ['10', { shape: [], data: Float32Array.of(0.5) }],
    ['__proto__', { shape: [0, 3], data: new Float32Array(0) }],
    ['ä', { shape: [1], data: Float32Array.of(7) }],
  ])

  it.each([false, true])('gives members that another unzip reads (compress: %s)', (compress) => {
    const members = Object.entries(unzipSync(writeNpz(tensors, { compress })))
    expect(members.map(([name]) => name)).toEqual(['conv/kernel.npy', '10.npy', '__proto__.npy', 'ä.npy'])
    expect(members.map(([, bytes]) => parseNpy(bytes))).toEqual(
      [...tensors.values()].map((tensor) => ({ ...tensor, dtype: 'float32' })),
    )
  })

  it.runIf(hasPython())('gives archives that Python finds sound', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dlg-npz-'))
    try {
      const path = join(folder, 'a.npz')
      writeFileSync(path, writeNpz(tensors, { compress: true }))
      const program = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))'
      expect(execFileSync('python3', ['-c', program, path], { encoding: 'utf8' }).trim()).toBe('None 4')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('gives the same bytes each time', () => {
    expect(Buffer.compare(writeNpz(tensors), writeNpz(tensors))).toBe(0)
  })

  it('and parseNpz are inverses', () => {
    const tensor = fc
      .array(fc.float(), { maxLength: 9 })
      .map((values) => ({ shape: [values.length], data: Float32Array.from(values) }))
    fc.assert(
      fc.property(fc.dictionary(fc.string(), tensor, { maxKeys: 5 }), fc.boolean(), (named, compress) => {
        const map = new Map(Object.entries(named))
        expect([...parseNpz(writeNpz(map, { compress }), { maximumBytes: 1e6 })]).toEqual(
          [...map].map(([name, value]) => [name, { ...value, dtype: 'float32' }]),
        )
      }),
    )
  })

  it('refuses a tensor that does not fit its shape, by name', () => {
    const error = thrown(() => writeNpz(new Map([['w', { shape: [3], data: [1] }]])))
    expect(error.code).toBe('invalid-data')
    expect(error.message).toBe('npz: array "w" has shape [3], 3 values, but data has 1')
  })
})

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import zipfile'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
