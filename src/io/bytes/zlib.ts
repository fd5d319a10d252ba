import { inflateRawSync, inflateSync, type ZlibOptions } from 'node:zlib'

// The build for browsers takes zlib.browser.ts in place of this file.

/**
 * The bytes of a raw DEFLATE stream (RFC 1951), as zip archives hold it.
 *
 * @returns undefined when there are more than `most`: inflating stops there.
 * @throws Error when the stream is corrupt or ends early.
 */
export function inflateRaw(packed: Uint8Array, most: number): Uint8Array | undefined {
  // One chunk that is never filled: zlib would else collect pieces, and join them into as much memory again.
  return upTo(most, (limits) => inflateRawSync(packed, { ...limits, chunkSize: Math.max(64, most + 1) }))
}

/**
 * The bytes of a zlib stream (RFC 1950), as PNG holds it.
 *
 * @returns undefined when there are more than `most`: inflating stops there.
 * @throws Error when the stream is corrupt or ends early.
 */
export function inflateZlib(packed: Uint8Array, most: number): Uint8Array | undefined {
  return upTo(most, (limits) => inflateSync(packed, limits))
}

function upTo(most: number, inflate: (limits: ZlibOptions) => Uint8Array): Uint8Array | undefined {
  try {
    // zlib refuses a limit of 0.
    const bytes = inflate({ maxOutputLength: Math.max(1, most) })
    return bytes.length > most ? undefined : bytes
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw error
  }
}
