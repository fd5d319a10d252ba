import type { DlgError } from '../../errors/dlg-error'

import type { StoredAs } from '../../numbers/stored-dtype'

import type { Float32Tensor, NamedTensors } from './float32-tensor'

/** A tensor of a file that is open: what it is, before its values are read. */
export interface StoredTensor extends StoredAs {
  readonly name: string
  /** The element type as the file calls it, for messages. */
  readonly type: string
  /** Why this element type is not read, where it is not: what `read` throws. */
  readonly refusal?: DlgError
  /** @throws DlgError `invalid-file` when a value is no float32, or the element type is not read */
  readonly read: () => Float32Tensor
}

/** @throws DlgError `invalid-file` for the first tensor that cannot be read */
export function readAll(stored: Iterable<StoredTensor>): NamedTensors {
  const tensors: NamedTensors = new Map()
  for (const { name, read } of stored) tensors.set(name, read())
  return tensors
}
