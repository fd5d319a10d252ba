import { DlgError } from '../../errors/dlg-error'
import type { TensorToWrite } from '../tensors/tensor-to-write'
import type { Link } from './layer-links'
import { toTfjs, toTorch } from './layout'

type Tensors = ReadonlyMap<string, TensorToWrite>

/** Two gradients of one sum are equal but for the order in which a batch was added up. */
const AGREEMENT = 1e-4

/** @throws DlgError `invalid-gradients` when two biases should have the same gradient and have not. */
export function linkToTfjs(link: Link, tensors: Tensors, values: 'gradients' | 'weights'): Float32Array {
  const parts = link.torch.map((name, i) => toTfjs(dataOf(tensors, name), link.layouts[i]))
  const [first, second] = parts
  if (link.biases === 'rows') return Float32Array.of(...first, ...second)
  if (link.biases === undefined) return first
  if (values === 'weights') return first.map((value, i) => value + second[i])
  checkAgreement(first, second, link.torch)
  return first
}

export function linkToTorch(link: Link, tensors: Tensors, values: 'gradients' | 'weights'): Float32Array[] {
  const data = dataOf(tensors, link.tfjs)
  if (link.biases === undefined) return [toTorch(data, link.layouts[0])]
  const half = data.length / 2
  const all = Array.from(data)
  const second = values === 'weights' ? new Float32Array(data.length) : all
  const parts = link.biases === 'rows' ? [all.slice(0, half), all.slice(half)] : [all, second]
  return parts.map((part, i) => toTorch(part, link.layouts[i]))
}

function dataOf(tensors: Tensors, name: string): ArrayLike<number> {
  return tensors.get(name)?.data ?? []
}

function checkAgreement(first: Float32Array, second: Float32Array, names: readonly string[]): void {
  const scale = first.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  const apart = first.findIndex((value, i) => !(Math.abs(value - second[i]) <= AGREEMENT * scale))
  if (apart < 0) return
  throw new DlgError(
    'invalid-gradients',
    `'${names[0]}' is ${first[apart]} and '${names[1]}' ${second[apart]} at ${apart}; as gradients of two added biases they must be equal; for weights pass values: 'weights'`,
  )
}
