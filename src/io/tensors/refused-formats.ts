import { DlgError } from '../../errors/dlg-error'
import { startsWith } from '../bytes/untrusted'

const TO_SAFETENSORS = `from safetensors.torch import save_file
save_file({k: v.contiguous() for k, v in torch.load('IN', map_location='cpu', weights_only=True).items()}, 'OUT.safetensors')`

const PICKLE = `a Python pickle, which can run code when it is read, so it never is; if you trust it, convert it in Python:\n${TO_SAFETENSORS}`

const HDF5 = `HDF5; convert Keras weights in Python:\nmodel = keras.models.load_model('IN')\nnp.savez('OUT.npz', **{w.path: w.numpy() for w in model.weights})`

/** A format that is known and not read. */
export type RefusedFormat = 'pickle' | 'HDF5' | 'GGUF' | 'gzip'

interface Refused {
  readonly format: RefusedFormat
  readonly signature: readonly number[]
  readonly is: string
}

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0))

/** Formats that are known but not read, by their first bytes, with the way to one that is. */
const BY_SIGNATURE: readonly Refused[] = [
  ...[2, 3, 4, 5].map((protocol) => ({ format: 'pickle' as const, signature: [0x80, protocol], is: PICKLE })),
  { format: 'HDF5', signature: [0x89, ...ascii('HDF')], is: HDF5 },
  {
    format: 'GGUF',
    signature: ascii('GGUF'),
    is: `GGUF; convert it in Python, of which only float tensors keep their values:\nfrom gguf import GGUFReader\nnp.savez('OUT.npz', **{t.name: t.data for t in GGUFReader('IN').tensors})`,
  },
  { format: 'gzip', signature: [0x1f, 0x8b], is: 'compressed with gzip; gunzip it first' },
]

const PICKLE_EXTENSION = /\.(pt|pth|ckpt|pkl|pickle|bin)$/i

const refusedBy = (bytes: Uint8Array): Refused | undefined =>
  BY_SIGNATURE.find(({ signature }) => startsWith(bytes, signature))

/** The format by the first bytes. Ask for the structure of safetensors before: its first bytes can be any of these. */
export const signatureOf = (bytes: Uint8Array): RefusedFormat | undefined => refusedBy(bytes)?.format

/** @throws DlgError `invalid-file` naming the format and how to convert it, when the bytes are of one that is not read. */
export function refuseBySignature(bytes: Uint8Array, name: string): void {
  const refused = refusedBy(bytes)
  if (refused) throw new DlgError('invalid-file', `${name}: is ${refused.is}`)
}

/** Like {@link refuseBySignature}, for an archive, by its members: PyTorch and Keras keep theirs in zip too. */
export function refuseByMembers(members: readonly string[], name: string): void {
  if (members.some((member) => /(^|\/)data\.pkl$/.test(member))) {
    throw new DlgError('invalid-file', `${name}: is a PyTorch file, ${PICKLE}`)
  }
  if (members.some((member) => member.endsWith('.h5'))) {
    throw new DlgError('invalid-file', `${name}: is a Keras archive of ${HDF5}`)
  }
}

/** Like {@link refuseBySignature}, by a file's name, where its content does not tell. */
export function refuseByExtension(path: string): void {
  if (PICKLE_EXTENSION.test(path)) throw new DlgError('invalid-file', `${path}: by its name is ${PICKLE}`)
}
