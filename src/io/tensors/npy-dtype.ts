import { DlgError } from '../../errors/dlg-error'
import type { StoredDtype } from '../../numbers/stored-dtype'
import { quote } from '../bytes/untrusted'
import { halfToNumber } from './safetensors-dtype'

export interface NpyDtype {
  /** Bytes per element. */
  readonly size: number
  /** Whole numbers must fit float32 exactly; floats are rounded to it. */
  readonly whole: boolean
  readonly stored: StoredDtype
  readonly read: (view: DataView, offset: number) => number | bigint
}

type Reader = (view: DataView, offset: number, littleEndian: boolean) => number | bigint

/** By numpy's kind and size, without the byte order. */
const READERS: Readonly<Record<string, Reader>> = {
  b1: (view, offset) => view.getUint8(offset),
  u1: (view, offset) => view.getUint8(offset),
  i1: (view, offset) => view.getInt8(offset),
  u2: (view, offset, little) => view.getUint16(offset, little),
  i2: (view, offset, little) => view.getInt16(offset, little),
  u4: (view, offset, little) => view.getUint32(offset, little),
  i4: (view, offset, little) => view.getInt32(offset, little),
  u8: (view, offset, little) => view.getBigUint64(offset, little),
  i8: (view, offset, little) => view.getBigInt64(offset, little),
  f2: (view, offset, little) => halfToNumber(view.getUint16(offset, little)),
  f4: (view, offset, little) => view.getFloat32(offset, little),
  f8: (view, offset, little) => view.getFloat64(offset, little),
}

const STORED: Readonly<Record<string, StoredDtype>> = {
  b1: 'bool',
  u1: 'uint8',
  i1: 'int8',
  u2: 'uint16',
  i2: 'int16',
  u4: 'uint32',
  i4: 'int32',
  u8: 'uint64',
  i8: 'int64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
}

/** Advice for each kind of element that is no number here, by numpy's letter. */
const REFUSED: Readonly<Record<string, string>> = {
  O: 'Python objects, a pickle, which can run code when it is read; save lists of arrays with np.savez(path, *arrays)',
  c: 'complex numbers; save real and imaginary part as two arrays',
  V: 'raw bytes or a type that numpy lacks, such as bfloat16; save with .astype(np.float32)',
  S: 'text',
  U: 'text',
  M: 'dates',
  m: 'durations',
}

/** How elements are read, or the DlgError `invalid-file` that names a type that is not read and what to do about it. */
export function npyDtype(descr: string, name: string): NpyDtype | DlgError {
  if (descr.startsWith('[')) {
    return new DlgError(
      'invalid-file',
      `${name}: has structured elements ${quote(descr)}; save each field as an array of its own`,
    )
  }
  const [, order = '', type = ''] = /^([<>|=]?)(.*)$/s.exec(descr) ?? []
  if (Object.hasOwn(REFUSED, type[0] ?? '')) {
    return new DlgError('invalid-file', `${name}: the elements, dtype ${quote(descr)}, are ${REFUSED[type[0]]}`)
  }
  const size = Number(type.slice(1))
  // Beyond a byte the order must be told: `=` means that of the machine, and a file does not say which.
  if (!Object.hasOwn(READERS, type) || (size > 1 && order !== '<' && order !== '>')) {
    const known = Object.keys(READERS).join(', ')
    return new DlgError('invalid-file', `${name}: dtype is ${quote(descr)}; it must be < or > and one of ${known}`)
  }
  const read = READERS[type]
  return {
    size,
    whole: type[0] !== 'f',
    stored: STORED[type],
    read: (view, offset) => read(view, offset, order !== '>'),
  }
}
