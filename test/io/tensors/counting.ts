import type zlib from 'node:zlib'

/** What inflating took and gave since the last `reset`, in bytes. */
export const inflated = {
  packed: 0,
  produced: 0,
  reset(): void {
    inflated.packed = 0
    inflated.produced = 0
  },
}

/**
 * node:zlib that counts, for `vi.mock('node:zlib', …)`. A call that fails counts all that it was given and allowed: it may
 * have gone as far as that.
 */
export function countingZlib(original: typeof zlib): typeof zlib {
  const counted = (inflate: typeof zlib.inflateSync): typeof zlib.inflateSync =>
    ((bytes: Uint8Array, options: zlib.ZlibOptions = {}) => {
      inflated.packed += bytes.length
      try {
        const result = inflate(bytes, options)
        inflated.produced += result.length
        return result
      } catch (error) {
        inflated.produced += options.maxOutputLength ?? Number.POSITIVE_INFINITY
        throw error
      }
    }) as typeof zlib.inflateSync
  return {
    ...original,
    inflateSync: counted(original.inflateSync),
    inflateRawSync: counted(original.inflateRawSync),
  }
}

/** How often a built-in function is called while something runs: work that no clock measures. */
export function callsOf<K extends string>(owner: { [key in K]: unknown }, name: K, run: () => void): number {
  const original = owner[name] as (...values: unknown[]) => unknown
  let calls = 0
  owner[name] = function (this: unknown, ...values: unknown[]) {
    calls++
    return original.apply(this, values)
  }
  try {
    run()
  } finally {
    owner[name] = original
  }
  return calls
}
