import type { Redis } from 'ioredis'
import { isRecord } from '../../../io/bytes/untrusted'

/** An audit that waits for workers: what it needs of them beside the audit file. */
export interface Announcement {
  /** The key of its plan. */
  readonly plan: string
  /** The file that it was started with, for people. */
  readonly config: string
  /** Version of the package: others may compute other numbers. */
  readonly version: string
  readonly overrides: { readonly evaluations?: number; readonly seed?: number }
  /** Whether what was found must not leave a worker. */
  readonly redact: boolean
  /** Names the process that appends to the run: there must be one. */
  readonly owner: string
}

/** Keys and queues of this package begin with it. */
export const PREFIX = 'dlg'

const ALL = `${PREFIX}:audits`
const keyOf = (plan: string): string => `${PREFIX}:audit:${plan}`

/** Seconds for which an announcement stands without a sign of life. */
export const LEASE_S = 10

/** Announces an audit, or says again that it is alive. @returns whether this process owns it; `lost` where Redis had forgotten it */
export async function announce(redis: Redis, own: Announcement): Promise<'owned' | 'lost' | 'taken'> {
  const key = keyOf(own.plan)
  const there = await redis.get(key)
  if (there !== null && parsed(there)?.owner !== own.owner) return 'taken'
  const words = JSON.stringify(own)
  const set =
    there === null ? await redis.set(key, words, 'EX', LEASE_S, 'NX') : await redis.set(key, words, 'EX', LEASE_S)
  if (set === null) return 'taken'
  await redis.sadd(ALL, own.plan)
  return there === null ? 'lost' : 'owned'
}

/** Takes an announcement back. */
export async function withdraw(redis: Redis, { plan }: Announcement): Promise<void> {
  await redis.srem(ALL, plan)
  await redis.del(keyOf(plan))
}

/** Every audit that waits for workers. */
export async function announced(redis: Redis): Promise<Announcement[]> {
  const plans = await redis.smembers(ALL)
  const found = await Promise.all(plans.map((plan) => redis.get(keyOf(plan))))
  return found.flatMap((words) => parsed(words) ?? [])
}

/** Milliseconds for which a worker still waits for an audit that is taken back: a Redis that forgot it is told of it again meanwhile. */
const FORGOTTEN_MS = (1000 * LEASE_S) / 3

/** Milliseconds for which a worker still waits where no sign of life came: the audit may have been killed, and started again. */
const LAPSED_MS = 1000 * LEASE_S

/** Tells, each time that it is asked, whether an audit waits for workers no more. */
export function isOver(redis: Redis, plan: string): () => Promise<boolean> {
  let missed: number | undefined
  return async () => {
    const [isThere, isListed] = await Promise.all([redis.exists(keyOf(plan)), redis.sismember(ALL, plan)])
    if (isThere === 1) {
      missed = undefined
      return false
    }
    missed ??= Date.now()
    return Date.now() - missed >= (isListed === 1 ? LAPSED_MS : FORGOTTEN_MS)
  }
}

function parsed(words: string | null): Announcement | undefined {
  try {
    const given: unknown = JSON.parse(words ?? 'null')
    const isOne =
      isRecord(given) &&
      [given.plan, given.config, given.version, given.owner].every((text) => typeof text === 'string') &&
      typeof given.redact === 'boolean' &&
      isRecord(given.overrides)
    return isOne ? (given as unknown as Announcement) : undefined
  } catch {
    return undefined
  }
}
