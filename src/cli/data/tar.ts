import { DlgError } from '../../errors/dlg-error'

export interface TarFile {
  readonly name: string
  readonly data: Uint8Array
}

const BLOCK = 512

/**
 * The regular files of a tar archive (POSIX ustar), in order; their data are views, not copies.
 *
 * @param name what the error messages call it
 * @throws DlgError `invalid-file` when a header's checksum is wrong or the archive ends early
 */
export function* tarFiles(archive: Uint8Array, name = 'archive'): Generator<TarFile> {
  for (let at = 0; at < archive.length; ) {
    const header = archive.subarray(at, at + BLOCK)
    if (header.every((byte) => byte === 0)) return
    if (header.length < BLOCK || checksum(header) !== octal(header, 148, 8))
      throw new DlgError(
        'invalid-file',
        `${name}: no tar header at byte ${at}: it is truncated, corrupt or not a tar file`,
      )
    const size = octal(header, 124, 12)
    const data = archive.subarray(at + BLOCK, at + BLOCK + size)
    const path = [text(header, 345, 155), text(header, 0, 100)].filter(Boolean).join('/')
    if (data.length !== size)
      throw new DlgError('invalid-file', `${name}: truncated, '${path}' has ${data.length} of its ${size} bytes`)
    const type = text(header, 156, 1)
    if (type === '' || type === '0') yield { name: path.replace(/^\.\//, ''), data }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
}

/** The sum of the header's bytes with its own field as spaces. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0)
}

const octal = (header: Uint8Array, at: number, length: number): number =>
  Number.parseInt(text(header, at, length).trim() || '0', 8)

function text(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end))
}
