import type { Redis } from 'ioredis'
import { DlgError } from '../../../errors/dlg-error'

/** A connection to the Redis of a queue. */
export interface Link {
  readonly redis: Redis
  /** The address without its password, for people. */
  readonly name: string
  /**
   * Runs commands.
   *
   * @throws DlgError `runtime` where Redis refuses them, or is gone for longer than the patience; `aborted` where it is gone when the signal
   * comes
   */
  ask<T>(work: () => Promise<T>): Promise<T>
  close(): void
}

/** Milliseconds between two tries to reach a Redis that is gone. */
const RETRY_MS = 250

/**
 * Connects to a Redis. A connection that breaks is tried again for `patience` seconds, or until the signal comes; meanwhile commands wait.
 *
 * @throws DlgError `invalid-option`, and `runtime` where it cannot be reached
 */
export async function openLink(url: string, patience: number, signal: AbortSignal): Promise<Link> {
  const name = nameOf(url)
  const { Redis } = await loadRedis()
  let [connected, lost, last] = [false, 0, 'no answer']
  const redis = new Redis(url, {
    ...{ lazyConnect: true, connectTimeout: 5000, disconnectTimeout: 100 },
    // BullMQ asks for it: a command waits for the connection as long as it takes
    maxRetriesPerRequest: null,
    retryStrategy(times) {
      if (times === 1) lost = Date.now()
      return connected && Date.now() - lost < 1000 * patience ? RETRY_MS : null
    },
  })
  redis.on('error', ({ message }) => {
    last = message
  })
  try {
    await redis.connect()
    await redis.ping()
  } catch (cause) {
    redis.disconnect()
    const words = cause instanceof Error && cause.name === 'ReplyError' ? cause.message : last
    throw new DlgError('runtime', `the queue ${name} cannot be used: ${words}`, { cause })
  }
  connected = true
  let look = () => {}
  // a command that waits for the connection ends with the process
  const interrupted = new Promise<never>((_, reject) => {
    look = () => {
      if (signal.aborted && redis.status !== 'ready')
        reject(new DlgError('aborted', `interrupted while the queue ${name} is gone`))
    }
  })
  interrupted.catch(() => {})
  signal.addEventListener('abort', look)
  redis.on('close', look)
  return {
    redis,
    name,
    async ask(work) {
      try {
        return await Promise.race([work(), interrupted])
      } catch (cause) {
        if (isInterruption(cause)) throw cause
        if (redis.status === 'end')
          throw new DlgError('runtime', `the queue ${name} is gone for more than ${patience} s: ${last}`, { cause })
        if (cause instanceof Error && cause.name === 'ReplyError')
          throw new DlgError('runtime', `the queue ${name} refuses a command: ${cause.message}`, { cause })
        throw cause
      }
    },
    close() {
      signal.removeEventListener('abort', look)
      redis.disconnect()
    },
  }
}

/** Whether commands were given up because the caller did not want to wait for them. */
export const isInterruption = (error: unknown): boolean => error instanceof DlgError && error.code === 'aborted'

/** @throws DlgError `invalid-option` */
function nameOf(url: string): string {
  let parsed: URL | undefined
  try {
    parsed = new URL(url)
  } catch {}
  if (parsed && ['redis:', 'rediss:'].includes(parsed.protocol) && parsed.hostname !== '')
    return `${parsed.protocol}//${parsed.host}${parsed.pathname === '/' ? '' : parsed.pathname}`
  // what was given may hold a password
  throw new DlgError(
    'invalid-option',
    '--queue is no address of a Redis; it must be one such as redis://localhost:6379',
  )
}

const INSTALL = 'npm install bullmq@6 ioredis@5'

async function loadRedis(): Promise<typeof import('ioredis')> {
  try {
    return await import('ioredis')
  } catch (cause) {
    throw missing('ioredis', cause)
  }
}

/** @throws DlgError `runtime` where it is not installed */
export async function loadBullmq(): Promise<typeof import('bullmq')> {
  try {
    return await import('bullmq')
  } catch (cause) {
    throw missing('bullmq', cause)
  }
}

const missing = (name: string, cause: unknown): DlgError =>
  new DlgError('runtime', `--queue needs ${name}, which cannot be loaded; install it with: ${INSTALL}`, { cause })
