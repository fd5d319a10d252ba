import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import { sizeOf } from '../graph'
import type { PlainTensor } from '../shared/read-gradients'

const invalid = (message: string): DlgError => new DlgError('invalid-gradients', message)

/**
 * The numbers of a shared tensor, in float64.
 *
 * @throws DlgError `invalid-gradients` for what is no tensor, disposed, not finite, or of another size than its shape says
 */
export async function readTensor(name: string, tensor: Tensor | PlainTensor): Promise<Float64Array> {
  const what = `gradient '${name}'`
  if (!Array.isArray(tensor?.shape)) throw invalid(`${what} must be a tensor or {shape, data}`)
  if (tensor instanceof Tensor && tensor.isDisposed) throw invalid(`${what} is a disposed tensor`)
  const data = tensor instanceof Tensor ? await tensor.data() : tensor.data
  if (typeof data?.length !== 'number') throw invalid(`${what} has no data; it must be a tensor or {shape, data}`)
  const values = Float64Array.from(data as ArrayLike<number>)
  const size = sizeOf(tensor.shape)
  if (values.length !== size)
    throw invalid(`${what} has ${values.length} numbers; shape [${tensor.shape.join(', ')}] needs ${size}`)
  const bad = values.findIndex((v) => !Number.isFinite(v))
  if (bad >= 0) throw invalid(`${what} is ${values[bad]} at position ${bad}; it must be finite`)
  return values
}
