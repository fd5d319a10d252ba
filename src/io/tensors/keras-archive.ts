import { DlgError } from '../../errors/dlg-error'
import { checkSize, maximumBytes } from '../bytes/limits'
import { quote } from '../bytes/untrusted'
import { readZipDirectory, unpackMember, type ZipMember } from '../bytes/zip'

/** The parts of a `.keras` archive: its architecture as JSON, and its weights as HDF5. */
export interface KerasArchive {
  readonly config: Uint8Array
  readonly weights: Uint8Array
}

/** Whether these members are those of a `.keras` archive. */
const isKerasArchive = (members: readonly string[]): boolean =>
  members.includes('config.json') && members.includes('metadata.json')

/**
 * Unpacks `config.json` and `model.weights.h5` of an archive that `model.save('net.keras')` of Keras 3 wrote. Nothing else in
 * it is read, and nothing is run.
 *
 * @returns undefined for a zip archive of another kind
 * @throws DlgError `invalid-file` for a damaged archive, one without weights or with weights in several files
 */
export function openKerasArchive(bytes: Uint8Array, name: string): KerasArchive | undefined {
  const directory = readZipDirectory(bytes, name)
  if (!isKerasArchive(directory.map((member) => member.name))) return undefined
  const member = (wanted: string): ZipMember => {
    const found = directory.filter((each) => each.name === wanted)
    if (found.length === 1) return found[0]
    const why = directory.some((each) => each.name.startsWith('model_'))
      ? 'weights in several files; load it in Keras and save it without max_shard_size'
      : `${found.length} members named ${quote(wanted)}; it must have one`
    throw new DlgError('invalid-file', `${name}: has ${why}`)
  }
  const members = [member('config.json'), member('model.weights.h5')]
  const size = members.reduce((sum, each) => sum + each.size, 0)
  checkSize(size, maximumBytes(bytes.length, {}), `${name}: inflates to`)
  const [config, weights] = members.map((each) => unpackMember(each, name))
  return { config, weights }
}
