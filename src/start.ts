import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from './errors'
import { type Shape, sizeOf } from './graph'
import { random } from './random'
import type { Settings } from './settings'

/** Spread of the noise around mid-gray, in units of the data's range. */
const GRAY_NOISE = 0.1

/** Where each restart begins: data first, then label logits if they are unknowns. */
export async function startPoint(
  settings: Settings,
  dataShape: Shape,
  labelShape: Shape | undefined,
): Promise<(restart: number) => Promise<Float64Array>> {
  const given = typeof settings.init === 'object' ? await givenStart(settings.init, dataShape, labelShape) : undefined
  return async (restart) => {
    const from = random(settings.seed, restart)
    const [low, high] = settings.dataRange
    const draw: () => number = {
      gray: () => (low + high) / 2 + GRAY_NOISE * (high - low) * from.normal(),
      normal: () => from.normal(),
      uniform: () => low + (high - low) * from.uniform(),
    }[typeof settings.init === 'string' ? settings.init : 'gray']
    const data = Float64Array.from({ length: sizeOf(dataShape) }, draw)
    const labels = Float64Array.from({ length: labelShape ? sizeOf(labelShape) : 0 }, () => from.normal())
    const usesGiven = given && restart === 0
    return join(usesGiven ? given.data : data, usesGiven ? (given.labels ?? labels) : labels)
  }
}

async function givenStart(init: Exclude<Settings['init'], string>, dataShape: Shape, labelShape: Shape | undefined) {
  const data = await numbers('init.data', init.data, dataShape)
  if (init.labels && !labelShape) throw new DlgError('invalid-option', "init.labels needs labels: 'joint'")
  return { data, labels: init.labels && (await numbers('init.labels', init.labels, labelShape!)) }
}

async function numbers(name: string, values: Tensor | ArrayLike<number>, shape: Shape): Promise<Float64Array> {
  if (values instanceof Tensor && values.isDisposed)
    throw new DlgError('invalid-option', `${name} is a disposed tensor`)
  const out = Float64Array.from(values instanceof Tensor ? await values.data() : values)
  if (out.length !== sizeOf(shape))
    throw new DlgError('invalid-option', `${name} has ${out.length} numbers; [${shape}] needs ${sizeOf(shape)}`)
  if (!out.every(Number.isFinite)) throw new DlgError('invalid-option', `${name} must be finite`)
  return out
}

function join(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}
