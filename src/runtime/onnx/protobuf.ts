const utf8 = new TextEncoder()

/** Bytes of the length of a message. */
const LENGTH_BYTES = 5

/** Writes protobuf messages, fields in any order, into one buffer that grows. */
export class ProtobufWriter {
  private buffer: Uint8Array
  private length = 0

  /** @param capacity bytes that are expected */
  constructor(capacity: number) {
    this.buffer = new Uint8Array(Math.max(capacity, 64))
  }

  /** A varint: int64, int32 or enum. */
  integer(field: number, value: number): this {
    return this.varint(field << 3).varint(value)
  }

  /** A 32-bit float. */
  float(field: number, value: number): this {
    return this.varint((field << 3) | 5).raw(new Uint8Array(Float32Array.of(value).buffer))
  }

  /** A string or bytes. */
  bytes(field: number, value: string | Uint8Array): this {
    const data = typeof value === 'string' ? utf8.encode(value) : value
    return this.varint((field << 3) | 2)
      .varint(data.length)
      .raw(data)
  }

  /** A message, which `write` fills. Its length stands before it, in five bytes of a varint, and is known afterwards. */
  message(field: number, write: () => void): this {
    this.varint((field << 3) | 2).reserve(LENGTH_BYTES)
    this.length += LENGTH_BYTES
    const begin = this.length
    write()
    let rest = this.length - begin
    for (let i = LENGTH_BYTES; i > 0; i--, rest = Math.floor(rest / 128))
      this.buffer[begin - i] = (rest % 128) | (i > 1 ? 128 : 0)
    return this
  }

  /** All that was written. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  private varint(value: number): this {
    if (value < 0) return this.negative(value)
    this.reserve(8)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 128
    this.buffer[this.length++] = rest
    return this
  }

  /** Two's complement of 64 bits, always ten bytes. */
  private negative(value: number): this {
    const bits = BigInt.asUintN(64, BigInt(value))
    return this.raw(
      Uint8Array.from({ length: 10 }, (_, i) => Number((bits >> BigInt(7 * i)) & 127n) | (i < 9 ? 128 : 0)),
    )
  }

  private raw(data: Uint8Array): this {
    this.reserve(data.length)
    this.buffer.set(data, this.length)
    this.length += data.length
    return this
  }

  private reserve(bytes: number): this {
    if (this.length + bytes <= this.buffer.length) return this
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.length + bytes))
    larger.set(this.buffer)
    this.buffer = larger
    return this
  }
}
