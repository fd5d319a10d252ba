/** Encodes one protobuf message: fields are appended in any order, by number. */
export class Message {
  private readonly chunks: Uint8Array[] = []

  /** A varint: int64, int32 or enum, not negative but for −1 … as two's complement. */
  integer(field: number, value: number): this {
    return this.bytesOf(varint(field << 3), varint(value))
  }

  /** A 32-bit float. */
  float(field: number, value: number): this {
    return this.bytesOf(varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer))
  }

  /** A string, bytes or message. */
  bytes(field: number, value: string | Uint8Array | Message): this {
    const data =
      typeof value === 'string' ? new TextEncoder().encode(value) : value instanceof Message ? value.finish() : value
    return this.bytesOf(varint((field << 3) | 2), varint(data.length), data)
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.chunks.reduce((n, c) => n + c.length, 0))
    let at = 0
    for (const chunk of this.chunks) {
      out.set(chunk, at)
      at += chunk.length
    }
    return out
  }

  private bytesOf(...parts: Uint8Array[]): this {
    this.chunks.push(...parts)
    return this
  }
}

function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const out: number[] = []
  while (rest >= 128n) {
    out.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  out.push(Number(rest))
  return Uint8Array.from(out)
}
