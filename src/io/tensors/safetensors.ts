import { DlgError } from '../../errors/dlg-error'
import { checkBytes, isRecord, isSize, quote } from '../bytes/untrusted'
import { duplicateKey } from './json-tensors'
import { dtypes, type SafetensorsData, type SafetensorsDtype } from './safetensors-dtype'

/** One tensor of a safetensors file, in the dtype of the file. */
export interface SafetensorsTensor {
  /** As stored in the file. */
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  /** Row-major, `shape`'s product long. */
  readonly data: SafetensorsData
}

/** The content of a safetensors file. */
export interface SafetensorsFile {
  /** By name, in the order of their bytes. */
  readonly tensors: Map<string, SafetensorsTensor>
  /** The `__metadata__` of the file; empty when it has none. */
  readonly metadata: Record<string, string>
}

/** As in the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000

interface Extent {
  readonly name: string
  /** As the header has it: maybe one that is not read. */
  readonly dtype: string
  readonly shape: number[]
  readonly begin: number
  readonly end: number
}

/**
 * Reads a safetensors file: `u64 header length | JSON header | tensor bytes`, all little-endian.
 *
 * Types that JavaScript has too keep their type; F16 and BF16 widen to Float32Array without loss; BOOL is 0 and 1 in a
 * Uint8Array; I64 and U64 become a Float64Array, exact because values beyond ±(2^53 - 1) are refused. The data are copies:
 * `bytes` may be unaligned and reused.
 *
 * @throws DlgError `invalid-data` when `bytes` is not a Uint8Array; `invalid-file` when the header lies: any byte must
 * belong to exactly one tensor, whose shape and dtype must account for it.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { tensors, metadata } = openSafetensors(bytes)
  return { tensors: new Map(tensors.map(({ name, read }) => [name, read()])), metadata }
}

/** A tensor whose place in the file is known and sound, and whose values are not read yet. */
export interface OpenSafetensor {
  readonly name: string
  /** As the header has it: maybe one that is not read. */
  readonly dtype: string
  /** @throws DlgError `invalid-file` for a type that is not read, or a value that JavaScript cannot hold */
  readonly read: () => SafetensorsTensor
}

/** Checks all of a file but its values, so that a tensor that nobody needs cannot refuse it. @throws DlgError as above */
export function openSafetensors(bytes: Uint8Array): { tensors: OpenSafetensor[]; metadata: Record<string, string> } {
  checkBytes(bytes, 'safetensors')
  const { header, start } = readHeader(bytes)
  const metadata = readMetadata(header)
  const extents = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readExtent(name, entry, bytes.length - start))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
  checkTiling(extents, bytes.length - start)

  const tensors = extents.map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    read: (): SafetensorsTensor => {
      const known = knownDtype(dtype)
      if (!known)
        throw invalid(
          `tensor ${quote(name)} has dtype ${quote(dtype)}; it must be one of ${Object.keys(dtypes).join(', ')}`,
        )
      // A copy, since a typed array needs an aligned start; Buffer.slice would not make one.
      const own = new Uint8Array(end - begin)
      own.set(bytes.subarray(start + begin, start + end))
      return { dtype: known, shape, data: dtypes[known].decode(own.buffer, quote(name)) }
    },
  }))
  return { tensors, metadata }
}

function knownDtype(dtype: string): SafetensorsDtype | undefined {
  return Object.hasOwn(dtypes, dtype) ? (dtype as SafetensorsDtype) : undefined
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) {
    throw invalid(`the file has ${bytes.length} bytes; it must have at least the 8 of the header length`)
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (length > MAX_HEADER_BYTES) {
    throw invalid(`the header length is ${length}; it must be at most ${MAX_HEADER_BYTES} bytes`)
  }
  const start = 8 + Number(length)
  if (start > bytes.length) {
    throw invalid(`the header length is ${length}, but only ${bytes.length - 8} bytes follow: the file is truncated`)
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start))
  } catch (cause) {
    throw invalid('the header is not UTF-8', cause)
  }
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (cause) {
    throw invalid('the header is not JSON', cause)
  }
  if (!isRecord(header)) throw invalid('the header is JSON but not an object; it must map names to tensors')
  const repeated = duplicateKey(text)
  if (repeated !== undefined) throw invalid(`the header has the name ${quote(repeated)} twice in one object`)
  return { header, start }
}

function readMetadata(header: Record<string, unknown>): Record<string, string> {
  if (!Object.hasOwn(header, '__metadata__')) return {}
  const metadata = header.__metadata__
  if (!isRecord(metadata)) throw invalid('__metadata__ must be an object of strings')
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw invalid(`__metadata__ ${quote(key)} is ${typeof value}; it must be a string`)
  }
  return metadata as Record<string, string>
}

function readExtent(name: string, entry: unknown, dataBytes: number): Extent {
  const tensor = `tensor ${quote(name)}`
  if (!isRecord(entry)) throw invalid(`${tensor} must be an object with dtype, shape and data_offsets`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') {
    throw invalid(`${tensor} has dtype ${quote(dtype)}; it must be one of ${Object.keys(dtypes).join(', ')}`)
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw invalid(`${tensor} has shape ${quote(shape)}; it must be a list of whole numbers from 0`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalid(`${tensor} has data_offsets ${quote(offsets)}; it must be two whole numbers from 0`)
  }
  const [begin, end] = offsets as [number, number]
  if (begin > end) throw invalid(`${tensor} begins at ${begin}, after its end at ${end}`)
  if (end > dataBytes) {
    throw invalid(`${tensor} ends at ${end}, outside the file: ${dataBytes} bytes follow the header`)
  }
  const known = knownDtype(dtype)
  // Checked at each step, so that a product beyond 2^53 cannot round to the right number or come back to 0.
  let size = known ? dtypes[known].size : 1
  for (const length of shape) {
    size *= length
    if (!Number.isSafeInteger(size)) throw invalid(`${tensor} has shape ${quote(shape)}, whose product is too large`)
  }
  // How many bytes an element of an unknown type has is not known either.
  if (known && size !== end - begin) {
    throw invalid(`${tensor} is ${dtype} ${quote(shape)}, ${size} bytes, but its data_offsets span ${end - begin}`)
  }
  return { name, dtype, shape, begin, end }
}

/** The extents, in order, must cover the data without overlap, hole or remainder. */
function checkTiling(extents: readonly Extent[], dataBytes: number): void {
  let covered = 0
  for (const { name, begin, end } of extents) {
    if (begin < covered) throw invalid(`tensor ${quote(name)} begins at ${begin}, overlapping the one before it`)
    if (begin > covered) throw invalid(`hole of ${begin - covered} bytes before tensor ${quote(name)}`)
    covered = end
  }
  if (covered < dataBytes) throw invalid(`${dataBytes - covered} trailing bytes after the last tensor`)
}

function invalid(message: string, cause?: unknown): DlgError {
  return new DlgError('invalid-file', `safetensors: ${message}`, { cause })
}
