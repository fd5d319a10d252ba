import { describe, expect, it } from 'vitest'
import { readTensors } from '../../../src/io'
import { thrown } from '../thrown'
import { buildSafetensors, bytesOf } from './safetensors-builder'

const part = (name: string, ...values: number[]) => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  bytes: bytesOf(Float32Array.from(values)),
})
const parts = [part('block.weight', 1, -2, 3), part('block.bias', 0.5)]

/** A header length whose low bytes are these. */
const lengthOf = (...low: number[]) => low.reduce((sum, byte, i) => sum + byte * 256 ** i, 0)

describe('a safetensors file is one whatever its header length looks like', () => {
  it.each([
    ['a pickle of protocol 2', lengthOf(0x80, 2)],
    ['a pickle of protocol 3', lengthOf(0x80, 3)],
    ['a pickle of protocol 4', lengthOf(0x80, 4)],
    ['a pickle of protocol 5', lengthOf(0x80, 5)],
    ['a pickle of protocol 4 with a frame', lengthOf(0x80, 4, 0x95)],
    ['gzip', lengthOf(0x1f, 0x8b)],
    ['gzip, deflated', lengthOf(0x1f, 0x8b, 8)],
    ['JSON', lengthOf(0x7b, 0x22)],
    ['JSON behind spaces', lengthOf(0x20, 0x20, 0x7b)],
    ['msgpack', lengthOf(0x92, 0x82)],
    ['a bitmap', lengthOf(0x42, 0x4d)],
  ])('%s', (_, length) => {
    const read = readTensors(buildSafetensors(parts, length))
    expect([...read].map(([name, { data }]) => [name, [...data]])).toEqual([
      ['block.weight', [1, -2, 3]],
      ['block.bias', [0.5]],
    ])
  })

  it('at every length of a header that a small model has', () => {
    const least = buildSafetensors(parts).readUInt32LE(0)
    for (let length = least; length < least + 2500; length++)
      expect(readTensors(buildSafetensors(parts, length)).size, `a header of ${length} bytes`).toBe(2)
  })

  it('and is called truncated where it is cut', () => {
    for (const length of [lengthOf(0x80, 2), lengthOf(0x1f, 0x8b)]) {
      const cut = buildSafetensors(parts, length).subarray(0, length - 40)
      expect(thrown(() => readTensors(cut)).message).toMatch(/the file is truncated/)
    }
  })

  it('while pickles and gzip are told as before', () => {
    const pickle = Buffer.from([0x80, 2, 0x7d, 0x71, 0, 0x28, 0x58, 1, 0, 0, 0, 0x61, 0x4b, 1, 0x75, 0x2e])
    expect(thrown(() => readTensors(pickle)).message).toMatch(/is a Python pickle/)
    const gzip = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x7b, 0x7d])
    expect(thrown(() => readTensors(gzip)).message).toMatch(/gunzip it first/)
  })
})
