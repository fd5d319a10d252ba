import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { DlgError } from '../../errors/dlg-error'
import { writeFileAtomic } from '../../io'

/** A file that is published at an address, and what it must be. */
export interface Archive {
  readonly url: string
  readonly md5: string
}

export interface ArchiveOptions {
  /** `XDG_CACHE_HOME` moves the cache; `DLG_DATA_URL` is a folder to download from instead of the official one. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  /** Bytes so far, and of how many where the server says. */
  readonly onProgress?: (received: number, total: number | undefined) => void
}

/** Well above any archive here. A server that sends for ever must not fill the memory. */
const MAX_BYTES = 1024 ** 3

type Env = NonNullable<ArchiveOptions['env']>

/** Where downloads are kept: `$XDG_CACHE_HOME/dlg-ts`, or `~/.cache/dlg-ts`. */
export const cacheFolder = (env: Env = process.env): string =>
  join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dlg-ts')

/** Where an archive is kept once it has been downloaded. */
export const cachedArchive = (archive: Archive, env: Env = process.env): string =>
  join(cacheFolder(env), basename(archive.url))

/**
 * The bytes of an archive: from the cache, else downloaded into it. Its digest is checked either way.
 *
 * @throws DlgError `invalid-file` when it cannot be had, saying what to download and where to put it, or when it is not
 * what it should be; `aborted`
 */
export async function readArchive(archive: Archive, options: ArchiveOptions = {}): Promise<Uint8Array> {
  const { env = process.env } = options
  const path = cachedArchive(archive, env)
  const cached = readIfThere(path)
  if (cached) {
    const found = md5(cached)
    if (found === archive.md5) return cached
    throw new DlgError(
      'invalid-file',
      `${path}: truncated or corrupt, its MD5 is ${found} and must be ${archive.md5}; delete it to download it again`,
    )
  }
  const url = env.DLG_DATA_URL ? `${env.DLG_DATA_URL.replace(/\/$/, '')}/${basename(archive.url)}` : archive.url
  const bytes = await download(url, options).catch((cause) => {
    if (options.signal?.aborted) throw new DlgError('aborted', 'the download was interrupted', { cause })
    throw new DlgError(
      'invalid-file',
      `${url} cannot be downloaded (${reason(cause)}); download it elsewhere and put it at ${path}`,
      { cause },
    )
  })
  const found = md5(bytes)
  if (found !== archive.md5)
    throw new DlgError(
      'invalid-file',
      `${url} has the MD5 ${found} and must have ${archive.md5}: the download was cut short or is another file; nothing was kept`,
    )
  writeFileAtomic(path, bytes)
  return bytes
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return statSync(path).size <= MAX_BYTES ? readFileSync(path) : new Uint8Array()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new DlgError('invalid-file', `${path}: cannot be read: ${message}`, { cause })
  }
}

async function download(url: string, { signal, onProgress }: ArchiveOptions): Promise<Uint8Array> {
  const response = await fetch(url, { signal })
  if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`)
  const total = Number(response.headers.get('content-length')) || undefined
  const chunks: Uint8Array[] = []
  let received = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    received += chunk.length
    if (received > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`)
    onProgress?.(received, total)
  }
  return Buffer.concat(chunks)
}

/** fetch hides what happened one level down. */
function reason(error: Error): string {
  const inner = error.cause as NodeJS.ErrnoException | undefined
  return inner?.code ?? inner?.message ?? error.message
}
