import { zipSync } from 'fflate'
import { knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { unpackMember } from '../bytes/inflate'
import { checkSize, maximumBytes, type ReadLimits } from '../bytes/limits'
import { checkBytes, quote } from '../bytes/untrusted'
import { readZipDirectory } from '../bytes/zip-directory'
import type { NamedTensors } from './float32-tensor'
import { openNpy, writeNpy } from './npy'
import { refuseByMembers } from './refused-formats'
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
  const maximum = maximumBytes(bytes.length, limits)
  const members = readZipDirectory(bytes, name)
  refuseByMembers(
    members.map((member) => member.name),
    name,
  )
  const inflated = members.reduce((sum, member) => sum + member.size, 0)
  checkSize(inflated, maximum, `${name}: inflates to`)

  const tensors: NamedTensors = new Map()
  let total = 0
  for (const member of members) {
    const key = member.name.replace(/\.npy$/, '')
    if (key === member.name) {
      throw new DlgError(
        'invalid-file',
        `${name}: member ${quote(member.name)} should be an array, with a name in .npy`,
      )
    }
    if (tensors.has(key)) throw new DlgError('invalid-file', `${name}: has two members named ${quote(member.name)}`)
    const array = openNpy(unpackMember(member, name), `${name}: array ${quote(key)}`)
    total += array.values * Float32Array.BYTES_PER_ELEMENT
    checkSize(total, maximum, `${name}: as float32 holds`)
    tensors.set(key, array.read())
  }
  return tensors
}

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
