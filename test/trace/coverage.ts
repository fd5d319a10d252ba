import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers } from '@tensorflow/tfjs-layers'
import * as g from '../../src/graph'
import { record } from '../../src/trace'
import { kernels } from '../../src/trace/kernels'
import type { TraceKernel } from '../../src/trace/kernels/kernel'
import type { LayerCase } from './cases/layer-case'
import { layerCases } from './cases/layers'
import { opCases } from './cases/ops'
import { build, traceLayers } from './layer-problem'
import { traceOp } from './problem'

/** Names of cases by the kernel or the class of layer that they run. */
export type Runs = ReadonlyMap<string, readonly string[]>

/** Traces every case that is not refused, and sees what it runs. */
export async function coverage(): Promise<{ kernels: Runs; layers: Runs }> {
  await tf.setBackend('cpu')
  const byKernel = new Map<string, string[]>()
  const byLayer = new Map<string, string[]>()
  let current = ''
  const note = (runs: Map<string, string[]>, name: string): void => {
    const cases = runs.get(name) ?? []
    if (cases.at(-1) !== current) runs.set(name, [...cases, current])
  }
  watching(
    (kernel) => note(byKernel, kernel),
    () => {
      for (const c of opCases) {
        current = c.name
        traceOp(c)
      }
      for (const c of layerCases.filter(({ refused }) => !refused)) {
        current = c.name
        const model = build(c)
        traceLayers(c, model)
        for (const name of classesOf(model)) note(byLayer, name)
        model.dispose()
      }
    },
  )
  return { kernels: byKernel, layers: byLayer }
}

/** Runs the body with every kernel rule telling that it runs. */
function watching(tell: (kernel: string) => void, body: () => void): void {
  const rules = { ...kernels }
  const watched: Record<string, TraceKernel> = kernels
  for (const [name, rule] of Object.entries(rules))
    watched[name] = (...args) => {
      tell(name)
      return rule(...args)
    }
  try {
    body()
  } finally {
    Object.assign(watched, rules)
  }
}

const classesOf = (model: LayersModel): Set<string> =>
  new Set(model.layers.map((layer) => layer.getClassName()).filter((name) => name !== 'InputLayer'))

/** Every layer tfjs-layers can make from a configuration. */
export function layerNames(): string[] {
  const { classNameMap } = tf.serialization.SerializationMap.getMap()
  return Object.keys(classNameMap)
    .filter((name) => classNameMap[name][0].prototype instanceof layers.Layer && name !== 'InputLayer')
    .filter((name) => !/Cells?$/.test(name))
    .sort()
}

/** What a refused case fails with, but for the layer's name. */
export function messageOf(c: LayerCase): string {
  const model = build(c)
  try {
    traceLayers(c, model)
  } catch (error) {
    return (error as Error).message.replaceAll(/ in layer '.*'/g, '')
  } finally {
    model.dispose()
  }
  throw new Error(`'${c.name}' is not refused`)
}

/** What a kernel without a rule fails with. */
export function refusalOf(kernel: string): string {
  try {
    record(g.createGraph(), new Map(), () => tf.engine().runKernel(kernel, {}, {}))
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`${kernel} is not refused`)
}

/** Kernels of tfjs's cpu backend that the tracer has no rule for. */
export const kernelsWithoutRule = (): string[] =>
  tf
    .getKernelsForBackend('cpu')
    .map(({ kernelName }) => kernelName)
    .filter((name) => name !== 'Cast' && !Object.hasOwn(kernels, name))
