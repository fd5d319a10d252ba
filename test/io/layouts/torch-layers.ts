import { readFileSync } from 'node:fs'
import { type Float32Tensor, type NamedTensors, parseSafetensors } from '../../../src/io'

/** A layer as PyTorch computes it: input, output, weights, and the gradient of sum(y²)/2. */
export interface TorchLayer {
  readonly x: Float32Tensor
  readonly y: Float32Tensor
  readonly weights: NamedTensors
  readonly gradients: NamedTensors
}

const file = parseSafetensors(readFileSync(new URL('../../fixtures/torch-layers.safetensors', import.meta.url)))

/** One layer of the fixture; test/fixtures/make_files.py made it. */
export function torchLayer(name: string): TorchLayer {
  const below = (prefix: string): NamedTensors =>
    new Map(
      [...file.tensors]
        .filter(([key]) => key.startsWith(`${name}/${prefix}`))
        .map(([key, { shape, data }]) => [
          key.slice(name.length + prefix.length + 1),
          { shape, data: Float32Array.from(data) },
        ]),
    )
  return { x: below('x').get('')!, y: below('y').get('')!, weights: below('weights/'), gradients: below('gradients/') }
}
