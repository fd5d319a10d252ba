import { beforeAll, describe, expect, it } from 'vitest'
import { modelFromOnnx } from '../../../src/models/onnx/model-from-onnx'
import { difference, inOnnxruntime, inOurGraph, slopes } from './onnxruntime'
import { cases, together } from './operator-cases'
import { writeOnnx } from './write-onnx'

describe('operators compute what onnxruntime-node computes', () => {
  const theirs: Awaited<ReturnType<typeof inOnnxruntime>> = {}

  // one session for each version: a session costs more than all of its operators
  beforeAll(async () => {
    for (const opset of new Set(cases.map((c) => c.opset))) {
      const { spec, inputs } = together(cases.filter((c) => c.opset === opset))
      Object.assign(theirs, await inOnnxruntime(writeOnnx(spec, opset, opset > 20 ? 10 : 8), inputs))
    }
  })

  it.each(cases)('$name', async ({ id, spec, opset, inputs }) => {
    const model = modelFromOnnx(writeOnnx(spec, opset), { channelsLast: false })
    const ours = await inOurGraph(model, inputs)
    expect(Object.keys(ours)).toEqual(spec.outputs)
    for (const [name, { dims, values }] of Object.entries(ours)) {
      const right = theirs[`${id}${name}`]
      expect(dims).toEqual([...right.dims])
      expect(difference(values, right.values), name).toBeLessThan(1e-5)
    }
    model.dispose()
  })
})

describe('operators have the derivative of finite differences', () => {
  it.each(cases)('$name', async ({ spec, opset, inputs }) => {
    const model = modelFromOnnx(writeOnnx(spec, opset), { channelsLast: false })
    const { ours, differences } = await slopes(model, inputs)
    expect(Math.abs(ours - differences)).toBeLessThan(1e-6 * Math.max(1, Math.abs(differences)))
    model.dispose()
  })
})

describe('LpNormalization of a row of zeros', () => {
  it.each([1, 2])('with p = %i is that row, as in onnxruntime-node', async (p) => {
    const spec = {
      inputs: { x: [2, 3] },
      outputs: ['y'],
      nodes: [{ op: 'LpNormalization', inputs: ['x'], outputs: ['y'], attributes: { axis: 1, p } }],
    }
    const inputs = { x: { dims: [2, 3], values: Float64Array.of(0, 0, 0, 3, -4, 0) } }
    const { y } = await inOnnxruntime(writeOnnx(spec, 17), inputs)
    expect([...y.values.slice(0, 3)]).toEqual([0, 0, 0])
    const model = modelFromOnnx(writeOnnx(spec, 17), { channelsLast: false })
    const ours = (await inOurGraph(model, inputs)).y
    expect(difference(ours.values, y.values)).toBeLessThan(1e-6)
    model.dispose()
  })
})
