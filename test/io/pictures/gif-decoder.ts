export interface DecodedFrame {
  /** Milliseconds. */
  delay: number
  /** 8-bit RGB, row-major. */
  rgb: number[]
}

export interface DecodedGif {
  width: number
  height: number
  /** Of the NETSCAPE2.0 extension: 0 for ever; undefined when the extension is missing. */
  loops: number | undefined
  frames: DecodedFrame[]
}

/** A GIF89a reader written from the specification: whole frames, no interlacing, no transparency. */
export function decodeGif(bytes: Uint8Array): DecodedGif {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const u16 = (at: number) => view.getUint16(at, true)
  let offset = 13
  const table = (flags: number) => {
    if (!(flags & 0x80)) return undefined
    const size = 3 * 2 ** ((flags & 7) + 1)
    offset += size
    return bytes.subarray(offset - size, offset)
  }
  const subBlocks = () => {
    const data: number[] = []
    while (bytes[offset] > 0) {
      data.push(...bytes.subarray(offset + 1, offset + 1 + bytes[offset]))
      offset += 1 + bytes[offset]
    }
    offset++
    return data
  }
  const global = table(bytes[10])
  const gif: DecodedGif = { width: u16(6), height: u16(8), loops: undefined, frames: [] }
  let delay = 0
  while (bytes[offset] !== 0x3b) {
    const kind = bytes[offset++]
    if (kind === 0x21) {
      const label = bytes[offset++]
      const data = subBlocks()
      if (label === 0xf9) delay = (data[1] | (data[2] << 8)) * 10
      if (label === 0xff && String.fromCharCode(...data.slice(0, 11)) === 'NETSCAPE2.0') {
        gif.loops = data[12] | (data[13] << 8)
      }
    } else if (kind === 0x2c) {
      const flags = bytes[offset + 8]
      offset += 9
      const colours = table(flags) ?? global!
      const minimumCodeSize = bytes[offset++]
      const indices = unlzw(subBlocks(), minimumCodeSize)
      gif.frames.push({ delay, rgb: indices.flatMap((i) => [...colours.subarray(i * 3, i * 3 + 3)]) })
    } else {
      throw new Error(`unknown GIF block ${kind}`)
    }
  }
  return gif
}

function unlzw(data: number[], minimumCodeSize: number): number[] {
  const clear = 1 << minimumCodeSize
  const out: number[] = []
  let table: number[][] = []
  let size = 0
  let previous: number[] | undefined
  const reset = () => {
    table = Array.from({ length: clear + 2 }, (_, i) => [i])
    size = minimumCodeSize + 1
    previous = undefined
  }
  reset()
  for (let bit = 0; ; ) {
    let code = 0
    for (let k = 0; k < size; k++, bit++) code |= ((data[bit >> 3] >> (bit & 7)) & 1) << k
    if (code === clear) {
      reset()
      continue
    }
    if (code === clear + 1) return out
    const entry: number[] = code < table.length ? table[code] : [...previous!, previous![0]]
    for (const index of entry) out.push(index)
    if (previous && table.length < 4096) table.push([...previous, entry[0]])
    previous = entry
    if (table.length === 1 << size && size < 12) size++
  }
}
