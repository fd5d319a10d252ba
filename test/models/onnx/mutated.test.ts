import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { DlgError } from '../../../src'
import { modelFromOnnx } from '../../../src/models/onnx/model-from-onnx'
import { random } from '../../../src/numbers/random'
import { cases, together } from './operator-cases'
import { writeOnnx } from './write-onnx'

const folder = fileURLToPath(new URL('pytorch', import.meta.url))
const exported = readdirSync(folder).filter((file) => /^(mlp|cnn|unet|dynamo-merged)\.onnx\.gz$/.test(file))
const files = [
  ...exported.map((file) => new Uint8Array(gunzipSync(readFileSync(`${folder}/${file}`)))),
  ...cases.map((c) => writeOnnx(together([c]).spec, c.opset)),
]

/** A byte set, a bit flipped, some bytes left out, repeated or moved, or the end cut off. */
function mutated(bytes: Uint8Array, { uniform }: ReturnType<typeof random>): Uint8Array {
  const at = () => Math.floor(uniform() * bytes.length)
  const out = bytes.slice()
  for (let n = Math.floor(uniform() * 4); n >= 0; n--) {
    const kind = Math.floor(uniform() * 5)
    if (kind === 0) out[at()] = Math.floor(uniform() * 256)
    if (kind === 1) out[at()] ^= 1 << Math.floor(uniform() * 8)
    if (kind === 2) out[at()] = 255
    if (kind === 3) out.copyWithin(at(), at(), at())
    if (kind === 4 && uniform() < 0.2) return out.slice(0, at())
  }
  return out
}

it('2,000 mutated files open or end in a DlgError, and hold no more memory than the file has', () => {
  const source = random(12)
  const ends = { opened: 0, refused: 0 }
  for (let i = 0; i < 2000; i++) {
    const bytes = mutated(files[i % files.length], source)
    try {
      const model = modelFromOnnx(bytes)
      const size = Object.values(model.weights).reduce((sum, { size: n }) => sum + 4 * n, 0)
      // numbers of a byte each become floats, and a copied weight is there twice
      expect(size).toBeLessThanOrEqual(8 * bytes.length)
      model.dispose()
      ends.opened++
    } catch (error) {
      if (!(error instanceof DlgError)) throw error
      ends.refused++
    }
  }
  expect(ends.opened).toBeGreaterThan(200)
  expect(ends.refused).toBeGreaterThan(500)
})
