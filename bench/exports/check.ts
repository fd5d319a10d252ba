/**
 * Opens every ONNX file that generate.py wrote: output beside onnxruntime's, gradient beside PyTorch's in float64, weights paired by name.
 *
 * npx tsx bench/exports/check.ts FOLDER [--checkModel] [NAME …]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import * as ort from 'onnxruntime-node'
import { checkModel, DlgError, gradientsOf } from '../../src'
import { type Float32Tensor, readTensors } from '../../src/io'
import { modelFromOnnx, type OnnxModel } from '../../src/models'
import { inOurGraph } from '../../test/models/onnx/onnxruntime'

/** What was found of one file. */
interface Row {
  readonly model: string
  readonly file: string
  /** Largest difference, in units of the largest value: of the output, and of the worst weight's gradient. */
  readonly output?: number
  readonly gradient?: number
  readonly worst?: string
  readonly refused?: string
  /** Errors of `checkModel`. */
  readonly check?: string
}

const argv = process.argv.slice(2)
const checked = argv.includes('--checkModel')
const [folder, ...only] = argv.filter((word) => !word.startsWith('--'))
if (!folder) throw new Error('npx tsx bench/exports/check.ts FOLDER [--checkModel] [NAME …]')
const MOST = 1e-5
/** In units of the largest gradient of a model. */
const LEAST = 1e-3

/** @param least unit where the values are smaller: a bias of keys in attention has the gradient 0, and rounding is all there is to compare */
function apart(found: ArrayLike<number>, right: ArrayLike<number>, least = 1e-6): number {
  if (found.length !== right.length) return Number.POSITIVE_INFINITY
  let gap = 0
  let size = least
  for (let i = 0; i < right.length; i++) {
    gap = Math.max(gap, Math.abs(found[i] - right[i]))
    size = Math.max(size, Math.abs(right[i]))
  }
  return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap / size
}

async function theirOutput(path: string, { shape, data, dtype }: Float32Tensor): Promise<ArrayLike<number>> {
  const session = await ort.InferenceSession.create(path, { graphOptimizationLevel: 'disabled' })
  const feed =
    dtype === 'int64'
      ? new ort.Tensor(
          'int64',
          BigInt64Array.from(data, (v) => BigInt(v)),
          shape,
        )
      : new ort.Tensor('float32', data, shape)
  const results = await session.run({ [session.inputNames[0]]: feed })
  const output = results[session.outputNames[0]].data as Float32Array
  await session.release()
  return output
}

/** The gradients of PyTorch by name, and the model opened for them. */
async function check(path: string, theirs: ReadonlyMap<string, Float32Tensor>): Promise<Omit<Row, 'model' | 'file'>> {
  const gradients = new Map(
    [...theirs].flatMap(([key, t]) => (key.startsWith('gradient ') ? [[key.slice(9), t] as const] : [])),
  )
  const input = theirs.get('input')!
  const beside = `${path}.data`
  const externalData = existsSync(beside) ? { [basename(beside)]: readFileSync(beside) } : {}
  let model: OnnxModel | undefined
  try {
    model = modelFromOnnx(readFileSync(path), { trainable: gradients, channelsLast: false, externalData })
    const [name] = Object.keys(model.inputShape)
    const [ours] = Object.values(await inOurGraph(model, { [name]: { dims: [...input.shape], values: input.data } }))
    const output = apart(ours.values, await theirOutput(path, input))
    const x = tf.tensor(input.data, [...input.shape])
    const found = await gradientsOf(model, x, [0, 1], { runtime: 'onnx' })
    const largest = Math.max(
      ...[...gradients.values()].map(({ data }) => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0)),
    )
    const gaps = [...gradients].map(([key, { data }]) =>
      found[key] ? apart(found[key].dataSync(), data, LEAST * largest) : Number.POSITIVE_INFINITY,
    )
    const said = checked ? await checkModel(model, { x, y: [0, 1] }, {}) : undefined
    const errors = said?.findings.filter(({ level }) => level === 'error').map(({ message }) => message)
    tf.dispose([x, found])
    const worst = [...gradients.keys()][gaps.indexOf(Math.max(...gaps))]
    return { output, gradient: Math.max(...gaps), worst, ...(errors && { check: errors.join('; ') || 'clean' }) }
  } catch (error) {
    if (!(error instanceof DlgError)) return { refused: `NOT A DlgError: ${(error as Error).message.slice(0, 160)}` }
    return { refused: error.message }
  } finally {
    model?.dispose()
  }
}

const rows: Row[] = []
for (const model of readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)) {
  if (only.length > 0 && !only.includes(model)) continue
  const at = join(folder, model)
  const theirs = readTensors(join(at, 'answers.safetensors'))
  const files = readdirSync(at).filter((file) => file.endsWith('.onnx'))
  for (const file of files.sort()) {
    const row = { model, file: file.replace('.onnx', ''), ...(await check(join(at, file), theirs)) }
    rows.push(row)
    const told =
      row.refused ??
      `${row.output?.toExponential(1)} ${row.gradient?.toExponential(1)}${row.gradient! < MOST ? '' : ` (${row.worst})`} ${row.check ?? ''}`
    const right = !row.refused && row.output! < MOST && row.gradient! < MOST
    console.log(`${right ? 'ok  ' : 'FAIL'} ${model} / ${row.file}: ${told}`)
  }
}
