import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type CifarSet, type CifarSplit, cifar10, cifar100, cifarSample } from '../../../src/cli/data'
import { cifar10Archive, cifar10Files, cifar100Archive, cifar100Files, pixel, tar } from './archive-files'

const read = (set: CifarSet, archive: Uint8Array, split: CifarSplit, index: number) =>
  cifarSample(set, archive, split, index, 'x.tar.gz')

describe('CIFAR-100', () => {
  it('has the fine label, its name, and pixels channel by channel', () => {
    const { image, label, labelName } = read(cifar100, cifar100Archive(), 'train', 3)
    expect([image.width, image.height, label, labelName]).toEqual([32, 32, 30, 'class30'])
    for (const [at, channel] of [
      [0, 0],
      [33, 1],
      [1023, 2],
    ])
      expect(image.data[at * 3 + channel]).toBeCloseTo(pixel(3, channel, at) / 255, 6)
  })

  it('has a test split of its own', () => {
    expect(read(cifar100, cifar100Archive(), 'test', 2).label).toBe((10 * 102) % 100)
  })
})

describe('CIFAR-10', () => {
  it('counts through its five files', () => {
    const archive = cifar10Archive()
    for (const index of [0, 1, 2, 9]) {
      const { image, label, labelName } = read(cifar10, archive, 'train', index)
      expect([label, labelName]).toEqual([index, `class${index}`])
      expect(image.data[5 * 3 + 1]).toBeCloseTo(pixel(index, 1, 5) / 255, 6)
    }
    expect(read(cifar10, archive, 'test', 1).label).toBe(101 % 10)
  })
})

describe('a wrong archive or index', () => {
  const files = cifar100Files()
  const broken = (changes: Record<string, Uint8Array | string>) => gzipSync(tar({ ...files, ...changes }))

  it.each<[string, Uint8Array, string]>([
    ['no gzip', Buffer.from('hello'), 'x.tar.gz: truncated, corrupt or not gzip: incorrect header check'],
    ['empty', Buffer.alloc(0), 'x.tar.gz: truncated, corrupt or not gzip: unexpected end of file'],
    ['cut short', cifar100Archive().subarray(0, 4000), 'x.tar.gz: truncated, corrupt or not gzip'],
    ['of another set', cifar10Archive(), "x.tar.gz: has no 'cifar-100-binary/train.bin'"],
    ['without names', broken({ 'cifar-100-binary/fine_label_names.txt': 'one\n' }), 'there are 1 class names'],
    [
      'with half a record',
      broken({ 'cifar-100-binary/train.bin': files['cifar-100-binary/train.bin'].subarray(0, 5000) }),
      "'cifar-100-binary/train.bin' has 5000 bytes, not whole records of 3074",
    ],
    ['with no record', broken({ 'cifar-100-binary/train.bin': '' }), 'has 0 bytes, not whole records of 3074'],
    ['with a class 200', broken({ 'cifar-100-binary/train.bin': new Uint8Array(3074).fill(200) }), 'has class 200'],
  ])('%s', (_, archive, message) => {
    expect(() => read(cifar100, archive, 'train', 0)).toThrow(message)
  })

  it('an index beyond the last', () => {
    expect(() => read(cifar100, cifar100Archive(), 'train', 4)).toThrow(
      '--index is 4; the train split of CIFAR-100 in x.tar.gz has 0 to 3',
    )
  })

  it('a flipped bit is found by the checksum of gzip', () => {
    const archive = gzipSync(tar(cifar10Files()), { level: 0 })
    archive[3000] ^= 1
    expect(() => read(cifar10, archive, 'train', 0)).toThrow('x.tar.gz: truncated, corrupt or not gzip')
  })
})
