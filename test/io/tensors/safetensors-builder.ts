export interface Part {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** A safetensors file of any dtypes, its header padded with spaces to a length. */
export function buildSafetensors(parts: readonly Part[], headerBytes?: number): Buffer {
  let offset = 0
  const entries = parts.map(({ name, dtype, shape, bytes }) => {
    const entry = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`
  })
  const json = `{${entries.join(',')}}`
  const header = Buffer.from(json.padEnd(headerBytes ?? Math.ceil(json.length / 8) * 8))
  if (headerBytes !== undefined && header.length !== headerBytes) throw new Error(`${header.length} bytes of header`)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, ...parts.map(({ bytes }) => bytes)])
}

export const bytesOf = (values: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
