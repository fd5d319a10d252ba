import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from '@msgpack/msgpack'
import { afterAll, describe, expect, it } from 'vitest'
import { readTensors, writeNpy, writeNpz, writeSafetensors } from '../../../src/io'
import { thrown } from '../thrown'
import { files, fromBase64 } from './numpy-files'

const folder = mkdtempSync(join(tmpdir(), 'dlg-tensors-'))
afterAll(() => rmSync(folder, { recursive: true }))

function written(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

const tensor = { shape: [2, 1], data: Float32Array.of(1, -0.5) }
const tensors = new Map([['w', tensor]])
const list = [{ shape: tensor.shape, data: [...tensor.data] }]
const stored = { ...tensor, dtype: 'float32' }
/** Decimal numbers in JSON and msgpack have no type. */
const formats: [string, Uint8Array, string, object?][] = [
  ['safetensors', writeSafetensors(tensors), 'w', stored],
  ['npz', writeNpz(tensors), 'w', stored],
  ['npy', writeNpy(tensor), 'array', stored],
  ['json', Buffer.from(` ${JSON.stringify(list)}`), '0'],
  ['msgpack', encode({ w: list[0] }), 'w'],
  ['msgpack', encode(list), '0'],
]

describe('readTensors', () => {
  it.each(formats)('tells %s by its content, whatever its name', (format, bytes, name, expected = tensor) => {
    expect([...readTensors(bytes)]).toEqual([[name, expected]])
    const path = written(`misnamed-${format}.npy`, bytes)
    expect([...readTensors(path)]).toEqual([[format === 'npy' ? 'misnamed-npy' : name, expected]])
  })

  it('converts every safetensors dtype to float32, exactly or not at all', () => {
    const stored = (dtype: string, bytes: Uint8Array) => {
      const header = JSON.stringify({ a: { dtype, shape: [1], data_offsets: [0, bytes.length] } })
      const length = Buffer.alloc(8)
      length.writeBigUInt64LE(BigInt(header.length))
      return Buffer.concat([length, Buffer.from(header), bytes])
    }
    const value = (dtype: string, typed: { buffer: ArrayBufferLike }) =>
      readTensors(stored(dtype, new Uint8Array(typed.buffer))).get('a')!.data
    expect(value('F64', Float64Array.of(0.1))).toEqual(Float32Array.of(0.1))
    expect(value('BF16', Uint16Array.of(0x4049))).toEqual(Float32Array.of(3.140625))
    expect(value('I32', Int32Array.of(-7))).toEqual(Float32Array.of(-7))
    expect(value('U8', Uint8Array.of(255))).toEqual(Float32Array.of(255))
    expect(thrown(() => value('I64', BigInt64Array.of(2n ** 24n + 1n))).message).toBe(
      'tensors: tensor "a" holds 16777217 at 0, which float32 would round; whole numbers must be within ±2^24, or be saved as floats',
    )
    expect(thrown(() => value('F64', Float64Array.of(1e300))).message).toMatch(
      /"a" holds 1e\+300 at 0; it must be within/,
    )
  })

  it.each([
    ['PyTorch’s archive', 'model.pt', fromBase64(files.pickles.zip), /is a PyTorch file, a Python pickle/],
    ['PyTorch’s older files', 'model.bin', fromBase64(files.pickles.legacy), /is a Python pickle/],
    ['an unknown file of such a name', 'model.PTH', Buffer.from('hello'), /by its name is a Python pickle/],
    ['a pickle of another protocol', 'a', Uint8Array.of(0x80, 4, 0x95), /is a Python pickle/],
  ])('never reads a pickle: %s', (_, name, bytes, message) => {
    const error = thrown(() => readTensors(written(name, bytes)))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
    expect(error.message).toContain('which can run code when it is read, so it never is')
    const lines = error.message.split('\n')
    expect(lines.slice(1)).toEqual([
      'import torch',
      'from safetensors.torch import save_file',
      "save_file({k: v.contiguous().clone() for k, v in torch.load('IN', map_location='cpu', weights_only=True).items()}, 'OUT.safetensors')",
    ])
  })

  it.each([
    ['HDF5 that is cut', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /truncated or corrupt HDF5/],
    ['GGUF', Buffer.from('GGUF\x03'), /is GGUF; convert it in Python/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8), /is compressed with gzip; gunzip it first/],
    [
      'no bytes',
      new Uint8Array(0),
      /is empty; it must be safetensors, npy, npz, json, msgpack, hdf5 or a tfjs model.json/,
    ],
    ['another format', Buffer.from('RIFF'), /starts with 52 49 46 46, which no known format does; it must be/],
  ])('refuses %s by name', (_, bytes, message) => {
    const error = thrown(() => readTensors(bytes))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
  })

  it('takes the extension’s word where the content says nothing', () => {
    const bytes = Buffer.from('damaged')
    expect(thrown(() => readTensors(written('a.safetensors', bytes))).message).toMatch(
      /safetensors: the file has 7 bytes/,
    )
    expect(thrown(() => readTensors(written('a.NPZ', bytes))).message).toMatch(/a.NPZ: truncated zip/)
    expect(thrown(() => readTensors(written('a.npy', bytes))).message).toMatch(/a.npy: must start with/)
    expect(thrown(() => readTensors(written('a.h5', bytes))).message).toMatch(/a.h5: must begin with \\x89HDF/)
  })

  it('hands limits on', () => {
    const bytes = fromBase64(files['mostly zero'])
    expect(readTensors(bytes, { maximumBytes: 1e6 }).get('gradient')!.shape).toEqual([20000])
    expect(thrown(() => readTensors(bytes)).message).toContain('pass maximumBytes: 80128')
  })

  it('refuses a path that is no file, and what is neither path nor bytes', () => {
    mkdirSync(join(folder, 'sub'))
    expect(thrown(() => readTensors(join(folder, 'sub'))).message).toMatch(/sub: is a directory$/)
    expect(thrown(() => readTensors(join(folder, 'none'))).message).toMatch(/none: no such file$/)
    const error = thrown(() => readTensors([1] as unknown as Uint8Array))
    expect(error.code).toBe('invalid-data')
  })
})
