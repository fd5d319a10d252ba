import { DlgError } from '../../src/errors/dlg-error'
import { uniform } from './pictures/random-image'
import { inflated } from './tensors/counting'

/** One seeded damage to a file: flipped or set bytes, a cut, a piece removed, doubled or moved, a number edited. */
export function mutate(valid: Uint8Array, next: () => number): Uint8Array {
  const at = (length: number) => Math.floor(next() * length)
  const bytes = Buffer.from(valid)
  const from = at(bytes.length)
  const piece = bytes.subarray(from, from + 1 + at(16))
  switch (at(6)) {
    case 0:
      for (let n = 1 + at(4); n > 0; n--) bytes[at(bytes.length)] ^= 1 << at(8)
      return bytes
    case 1:
      bytes[from] = [0, 0x22, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2d, 0x7f, 0xff][at(10)]
      return bytes
    case 2:
      return bytes.subarray(0, from)
    case 3:
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + piece.length)])
    case 4: {
      const to = at(bytes.length)
      return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)])
    }
    default: {
      const numbers = ['0', '-1', '1e9', '1e400', '0.5', '4294967296', '9007199254740993', '12']
      const text = bytes.toString('latin1')
      const start = text.slice(from).search(/\d/) + from
      const edited = text.slice(0, start) + text.slice(start).replace(/\d+/, numbers[at(numbers.length)])
      return Buffer.from(edited, 'latin1')
    }
  }
}

/** Fields of a safetensors header, wrong in some way that JSON allows. */
const DTYPES = [
  'F64',
  'F32',
  'F16',
  'BF16',
  'I64',
  'I32',
  'I16',
  'I8',
  'U64',
  'U32',
  'U16',
  'U8',
  'BOOL',
  'F8_E5M2',
  '',
  'f32',
]
const LENGTHS = [0, 1, 2, 3, 5, 10, 64, -1, 0.5, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e300, null, '2']

type Header = Record<string, Record<string, unknown>>

/**
 * One seeded damage to a safetensors file behind its header length, which stays true: fields of the header edited, entries
 * removed, renamed or doubled, data flipped, cut or grown. Unlike a flipped byte, this gets past the parsing of the header.
 */
export function mutateSafetensors(valid: Uint8Array, next: () => number): Uint8Array {
  const at = (length: number) => Math.floor(next() * length)
  const pick = <T>(values: readonly T[]): T => values[at(values.length)]
  const start = 8 + Number(new DataView(valid.buffer, valid.byteOffset).getBigUint64(0, true))
  const header = JSON.parse(Buffer.from(valid.subarray(8, start)).toString()) as Header
  let data = Buffer.from(valid.subarray(start))
  for (let n = 1 + at(3); n > 0; n--) {
    const name = pick(Object.keys(header))
    const entry = header[name] ?? {}
    const [shape, offsets] = [entry.shape, entry.data_offsets] as unknown[][]
    switch (at(9)) {
      case 0:
        entry.dtype = pick(DTYPES)
        break
      case 1:
        if (Array.isArray(shape)) shape[at(shape.length + 1)] = pick(LENGTHS)
        break
      case 2:
        if (Array.isArray(offsets)) offsets[at(2)] = pick([...LENGTHS, data.length, data.length + 1])
        break
      case 3:
        // A reshape that keeps the product is sound.
        if (Array.isArray(shape)) entry.shape = next() < 0.5 ? [...shape].reverse() : [1, ...shape]
        break
      case 4:
        delete header[name]
        header[pick(['__proto__x', 'constructor', '', '0', name])] = entry
        break
      case 5:
        entry[pick(['dtype', 'shape', 'data_offsets', 'more'])] = pick([null, [], {}, 'x', 7, [[]]])
        break
      case 6:
        header.__metadata__ = pick<Record<string, unknown>>([{}, { a: 'b' }, { a: 1 }])
        break
      case 7:
        if (data.length > 0) data[at(data.length)] ^= 1 << at(8)
        break
      default:
        data = pick([data.subarray(0, at(data.length + 1)), Buffer.concat([data, Buffer.alloc(at(9))]), data])
    }
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, data])
}

/** What a call may allocate beside the file's multiple: pools, streams and messages. */
const OVERHEAD_BYTES = 16 * 1024

/**
 * How often a reader accepted and refused damaged files; any other error, or too much work, fails.
 *
 * Work is counted and not timed: bytes inflated, into at most `growth` times the file, and, where `growth` is given, bytes of
 * array buffers on top of those that were there: garbage counts, so this bounds what the call allocated. That `read` checks
 * what it gets bounds the elements.
 */
export function survive(
  valid: Uint8Array,
  times: number,
  seed: number,
  read: (bytes: Uint8Array) => void,
  { growth, damage = mutate }: { growth?: number; damage?: typeof mutate } = {},
) {
  const next = uniform(seed)
  const count = { accepted: 0, refused: 0 }
  for (let i = 0; i < times; i++) {
    const bytes = damage(valid, next)
    const held = growth === undefined ? 0 : process.memoryUsage().arrayBuffers
    inflated.reset()
    try {
      read(bytes)
      count.accepted++
    } catch (error) {
      if (!(error instanceof DlgError)) throw new Error(`mutation ${i} of seed ${seed}`, { cause: error })
      if (error.code !== 'invalid-file') throw new Error(`mutation ${i} of seed ${seed}: ${error.code}`)
      count.refused++
    }
    // Plain comparisons, for expect costs more than most files.
    const most = (found: number, allowed: number, what: string) => {
      if (found > allowed)
        throw new Error(`mutation ${i} of seed ${seed}: ${found} bytes ${what}, at most ${allowed} allowed`)
    }
    most(inflated.packed, bytes.length, 'inflated')
    if (growth === undefined) continue
    most(inflated.produced, growth * bytes.length, 'made by inflating')
    most(process.memoryUsage().arrayBuffers - held, growth * bytes.length + OVERHEAD_BYTES, 'allocated')
  }
  return count
}
