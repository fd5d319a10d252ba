import * as tf from '@tensorflow/tfjs-core'
import type { TableSchema } from '../attacks/tabular/schema'
import { gradientsOf } from '../client/gradients-of'
import { type TargetOf, traceGradient } from '../client/model/gradient'
import { openModel } from '../client/model/open-model'
import { openTarget, type Target } from '../client/target'
import { targetOptions } from '../client/target-options'
import { ofOutput, type PlainTargets, targetRows } from '../client/target-values'
import { trainingOf, trainingOptions } from '../client/training-options'
import { DlgError } from '../errors/dlg-error'
import * as g from '../graph'
import type { AuditSettings } from './options'

/** One client of an audit: what it shares before any defence, and the truth where it is known. */
export interface AuditClient {
  readonly target: Target
  readonly truth?: Truth
}

/** What a client trained on. */
export interface Truth {
  /** Numbers of each sample, in row-major order. */
  readonly samples: readonly Float32Array[]
  /** Shape of one sample. */
  readonly shape: readonly number[]
  /** A class for each sample, where the labels are classes. */
  readonly classes?: readonly number[]
  /** The classes of all clients, where the labels are classes. */
  readonly population?: readonly number[]
  /** How the columns are encoded, where the samples are records of a table. */
  readonly table?: TableSchema
  /** The other samples of the data: what an attacker might guess. */
  readonly decoys: readonly Float32Array[]
}

/** Plays a client's step on its part of the data, or takes what it shared. */
export async function openClient(settings: AuditSettings, client: number): Promise<AuditClient> {
  const { model, data, updates, training } = settings
  const asked = targetOptions(training)
  if (updates) return { target: await openTarget(model, Object.values(updates)[client], asked) }
  const { x, labels } = data!
  const size = asked.batchSize
  const [from, to] = [client * size, (client + 1) * size]
  const batch = tf.tidy(() => tf.slice(x, from, size))
  const its =
    labels instanceof tf.Tensor
      ? tf.tidy(() => tf.slice(labels, from, size))
      : Array.from(labels as ArrayLike<number>).slice(from, to)
  let shared: tf.NamedTensorMap = {}
  try {
    shared = await gradientsOf(model, batch, its, trainingOf(training))
    const target = await openTarget(model, shared, asked)
    return { target, truth: truthOf(settings, from, to) }
  } finally {
    tf.dispose([batch, shared, ...(its instanceof tf.Tensor ? [its] : [])])
  }
}

/**
 * Refuses updates that cannot be attacked, those of any client: of wrong shapes, or of zeros alone.
 *
 * @param rest lets the event loop run between two of them
 * @throws DlgError `invalid-gradients`, with the name of the update
 */
export async function requireUpdatesOfModel(
  { model, updates = {}, training }: AuditSettings,
  rest: () => Promise<void>,
): Promise<void> {
  const asked = targetOptions(training)
  for (const [name, update] of Object.entries(updates)) {
    try {
      await openTarget(model, update, asked)
    } catch (cause) {
      if (!(cause instanceof DlgError) || cause.code !== 'invalid-gradients') throw cause
      throw new DlgError(cause.code, `update '${name}': ${cause.message}`, { cause })
    }
    await rest()
  }
}

/**
 * Refuses labels that do not fit the model, those of any client. Nothing is trained.
 *
 * @throws DlgError `invalid-data`, with the names of the client's samples
 */
export async function requireLabelsOfModel({ model, data, training }: AuditSettings): Promise<void> {
  if (!data) return
  const { x, names } = data
  const { batchSize } = targetOptions(training)
  const opened = openModel(model)
  const labels = await labelsByClient(data, batchSize)
  let wrong: DlgError | undefined
  try {
    const settings = { ...trainingOptions(trainingOf(training)), batchSize }
    const targetOf: TargetOf = (output, trained, all) => {
      for (const [client, given] of labels.entries())
        try {
          targetRows(ofOutput('targets', [given], true, trained, all, 'invalid-data'), trained)
        } catch (cause) {
          if (!(cause instanceof DlgError)) throw cause
          const samples = names.slice(client * batchSize, (client + 1) * batchSize)
          wrong = new DlgError(cause.code, `${samples.join(', ')}: ${cause.message}`, { cause })
          break
        }
      return g.input(output.graph, `target ${trained.name}`, output.shape)
    }
    traceGradient(opened, settings, targetOf, { types: new Map([[opened.inputs[0]?.name, x.dtype]]) })
  } catch {
    // the client's own step says what is wrong
    return
  }
  if (wrong) throw wrong
}

/** The labels of each client as its step reads them. */
async function labelsByClient({ labels }: AuditSettings['data'] & object, size: number): Promise<PlainTargets[]> {
  if (!(labels instanceof tf.Tensor)) {
    const all = Array.from(labels as ArrayLike<number>)
    return Array.from({ length: all.length / size }, (_, i) => ({ labels: all.slice(i * size, (i + 1) * size) }))
  }
  const [count, ...shape] = labels.shape
  const each = (size * labels.size) / count
  const values = Float32Array.from(await labels.data())
  const wrong = values.findIndex((v) => !Number.isFinite(v))
  if (wrong >= 0)
    throw new DlgError('invalid-data', `data.labels has ${values[wrong]} at position ${wrong}; targets must be finite`)
  return Array.from({ length: count / size }, (_, i) => ({
    shape: [size, ...shape],
    values: values.subarray(i * each, (i + 1) * each),
  }))
}

function truthOf({ data }: AuditSettings, from: number, to: number): Truth {
  const { x, labels, table } = data!
  const [, ...shape] = x.shape
  const size = tf.util.sizeFromShape(shape)
  const values = Float32Array.from(x.dataSync())
  const all = Array.from({ length: x.shape[0] }, (_, i) => values.subarray(i * size, (i + 1) * size))
  const population = classesOf(labels)
  return {
    samples: all.slice(from, to),
    ...{ shape, decoys: [...all.slice(0, from), ...all.slice(to)] },
    ...(table && { table }),
    ...(population && { population, classes: population.slice(from, to) }),
  }
}

/** The class of each sample; undefined where the targets are no classes. */
function classesOf(labels: (AuditSettings['data'] & object)['labels']): number[] | undefined {
  if (!(labels instanceof tf.Tensor)) return Array.from(labels)
  if (labels.rank !== 2) return undefined
  const rows = labels.arraySync() as number[][]
  const areOneHot = rows.every((row) => row.every((v) => v === 0 || v === 1) && row.filter((v) => v === 1).length === 1)
  return areOneHot ? rows.map((row) => row.indexOf(1)) : undefined
}
