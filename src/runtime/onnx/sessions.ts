import type { InferenceSession } from 'onnxruntime-common'

/** Sessions that nobody uses and that are kept for the next attack on the same model, and how large they may be together. */
const MOST_IDLE = 4
const MOST_IDLE_BYTES = 2 ** 28

interface Entry {
  readonly key: string
  readonly model: Uint8Array
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
 */
export async function leaseSession(
  model: Uint8Array,
  options: string,
  create: () => Promise<InferenceSession>,
): Promise<SessionLease> {
  const key = `${options} ${model.length} ${digest(model)}`
  let entry = entries.find((e) => e.key === key && equal(e.model, model))
  if (!entry) {
    entry = { key, model, session: create(), users: 0 }
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
    bytes += old.model.length
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

/** Most words that a digest reads. */
const DIGESTED = 2 ** 12

/** FNV-1a over some words of 32 bits, spread over the model; equal digests are compared word for word. */
function digest(bytes: Uint8Array): number {
  const all = words(bytes)
  const step = Math.ceil(all.length / DIGESTED)
  let hash = 0x811c9dc5
  for (let i = 0; i < all.length; i += step) hash = Math.imul(hash ^ all[i], 0x01000193)
  return hash >>> 0
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [words(a), words(b)]
  let i = 0
  while (i < left.length && left[i] === right[i]) i++
  return a.length === b.length && i === left.length
}

/** All but the last bytes that make no whole word: a model ends with the versions it is written in. */
const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
