import type { LayersModel } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { layerCases } from './cases/layers'
import { build, layersOutput, traceLayers } from './layer-problem'
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
