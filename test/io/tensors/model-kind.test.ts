import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from '@msgpack/msgpack'
import { zipSync } from 'fflate'
import { afterAll, describe, expect, it } from 'vitest'
import { DlgError } from '../../../src/errors/dlg-error'
import { modelFromFile, writeNpy, writeNpz, writeSafetensors } from '../../../src/io'

const folder = mkdtempSync(join(tmpdir(), 'dlg-kind-'))
afterAll(() => rmSync(folder, { recursive: true }))

const text = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))
const tensors = new Map([['w', { shape: [1], data: [1] }]])
const member = Buffer.from('x')

async function refusal(name: string, bytes: Uint8Array): Promise<DlgError> {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  const error = await modelFromFile(path)
    .load()
    .then(
      () => undefined,
      (reason) => reason,
    )
  if (!(error instanceof DlgError)) throw error ?? new Error('was read')
  expect(error.code).toBe('invalid-file')
  expect(error.message.startsWith(`${path}: `)).toBe(true)
  expect(error.message.split('\n').length).toBeLessThanOrEqual(2)
  return error
}

const KERAS = /save\('OUT\.keras'\) in Keras 3, or: tensorflowjs_converter --input_format=keras IN/
const EXPORT = /export it: torch\.onnx\.export/
const REBUILD = /net\.onnx, or build it in TensorFlow\.js, and give this file as --weights/
const SAVED = /tf2onnx\.convert --saved-model IN --output net\.onnx/

describe('a file that is no model.json says what it is and what to do', () => {
  it.each<[string, string, Uint8Array, RegExp, RegExp]>([
    ['HDF5', 'net.hdf5', text('\x89HDF\r\n\x1a\n', [0, 0, 8, 8]), /is HDF5/, KERAS],
    ['HDF5 by another name', 'model.json', text('\x89HDF\r\n\x1a\n', [0, 0, 8, 8]), /is HDF5/, KERAS],
    [
      'weights of Keras 3',
      'a.weights.h5',
      readFileSync(new URL('../../fixtures/keras/dense.weights.h5', import.meta.url)),
      /is HDF5, the weights of Keras 3 without a network/,
      /give the \.keras archive, or model\.to_json\(\) in a file, with this one as --weights/,
    ],
    [
      'a folder around a .keras archive',
      'b.zip',
      zipSync({ 'net/metadata.json': member, 'net/config.json': member, 'net/model.weights.h5': member }),
      /is a folder around a \.keras archive/,
      /with config\.json at its top/,
    ],
    [
      'a .pt2 program',
      'c.pt2',
      zipSync({ 'm/data/weights/weight_0': member, 'm/models/model.json': member, 'm/archive_format': member }),
      /is a \.pt2 program of torch\.export/,
      /torch\.onnx\.export\(torch\.export\.load\('IN'\)\.module\(\)/,
    ],
    [
      'TorchScript',
      'd.pt',
      zipSync({ 'm/data.pkl': member, 'm/code/__torch__.py': member, 'm/constants.pkl': member }),
      /is a TorchScript program/,
      EXPORT,
    ],
    [
      'a SavedModel in an archive',
      'e.zip',
      zipSync({ 'm/saved_model.pb': member, 'm/variables/variables.index': member }),
      /is a SavedModel in a zip archive/,
      SAVED,
    ],
    [
      'a new PyTorch file',
      'a.pth',
      zipSync({ 'net/data.pkl': member, 'net/data/0': member }),
      /is a PyTorch file/,
      EXPORT,
    ],
    ['an old PyTorch file', 'b.pt', text([0x80, 2, 0x8a, 10], 'l\xfc\x9c'), /is a Python pickle/, EXPORT],
    ['a checkpoint by its name', 'c.ckpt', text('hello'), /by its name a Python pickle/, EXPORT],
    [
      'safetensors',
      'd.safetensors',
      writeSafetensors(tensors),
      /is a safetensors file, weights without a network/,
      REBUILD,
    ],
    ['npz', 'd.npz', writeNpz(tensors), /is an archive of numpy arrays/, REBUILD],
    ['npy', 'd.npy', writeNpy({ shape: [1], data: [1] }), /is an array of numpy/, REBUILD],
    ['ONNX', 'e', text([0x08, 0x07, 0x12, 0x07], 'pytorch', [0x1a, 3], '1.9'), /is an ONNX model/, /call it net\.onnx/],
    [
      'ONNX whose graph comes first',
      'f.dat',
      text([0x08, 0x0a, 0x3a, 0x80, 0x01]),
      /is an ONNX model/,
      /call it net\.onnx/,
    ],
    ['ONNX by its name', 'g.onnx', text('?'), /is an ONNX model/, /call it net\.onnx/],
    ['SavedModel', 'saved_model.pb', text([0x08, 0x01, 0x12, 0xf0, 0x02]), /is a SavedModel/, SAVED],
    ['SavedModel by its content', 'h', text([0x08, 0x01, 0x12, 0xf0, 0x02]), /is a SavedModel/, SAVED],
    ['TFLite', 'i.tflite', text([0x1c, 0, 0, 0], 'TFL3'), /is a TFLite model/, /convert the Keras model/],
    ['GGUF', 'j.gguf', text('GGUF', [3, 0, 0, 0]), /is GGUF/, REBUILD],
    ['gzip', 'model.json.gz', text([0x1f, 0x8b, 8, 0]), /is compressed with gzip/, /unpack it/],
    [
      'an archive of a tfjs model',
      'k.zip',
      zipSync({ 'm/model.json': member, 'm/w.bin': member }),
      /with a model\.json in it/,
      /unpack it/,
    ],
    ['a shard', 'group1-shard2of3.bin', new Uint8Array(32), /a shard of weights/, /beside it/],
    ['DISCO', 'l.msgpack', encode([0, { modelTopology: {}, weightSpecs: [] }]), /as DISCO saves it/, /model\.save/],
    ['nothing', 'm.json', new Uint8Array(0), /is empty/, /write the model again/],
    ['text', 'n.md', text('# notes'), /is not JSON/, /model\.save\('net\.keras'\), for PyTorch torch\.onnx\.export/],
  ])('%s', async (_, name, bytes, what, way) => {
    const { message } = await refusal(name, bytes)
    expect(message).toMatch(what)
    expect(message).toMatch(way)
    expect(message).toMatch(/a model\.json of TensorFlow\.js, a \.keras archive or a \.onnx file is needed/)
  })

  it('a folder, by what is in it', async () => {
    const at = (name: string, file?: string) => {
      mkdirSync(join(folder, name))
      if (file) writeFileSync(join(folder, name, file), '{}')
      return modelFromFile(join(folder, name)).load()
    }
    await expect(at('tfjs', 'model.json')).rejects.toThrow(/is a directory.*give .*tfjs.model\.json$/)
    await expect(at('saved', 'saved_model.pb')).rejects.toThrow(SAVED)
    await expect(at('none')).rejects.toThrow(/is a directory/)
  })
})
