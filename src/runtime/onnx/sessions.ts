import type { InferenceSession } from 'onnxruntime-common'

/** Sessions that nobody uses and that are kept for the next attack on the same model, and how large they may be together. */
const MOST_IDLE = 4
const MOST_IDLE_BYTES = 2 ** 28

interface Entry {
  readonly key: string
  /** Length of the model. */
  readonly bytes: number
  readonly session: Promise<InferenceSession>
  users: number
}

/** Compiled sessions of this process, least recently used first. */
const entries: Entry[] = []

/** A session in use; give it back with `release`. */
export interface SessionLease {
  readonly session: InferenceSession
  release(): void
}

/**
 * The session of a model: compiled once in this process for the same graph and options, however many attacks use it.
 *
 * @param options what else decides the compiled program, as a string
 * @param create is given the model, and must not keep it: what closes over it lives as long as the session's users
 */
export async function leaseSession(
  model: Uint8Array,
  options: string,
  create: (model: Uint8Array) => Promise<InferenceSession>,
): Promise<SessionLease> {
  const key = `${options} ${model.length} ${digest(model)}`
  let entry = entries.find((e) => e.key === key)
  if (!entry) {
    entry = { key, bytes: model.length, session: create(model), users: 0 }
    entries.push(entry)
  }
  entry.users++
  try {
    const session = await entry.session
    let released = false
    return {
      session,
      release: () => {
        if (released) return
        released = true
        giveBack(entry)
      },
    }
  } catch (error) {
    remove(entry)
    throw error
  }
}

function giveBack(entry: Entry): void {
  entry.users--
  // most recently used last
  remove(entry)
  entries.push(entry)
  const idle = entries.filter((e) => e.users === 0).reverse()
  let bytes = 0
  for (const [i, old] of idle.entries()) {
    bytes += old.bytes
    // nobody waits for it, nor for its failure
    if (i >= MOST_IDLE || bytes > MOST_IDLE_BYTES) free(old).catch(() => {})
  }
}

/** Frees the compiled programs that no attack is using. */
export async function releaseCompiled(): Promise<void> {
  await Promise.all(entries.filter((e) => e.users === 0).map(free))
}

async function free(entry: Entry): Promise<void> {
  remove(entry)
  await (await entry.session).release()
}

function remove(entry: Entry): void {
  const at = entries.indexOf(entry)
  if (at >= 0) entries.splice(at, 1)
}

/** Odd numbers, by which a product loses nothing: the prime of FNV-1a, and three of xxHash's. */
const [FIRST, SECOND, THIRD, FOURTH] = [0x01000193, 0x9e3779b1, 0x85ebca77, 0xc2b2ae3d]

/**
 * 128 bits that tell models apart, in the manner of FNV-1a: each word of 32 bits goes into two of four sums, which are turned round at each step,
 * as a product takes a word's highest bit, the sign of a number, nowhere. Models are not kept to be compared, since they hold all weights. The last
 * bytes that make no whole word are left out: a model ends with the versions it is written in.
 */
export function digest(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  let a = 0x811c9dc5
  let b = a
  let c = a
  let d = a
  const whole = words.length & ~1
  for (let i = 0; i < whole; i += 2) {
    const even = words[i]
    const odd = words[i + 1]
    a = Math.imul((a << 17) ^ (a >>> 15) ^ even, FIRST)
    b = Math.imul((b << 13) ^ (b >>> 19) ^ even, SECOND)
    c = Math.imul((c << 17) ^ (c >>> 15) ^ odd, THIRD)
    d = Math.imul((d << 13) ^ (d >>> 19) ^ odd, FOURTH)
  }
  for (let i = whole; i < words.length; i++) {
    a = Math.imul((a << 17) ^ (a >>> 15) ^ words[i], FIRST)
    b = Math.imul((b << 13) ^ (b >>> 19) ^ words[i], SECOND)
  }
  return [a, b, c, d].map((sum) => (sum >>> 0).toString(16)).join(' ')
}
