import type { LayersModel } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { onnx } from '../../src/runtime/onnx/node'
import type { Runtime, Values } from '../../src/runtime/runtime'
import { relativeError } from '../oracle'
import { layerCases } from './cases/layers'
import { build, layersOutput, traceLayers } from './layer-problem'
import { type Problem, solve } from './problem'
import { tabulate } from './table'

tabulate(
  layerCases
    .filter((c) => !c.refused)
    .map((c) => {
      let model: LayersModel
      return {
        name: c.name,
        random: c.random,
        prepare() {
          model = build(c)
        },
        trace: () => traceLayers(c, model),
        forward: () => layersOutput(c, model),
      }
    }),
)

describe('what tfjs-layers itself computes wrongly is refused by name', () => {
  it.each(layerCases.flatMap((c) => (c.refused ? [[c.name, c] as const] : [])))('%s', (_, c) => {
    const model = build(c)
    const trace = () => traceLayers(c, model)
    expect(trace).toThrow(expect.objectContaining({ name: 'DlgError', code: 'untraceable' }))
    expect(trace).toThrow(c.refused!)
    model.dispose()
  })
})

/** Compiled for its weights, as an attack is. */
async function solveCompiledFor({ x, values, output, J, gradient, parameters, weights }: Problem, runtime: Runtime) {
  const executable = await runtime.compile({ inputs: [x], outputs: [output, J, gradient] })
  try {
    return await (await executable.bind(parameters, new Set(weights))).run([values])
  } finally {
    executable.dispose()
  }
}

describe.each([1, 3])('with %d samples, on onnxruntime-node: output, J and dJ/dx equal the reference', (batch) => {
  it.each(layerCases.filter((c) => !c.refused).map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const model = build(c)
    const problem = traceLayers({ ...c, batch }, model)
    const expected: Values[] = await solve(problem)
    const replayed = await solveCompiledFor(problem, onnx())
    model.dispose()
    for (const [i, values] of replayed.entries()) expect(relativeError(values, expected[i])).toBeLessThan(1e-5)
  })
})
