/**
 * Damaged files by seed: does every reader end with tensors, a picture or a DlgError, and what do a file's CPU and memory cost at most?
 *
 *   npm run bench:fuzz -- [--files 50000] [--seed 1]
 *
 * CPU is what the process spent on one file, memory what array buffers and the heap grew by while it was read, garbage included. Exits 1
 * at any other error, and where a file costs more than is allowed.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { encode } from '@msgpack/msgpack'
import '@tensorflow/tfjs-backend-cpu'
import { DlgError } from '../src'
import { decodeImage, encodePng, modelFromFile, readTensors, writeNpy, writeNpz, writeSafetensors } from '../src/io'
import { modelFromGraphModel, modelFromOnnx } from '../src/models'
import { mutate, mutateSafetensors } from '../test/io/mutations'
import { uniform } from '../test/io/pictures/random-image'
import { table } from './table'

const { values } = parseArgs({
  options: { files: { type: 'string', default: '50000' }, seed: { type: 'string', default: '1' } },
})
const [files, seed] = [Number(values.files), Number(values.seed)]

/** Most that a file of a few kilobytes may cost: milliseconds of CPU, and bytes. A pause of the garbage collector counts too. */
const ALLOWED = { milliseconds: 250, bytes: 2 ** 24 }

const next = uniform(seed)
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
const numbers = [...tensors.values()].map(({ shape, data }) => ({ shape, data: [...data] }))
const picture = { width: 23, height: 17, data: Float32Array.from({ length: 23 * 17 * 3 }, next) }

interface Kind {
  readonly name: string
  readonly valid: Uint8Array
  /** Part of all files. */
  readonly part: number
  readonly damage?: typeof mutate
  read(bytes: Uint8Array): unknown
  /** A refusal may be of another code than `invalid-file`: an operator that is not supported is none of a damaged file. */
  readonly anyCode?: boolean
}

const fixture = (path: string): Buffer => readFileSync(new URL(`../test/${path}`, import.meta.url))
const GRAPH = 'models/tensorflow/keras/separable'
const graphWeights = await modelFromFile(new URL(`../test/${GRAPH}/model.json`, import.meta.url).pathname).load()

/** A graph model with this topology. @throws SyntaxError, which is the parser's and not ours, as undefined */
function openTopology(bytes: Uint8Array): void {
  let model: { modelTopology?: object; signature?: object }
  try {
    model = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    throw new DlgError('invalid-file', 'no JSON')
  }
  const { modelTopology, signature } = model ?? {}
  modelFromGraphModel({ ...graphWeights, modelTopology, signature }).dispose()
}

const kinds: readonly Kind[] = [
  {
    name: 'ONNX of PyTorch',
    valid: gunzipSync(fixture('models/onnx/pytorch/cnn.onnx.gz')),
    part: 0.1,
    read: (bytes) => modelFromOnnx(bytes).dispose(),
    anyCode: true,
  },
  {
    name: 'ONNX of tf2onnx',
    valid: gunzipSync(fixture('models/onnx/keras/gru.onnx.gz')),
    part: 0.1,
    read: (bytes) => modelFromOnnx(bytes).dispose(),
    anyCode: true,
  },
  { name: 'graph model', valid: fixture(`${GRAPH}/model.json`), part: 0.1, read: openTopology, anyCode: true },
  { name: 'HDF5, weights of Keras 3', valid: fixture('fixtures/keras/dense.weights.h5'), part: 0.1, read: readTensors },
  { name: 'HDF5, a model of Keras 2', valid: fixture('fixtures/keras/dense.h5'), part: 0.1, read: readTensors },
  {
    name: '.keras archive',
    valid: fixture('fixtures/keras/convolutional.keras'),
    part: 0.1,
    read: (bytes) => modelFromFile(bytes).load(),
  },
  { name: 'safetensors', valid: writeSafetensors(tensors), part: 0.14, read: readTensors },
  {
    name: 'safetensors behind the header length',
    valid: writeSafetensors(tensors),
    part: 0.28,
    damage: mutateSafetensors,
    read: readTensors,
  },
  { name: 'npz, stored', valid: writeNpz(tensors), part: 0.1, read: readTensors },
  { name: 'npz, deflated', valid: writeNpz(tensors, { compress: true }), part: 0.1, read: readTensors },
  { name: 'npy', valid: writeNpy(tensor(6, 7)), part: 0.1, read: readTensors },
  { name: 'msgpack', valid: encode(numbers), part: 0.1, read: readTensors },
  { name: 'json', valid: Buffer.from(JSON.stringify(numbers.slice(0, 3))), part: 0.1, read: readTensors },
  { name: 'png', valid: encodePng(picture), part: 0.08, read: decodeImage },
]

interface Cost {
  readonly milliseconds: number
  readonly buffers: number
  readonly heap: number
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [cpu, before] = [process.cpuUsage(), process.memoryUsage()]
  await work()
  const [spent, after] = [process.cpuUsage(cpu), process.memoryUsage()]
  return {
    milliseconds: (spent.user + spent.system) / 1000,
    buffers: after.arrayBuffers - before.arrayBuffers,
    heap: after.heapUsed - before.heapUsed,
  }
}

let [wrong, tried] = [0, 0]
const lines: string[][] = []
for (const { name, valid, part, damage = mutate, read, anyCode = false } of kinds) {
  const random = uniform(seed + name.length)
  const count = { accepted: 0, refused: 0 }
  const worst = { milliseconds: 0, buffers: 0, heap: 0 }
  const times = Math.round(part * files)
  await read(valid)
  for (let i = 0; i < times; i++) {
    const bytes = damage(valid, random)
    if (i % 1000 === 0) globalThis.gc?.()
    const cost = await costOf(async () => {
      try {
        await read(bytes)
        count.accepted++
      } catch (error) {
        if (error instanceof DlgError && (anyCode || error.code === 'invalid-file')) count.refused++
        else {
          wrong++
          console.log(`${name}, file ${i} of seed ${seed}: ${(error as Error).stack}`)
        }
      }
    })
    for (const key of ['milliseconds', 'buffers', 'heap'] as const) worst[key] = Math.max(worst[key], cost[key])
  }
  tried += times
  if (worst.milliseconds > ALLOWED.milliseconds || Math.max(worst.buffers, worst.heap) > ALLOWED.bytes) wrong++
  const kilobytes = (bytes: number) => (bytes / 1024).toFixed(0)
  lines.push([
    ...[name, String(times), String(count.accepted), String(count.refused), kilobytes(valid.length)],
    ...[worst.milliseconds.toFixed(1), kilobytes(worst.buffers), kilobytes(worst.heap)],
  ])
}
console.log(
  table(['kind', 'files', 'read', 'refused', 'KB each', 'worst CPU ms', 'worst buffers KB', 'worst heap KB'], lines),
)
const { maxRSS } = process.resourceUsage()
console.log(`${tried} files, seed ${seed}: ${wrong} wrong; resident at most ${(maxRSS / 1024).toFixed(0)} MB`)
if (wrong > 0) process.exitCode = 1
