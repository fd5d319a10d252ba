import * as g from '../graph'
import type { Program, Values } from '../runtime/runtime'
import { type Each, mapEach } from './model/each'
import { type TracedGradient, traceGradient, weightParameter } from './model/gradient'
import type { Model, OpenModel } from './model/model'
import { openModel } from './model/open-model'
import { type Data, type InputData, readData } from './read-data'
import { readWeights } from './shared/read-gradients'
import { isOneTarget, type OutputTargets, ofOutput, type PlainTargets, readTargets, targetRows } from './target-values'
import { type TrainingOptions, trainingOptions } from './training-options'

/** A client's step on a batch as a graph, with every value that runs it. */
export interface TracedExample {
  readonly opened: OpenModel
  readonly settings: ReturnType<typeof trainingOptions>
  readonly batchSize: number
  readonly traced: TracedGradient
  readonly data: readonly InputData[]
  /** Data, then targets. */
  readonly inputs: Program['inputs']
  readonly values: readonly Values[]
  /** The values that the graph is bound with, by parameter. */
  readonly parameters: ReadonlyMap<string, Values>
}

/** Reads a batch and its targets, and traces the gradient of the loss on them. @throws DlgError for every wrong input */
export async function traceExample(
  model: Model,
  x: Data,
  y: OutputTargets | Each<OutputTargets>,
  options: TrainingOptions,
): Promise<TracedExample> {
  const settings = trainingOptions(options)
  const opened = openModel(model)
  const data = await readData(x, opened)
  const batchSize = data[0].values.length / g.sizeOf(data[0].shape)
  const one = isOneTarget(y)
  const given = one ? [await readTargets(y)] : await mapEach(y, readTargets)
  const types = new Map(data.map(({ name, dtype }) => [name, dtype]))
  const targets: { node: g.Node<'input'>; values: Values }[] = []
  const traced = traceGradient(
    opened,
    { ...settings, batchSize },
    (output, trained, all) => {
      const node = g.input(output.graph, all.length === 1 ? 'target' : `target ${trained.name}`, output.shape)
      const own = ofOutput<PlainTargets>('targets', given, one, trained, all, 'invalid-data')
      targets.push({ node, values: targetRows(own, trained) })
      return node
    },
    { types },
  )
  return {
    ...{ opened, settings, batchSize, traced, data },
    inputs: [...traced.inputs, ...targets.map(({ node }) => node)],
    values: [...data, ...targets].map(({ values }) => values),
    parameters: new Map([...traced.captured, ...(await readWeights(opened.weights, weightParameter))]),
  }
}
