/**
 * Opens every ONNX file and every graph model that generate.py, generate_keras.py and generate_scikit.py wrote: output beside onnxruntime's or tfjs's, gradient beside that of
 * PyTorch or TensorFlow in float64, weights paired by name. Where an exporter merged weights, those that are left are compared.
 *
 * npx tsx bench/exports/check.ts FOLDER [--checkModel] [NAME …]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import { loadGraphModel } from '@tensorflow/tfjs-converter'
import * as tf from '@tensorflow/tfjs-core'
import * as ort from 'onnxruntime-node'
import { checkModel, DlgError, gradientsOf } from '../../src'
import { type Float32Tensor, type ModelArtifacts, modelFromFile, readTensors } from '../../src/io'
import { modelFromGraphModel, modelFromOnnx, type OnnxModel, type TfjsGraphModel } from '../../src/models'
import { inOurGraph } from '../../test/models/onnx/onnxruntime'

/** What was found of one file. */
interface Row {
  readonly model: string
  readonly file: string
  /** Largest difference, in units of the largest value: of the output, and of the worst weight's gradient. */
  readonly output?: number
  readonly gradient?: number
  /** The output is compared with the trainer's: the runtime of the format gives no tensor. */
  readonly byTrainer?: boolean
  readonly worst?: string
  readonly refused?: string
  /** Weights that the exporter merged into others, so that no gradient pairs with them. */
  readonly gone?: readonly string[]
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

async function theirOutput(
  path: string,
  name: string,
  { shape, data, dtype }: Float32Tensor,
): Promise<ArrayLike<number>> {
  const session = await ort.InferenceSession.create(path, { graphOptimizationLevel: 'disabled' })
  const feed =
    dtype === 'int64'
      ? new ort.Tensor(
          'int64',
          BigInt64Array.from(data, (v) => BigInt(v)),
          shape,
        )
      : new ort.Tensor('float32', data, shape)
  const results = await session.run({ [session.inputNames[0]]: feed }, [name])
  const output = results[name].data as Float32Array
  await session.release()
  return output
}

/** What tfjs's own executor computes of a graph model. */
async function outputInTfjs(path: string, { shape, data }: Float32Tensor): Promise<ArrayLike<number>> {
  const model = await loadGraphModel(modelFromFile(path))
  const x = tf.tensor(data, [...shape])
  const output = [(await model.executeAsync(x)) as tf.Tensor | tf.Tensor[]].flat()[0]
  const values = output.dataSync()
  tf.dispose([x, output])
  model.dispose()
  return values
}

/** The model for these gradients, without those whose weights are gone. */
function opened(
  file: Uint8Array | ModelArtifacts,
  gradients: ReadonlyMap<string, Float32Tensor>,
  externalData: Readonly<Record<string, Uint8Array>>,
  gone: string[],
): OnnxModel | TfjsGraphModel {
  for (;;) {
    const trainable = [...gradients.keys()].filter((name) => !gone.includes(name))
    try {
      if (!(file instanceof Uint8Array)) return modelFromGraphModel(file, { trainable })
      return modelFromOnnx(file, { trainable, channelsLast: false, externalData })
    } catch (error) {
      const name = /^trainable has '([^']+)'/.exec((error as Error).message)?.[1]
      if (name === undefined || !gradients.has(name) || trainable.length === 1) throw error
      gone.push(name)
    }
  }
}

/** The gradients of the trainer by name, and the model opened for them. */
async function check(path: string, theirs: ReadonlyMap<string, Float32Tensor>): Promise<Omit<Row, 'model' | 'file'>> {
  const gradients = new Map(
    [...theirs].flatMap(([key, t]) => (key.startsWith('gradient ') ? [[key.slice(9), t] as const] : [])),
  )
  const input = theirs.get('input')!
  const beside = `${path}.data`
  const externalData = existsSync(beside) ? { [basename(beside)]: readFileSync(beside) } : {}
  let model: OnnxModel | TfjsGraphModel | undefined
  const gone: string[] = []
  try {
    const file = path.endsWith('.json') ? await modelFromFile(path).load() : readFileSync(path)
    model = opened(file, gradients, externalData, gone)
    for (const name of gone) gradients.delete(name)
    const [name] = Object.keys(model.inputShape)
    const [[as, ours]] = Object.entries(
      await inOurGraph(model, { [name]: { dims: [...input.shape], values: input.data } }),
    )
    const theirOwn = path.endsWith('.json') ? outputInTfjs(path, input) : theirOutput(path, as, input)
    const right = await theirOwn.catch(() => undefined)
    const output = apart(ours.values, right ?? theirs.get('output')!.data)
    const x = tf.tensor(input.data, [...input.shape])
    const largest = Math.max(
      ...[...gradients.values()].map(({ data }) => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0)),
    )
    const gapsIn = async (runtime: 'onnx' | 'reference'): Promise<number[]> => {
      const found = await gradientsOf(model!, x, [0, 1], { runtime })
      const gaps = [...gradients].map(([key, { data }]) =>
        found[key] ? apart(found[key].dataSync(), data, LEAST * largest) : Number.POSITIVE_INFINITY,
      )
      tf.dispose(found)
      return gaps
    }
    const inFloat32 = await gapsIn('onnx')
    // where a sum of large terms is zero, rounding to float32 is all there is
    const gaps = Math.max(...inFloat32) < MOST || x.size > 1000 ? inFloat32 : await gapsIn('reference')
    const said = checked ? await checkModel(model, { x, y: [0, 1] }, {}) : undefined
    const errors = said?.findings.filter(({ level }) => level === 'error').map(({ message }) => message)
    x.dispose()
    const worst = [...gradients.keys()][gaps.indexOf(Math.max(...gaps))]
    return {
      output,
      ...(!right && { byTrainer: true }),
      gradient: Math.max(...gaps),
      worst,
      gone,
      ...(errors && { check: errors.join('; ') || 'clean' }),
    }
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
  if (existsSync(join(at, 'graph', 'model.json'))) files.push('graph/model.json')
  for (const file of files.sort()) {
    const row = { model, file: file.replace(/\.onnx$|\/model\.json$/, ''), ...(await check(join(at, file), theirs)) }
    rows.push(row)
    const told =
      row.refused ??
      `${row.output?.toExponential(1)} ${row.gradient?.toExponential(1)}${row.gradient! < MOST ? '' : ` (${row.worst})`} ${row.check ?? ''}${row.byTrainer ? ' (its runtime gives no tensor)' : ''}${row.gone?.length ? ` without ${row.gone}` : ''}`
    const right = !row.refused && row.output! < MOST && row.gradient! < MOST
    console.log(`${right ? (row.gone?.length ? 'part' : 'ok  ') : 'FAIL'} ${model} / ${row.file}: ${told}`)
  }
}
