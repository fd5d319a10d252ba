import { zipSync } from 'fflate'
import { knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkSize, maximumBytes, type ReadLimits, type ReadOptions } from '../bytes/limits'
import { checkBytes, quote } from '../bytes/untrusted'
import { readZipDirectory, unpackMember, type ZipMember } from '../bytes/zip'
import { openNpy, writeNpy } from './npy'
import { type NamedTensors, readAll, type StoredTensor } from './stored-tensor'
import { refuseByMembers } from './tensor-format'
import { requireTensorMap, type TensorToWrite } from './tensor-to-write'

/**
 * Reads an archive of arrays as `numpy.savez` and `numpy.savez_compressed` write it; see `parseNpy`.
 *
 * Sizes are checked before anything is inflated, and inflating stops at the declared size.
 *
 * @returns the arrays by name, without `.npy`, in the archive's order.
 * @throws DlgError `invalid-file` when the archive or an array is malformed, has other members, or exceeds
 * `maximumBytes`; `invalid-data` when `bytes` is not a Uint8Array; `invalid-option` for a wrong `maximumBytes`.
 */
export function parseNpz(bytes: Uint8Array, limits: ReadLimits = {}, name = 'npz'): NamedTensors {
  checkBytes(bytes, name)
  return readAll(openNpz(bytes, limits, name))
}

/** The arrays of an archive, one after the other, none of them read yet. @throws DlgError as {@link parseNpz} */
export function* openNpz(
  bytes: Uint8Array,
  limits: ReadOptions,
  name: string,
  ignored: (name: string) => boolean = () => false,
): Generator<StoredTensor> {
  const maximum = maximumBytes(bytes.length, limits)
  const directory = readZipDirectory(bytes, name)
  refuseByMembers(
    directory.map((member) => member.name),
    name,
  )
  const members = directory.filter((member) => !ignored(keyOf(member)))
  const inflated = members.reduce((sum, member) => sum + member.size, 0)
  checkSize(inflated, maximum, `${name}: inflates to`)

  const keys = new Set<string>()
  let total = 0
  for (const member of members) {
    const key = keyOf(member)
    if (key === member.name) {
      throw new DlgError('invalid-file', `${name}: member ${quote(member.name)} must be an array, with a name in .npy`)
    }
    if (keys.has(key)) throw new DlgError('invalid-file', `${name}: has two members named ${quote(member.name)}`)
    keys.add(key)
    const { values, ...array } = openNpy(unpackMember(member, name), `${name}: array ${quote(key)}`)
    total += values * Float32Array.BYTES_PER_ELEMENT
    checkSize(total, maximum, `${name}: as float32 holds`)
    yield { name: key, ...array }
  }
}

const keyOf = ({ name }: ZipMember): string => name.replace(/\.npy$/, '')

/** zip keeps times without a zone; a fixed one makes the same tensors the same file. */
const MODIFIED = new Date(1980, 0, 1)

/**
 * Writes tensors as `numpy.savez` does, or deflated as `numpy.savez_compressed` does; see `writeNpy`.
 *
 * @throws DlgError `invalid-data` when a shape is malformed or does not fit its data.
 */
export function writeNpz(
  tensors: ReadonlyMap<string, TensorToWrite>,
  options: { readonly compress?: boolean } = {},
): Uint8Array {
  knownNames('npz options', options, ['compress'])
  const { compress = false } = options
  requireTensorMap('npz', tensors)
  // With .npy no name looks like a number, so an object keeps the order; fromEntries makes even __proto__ its own.
  const files = [...tensors].map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor, `npz: array ${quote(name)}`)])
  return zipSync(Object.fromEntries(files), { level: compress ? 6 : 0, mtime: MODIFIED })
}
