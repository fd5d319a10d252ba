import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExtensionCodec, encode } from '@msgpack/msgpack'
import { unzipSync, zipSync } from 'fflate'
import { describe, expect, it, vi } from 'vitest'
import { DlgError } from '../../../src/errors/dlg-error'
import { type NamedTensors, readTensors, writeNpy, writeNpz, writeSafetensors } from '../../../src/io'
import { mutate, mutateSafetensors, survive } from '../mutations'
import { uniform } from '../pictures/random-image'
import { callsOf, inflated } from './counting'

vi.mock('node:zlib', async (original) => (await import('./counting')).countingZlib(await original()))

const next = uniform(1)
const tensor = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() - 0.5),
})
const tensors = new Map([
  ['conv.weight', tensor(3, 2, 5)],
  ['10', tensor()],
  ['none', tensor(0, 3)],
  ['large', tensor(100, 30)],
])
const list = [...tensors.values()]
const numbers = list.map(({ shape, data }) => ({ shape, data: [...data] }))
const extensionCodec = new ExtensionCodec()
extensionCodec.register({
  type: 0x17,
  encode: (value) =>
    value instanceof Float32Array ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null,
  decode: () => undefined,
})

/** What is accepted is consistent, and no larger than four times the file. Plain comparisons, as there are many. */
function sound(read: NamedTensors, fileBytes: number): void {
  let stored = 0
  for (const [name, { shape, data }] of read) {
    const values = shape.reduce((a, b) => a * b, 1)
    if (!(data instanceof Float32Array) || data.length !== values)
      throw new Error(`'${name}' is [${shape}] and has ${data.length} values in a ${data.constructor.name}`)
    stored += data.byteLength
  }
  if (stored > 4 * fileBytes) throw new Error(`${stored} bytes out of ${fileBytes}`)
}

/** A zip around mutated members is sound itself, so that damage reaches the arrays. */
function readRezipped(bytes: Uint8Array, level: 0 | 6, random: () => number): void {
  const members = Object.entries(unzipSync(bytes)).map(([name, content]) => [
    name,
    random() < 0.5 ? mutate(content, random) : content,
  ])
  const file = zipSync(Object.fromEntries(members), { level })
  sound(readTensors(file), file.length)
}

type Kind = [name: string, valid: Uint8Array, times: number, accepted: number, refused: number, damage?: typeof mutate]

/** How many files of each kind, 47,000 in all and 50,000 with those below, and how many at least are accepted and refused. */
const kinds: Kind[] = [
  ['safetensors', writeSafetensors(tensors), 8000, 800, 200],
  ['safetensors behind the header length', writeSafetensors(tensors), 14_000, 2000, 6000, mutateSafetensors],
  // Nearly all damage to an archive shows in a checksum.
  ['npz, stored', writeNpz(tensors), 5000, 5, 4000],
  ['npz, deflated', writeNpz(tensors, { compress: true }), 5000, 5, 4000],
  ['npy', writeNpy(tensor(6, 7)), 5000, 800, 800],
  ['msgpack with numbers', encode(numbers), 2500, 250, 250],
  ['msgpack with float32', encode(list, { extensionCodec }), 4000, 600, 150],
  ['json', Buffer.from(JSON.stringify(numbers.slice(0, 3))), 3500, 250, 1200],
]

