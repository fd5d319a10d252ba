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
