import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readFloatTensors, readTensors } from '../../../src/io'
import { survive } from '../mutations'
import { thrown } from '../thrown'

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/keras/${name}`, import.meta.url).pathname))

describe('files of h5py', () => {
  it.each(['earliest.h5', 'latest.h5'])('%s has its numbers, and says what is not read', (name) => {
    const { tensors, leftOut } = readFloatTensors(bytesOf(name))
    for (const dtype of ['f2', 'f4', 'f8', '>f4'])
      expect(tensors.get(`numbers/${dtype}`)).toMatchObject({ shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) })
    expect(tensors.get('numbers/f2')?.dtype).toBe('float16')
    expect(tensors.get('scalar')).toMatchObject({ shape: [], data: Float32Array.of(0.5) })
    expect(tensors.get('none')).toMatchObject({ shape: [0, 3], data: new Float32Array(0) })
    const left = leftOut.map((each) => each.name).sort()
    const whole = ['numbers/i1', 'numbers/i4', 'numbers/i8', 'numbers/u2']
    const ignore = ['chunked', 'complex', 'packed', 'text', 'true'].map((each) => `other/${each}`)
    expect(left).toEqual([...whole, ...ignore].sort())
    for (const dtype of ['i1', 'i4', 'i8', 'u2'])
      expect(readTensors(bytesOf(name), { ignore }).get(`numbers/${dtype}`)?.data[5]).toBe(5)
    const say = (dataset: string) =>
      thrown(() => readTensors(bytesOf(name), { ignore: ignore.filter((each) => each !== `other/${dataset}`) })).message
    expect(say('packed')).toMatch(/dataset "other\/packed" is compressed; save it without, or in Python: np\.savez/)
    expect(say('chunked')).toMatch(/dataset "other\/chunked" is stored in chunks; save it in one piece/)
    for (const dataset of ['text', 'complex', 'true'])
      expect(say(dataset)).toMatch(`dataset "other/${dataset}" has elements that are no numbers`)
    for (const [key, { data }] of tensors) if (key.startsWith('many/')) expect(data[0]).toBe(Number(key.slice(5)))
    expect([...tensors.keys()].filter((key) => key.startsWith('many/'))).toHaveLength(name === 'latest.h5' ? 3 : 40)
  })
})

/** Writes 8 bytes, little-endian. */
const put = (bytes: Uint8Array, at: number, value: number | bigint) =>
  new DataView(bytes.buffer).setBigUint64(at, BigInt(value), true)

/** Where the root's B-tree is named: in the superblock's entry of the root, and in the root's header. */
function rootTree(bytes: Uint8Array): { readonly node: number; readonly named: number[] } {
  const view = new DataView(bytes.buffer)
  const node = Number(view.getBigUint64(80, true))
  const named = Array.from({ length: 40 }, (_, i) => 56 + 8 * i).filter(
    (at) => Number(view.getBigUint64(at, true)) === node,
  )
  return { node, named }
}

describe('hostile files are a DlgError at once', () => {
  it('a B-tree of 30 levels whose nodes share their children', () => {
    const valid = bytesOf('dense.weights.h5')
    const size = 24 + 16 * 9
    const bytes = new Uint8Array(valid.length + 30 * size)
    bytes.set(valid)
    const { node, named } = rootTree(bytes)
    let child = node
    for (let level = 1; level <= 30; level++) {
      const at = valid.length + (level - 1) * size
      bytes.set([...Buffer.from('TREE'), 0, level, 8, 0], at)
      for (let i = 0; i < 8; i++) put(bytes, at + 32 + 16 * i, child)
      child = at
    }
    for (const at of named) put(bytes, at, child)
    expect(thrown(() => readTensors(bytes)).message).toMatch(/corrupt HDF5, two places lead to byte/)
  })

  it.each<[string, RegExp, (bytes: Uint8Array) => Uint8Array | undefined]>([
    ['a cut file', /truncated|corrupt/, (bytes) => bytes.subarray(0, 200)],
    ['its signature alone', /truncated or corrupt HDF5/, (bytes) => bytes.subarray(0, 8)],
    [
      'an unknown superblock',
      /superblock of version 9/,
      (bytes) => {
        bytes[8] = 9
        return undefined
      },
    ],
    [
      'short addresses',
      /offsets of 4 and lengths of 8 bytes; both must be 8/,
      (bytes) => {
        bytes[13] = 4
        return undefined
      },
    ],
    [
      'a user block',
      /behind a user block/,
      (bytes) => {
        put(bytes, 24, 512)
        return undefined
      },
    ],
    [
      'an address beyond the end',
      /leads to byte 1000000 of/,
      (bytes) => {
        put(bytes, 64, 1_000_000)
        return undefined
      },
    ],
  ])('%s', (_, message, damage) => {
    const bytes = bytesOf('dense.weights.h5')
    const damaged = damage(bytes) ?? bytes
    expect(thrown(() => readTensors(damaged)).message).toMatch(message)
  })

  it.each(['earliest.h5', 'latest.h5', 'dense.weights.h5'])('1,000 damaged copies of %s', (name) => {
    const valid = bytesOf(name)
    const count = survive(valid, 1000, 5, (bytes) => void readFloatTensors(bytes), { growth: 4 })
    expect(count.accepted).toBeGreaterThan(100)
    expect(count.refused).toBeGreaterThan(50)
  })
})