describe('damaged files of tensors give tensors or a DlgError, in work and memory', () => {
  it.each(kinds)('%s', (_, valid, times, accepted, refused, damage) => {
    const read = (bytes: Uint8Array) => sound(readTensors(bytes), bytes.length)
    read(valid)
    const count = survive(valid, times, 7, read, { growth: 4, damage })
    expect(count.accepted).toBeGreaterThan(accepted)
    expect(count.refused).toBeGreaterThan(refused)
  })

  it.each([0, 6] as const)('npz of sound zips around damaged arrays (level %i)', (level) => {
    const valid = writeNpz(tensors)
    const random = uniform(8)
    const count = { accepted: 0, refused: 0 }
    for (let i = 0; i < 1000; i++) {
      try {
        readRezipped(valid, level, random)
        count.accepted++
      } catch (error) {
        if (!(error instanceof DlgError)) throw new Error(`mutation ${i}`, { cause: error })
        count.refused++
      }
    }
    expect(count.accepted).toBeGreaterThan(50)
    expect(count.refused).toBeGreaterThan(100)
  })

  it('model.json', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dlg-fuzz-'))
    try {
      const weights = [
        { name: 'd/kernel', shape: [3, 2], dtype: 'float32' },
        { name: 'd/bias', shape: [4], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
      ]
      writeFileSync(join(folder, 'w.bin'), new Uint8Array(28))
      const valid = Buffer.from(JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths: ['w.bin'], weights }] }))
      const count = survive(valid, 1000, 9, (bytes) => {
        writeFileSync(join(folder, 'model.json'), bytes)
        sound(readTensors(join(folder, 'model.json')), bytes.length + 28)
      })
      expect(count.accepted).toBeGreaterThan(20)
      expect(count.refused).toBeGreaterThan(500)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  const u32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff)
  /** Files of a megabyte at most that would be far more if they were believed. */
  const hostile: [string, Uint8Array][] = [
    ['msgpack: lists in lists, each claiming what is left', claims(0xdd)],
    ['msgpack: maps in maps, each claiming what is left', claims(0xdf)],
    ['msgpack: a million empty maps', Buffer.concat([Buffer.from([0xdd, ...u32(1e6)]), Buffer.alloc(1e6, 0x80)])],
    ['msgpack: a million lists in one', Buffer.alloc(1e6, 0x91)],
    ['json: a million lists in one', Buffer.from('['.repeat(5e5) + ']'.repeat(5e5))],
    ['json: half a million empty lists', Buffer.from(`[${'[],'.repeat(3e5)}[]]`)],
    ['npz: fifty megabytes of zeros', bomb()],
    ['npz: a thousand members that share one stream', shared()],
  ]
  function claims(first: number): Uint8Array {
    const levels = Array.from({ length: 2e5 }, (_, i) => [first, ...u32((2e5 - i - 1) * 2)])
    return Uint8Array.from(levels.flat())
  }
  /** A stream of a hundred thousand empty stored blocks before the array, which each member would walk. */
  function shared(): Uint8Array {
    const file = Buffer.from(zipSync({ 'a.npy': [writeNpy({ shape: [0], data: [] }), { level: 6 }] }))
    const [central, end] = ['PK\x01\x02', 'PK\x05\x06'].map((mark) => file.indexOf(mark, 0, 'latin1'))
    const blocks = Buffer.from('000000ffff'.repeat(100_000), 'hex')
    const entry = Buffer.from(file.subarray(central, end))
    entry.writeUInt32LE(entry.readUInt32LE(20) + blocks.length, 20)
    const entries = Array.from({ length: 1000 }, () => entry)
    const last = Buffer.from(file.subarray(end))
    last.writeUInt16LE(entries.length, 8)
    last.writeUInt16LE(entries.length, 10)
    last.writeUInt32LE(entries.length * entry.length, 12)
    last.writeUInt32LE(central + blocks.length, 16)
    return Buffer.concat([file.subarray(0, 35), blocks, file.subarray(35, central), ...entries, last])
  }
  function bomb(): Uint8Array {
    const zeros = writeNpy({ shape: [250_000], data: new Float32Array(250_000) })
    return zipSync(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}.npy`, [zeros, { level: 9 }]])))
  }

  it.each(hostile)('%s', (_, bytes) => {
    const refuse = () => expect(() => readTensors(bytes)).toThrow(DlgError)
    const before = process.memoryUsage()
    inflated.reset()
    refuse()
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * bytes.length + 64 * 1024)
    // A list or map of JavaScript is tens of bytes where the file has one or two.
    expect(after.heapUsed - before.heapUsed).toBeLessThan(64 * bytes.length + 2 ** 23)
    expect(inflated).toMatchObject({ packed: 0, produced: 0 })
    // Each byte is looked at a few times at most, by the scan of msgpack and by the walk over a tree.
    let [looks, lengths] = [0, 0]
    const visits = callsOf(Array, 'isArray', () => {
      lengths = callsOf(DataView.prototype, 'getUint32', () => {
        looks = callsOf(DataView.prototype, 'getUint8', refuse)
      })
    })
    expect(looks).toBeLessThanOrEqual(2 * bytes.length)
    expect(lengths).toBeLessThanOrEqual(bytes.length)
    expect(visits).toBeLessThanOrEqual(4 * bytes.length)
  })
})
