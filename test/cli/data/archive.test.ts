import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cachedArchive, cacheFolder, readArchive } from '../../../src/cli/data'

const bytes = Buffer.from('the archive')
const archive = {
  url: 'https://www.invalid/folder/set.tar.gz',
  md5: createHash('md5').update(bytes).digest('hex'),
}

let env: { XDG_CACHE_HOME: string; DLG_DATA_URL: string }
let requests: string[]
let answer: RequestListener
let server: Server

beforeEach(async () => {
  requests = []
  answer = (_, response) => response.end(bytes)
  server = createServer((request, response) => {
    requests.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  env = { XDG_CACHE_HOME: mkdtempSync(join(tmpdir(), 'dlg-cache-')), DLG_DATA_URL: `http://127.0.0.1:${port}/mirror/` }
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(env.XDG_CACHE_HOME, { recursive: true })
})

const kept = (): string[] => (existsSync(cacheFolder(env)) ? readdirSync(cacheFolder(env)) : [])

describe('the cache', () => {
  it('is where the system has its caches', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/caches' })).toBe('/caches/dlg-ts')
    expect(cacheFolder({})).toBe(join(homedir(), '.cache/dlg-ts'))
  })
})

describe('readArchive', () => {
  it('downloads once, with progress, and then reads the cache', async () => {
    const seen: unknown[] = []
    answer = (_, response) => {
      response.setHeader('content-length', bytes.length)
      response.end(bytes)
    }
    const options = { env, onProgress: (...args: unknown[]) => seen.push(args) }
    expect(Buffer.from(await readArchive(archive, options))).toEqual(bytes)
    expect(seen).toEqual([[bytes.length, bytes.length]])
    expect(Buffer.from(await readArchive(archive, { env }))).toEqual(bytes)
    expect(requests).toEqual(['/mirror/set.tar.gz'])
    expect(readFileSync(cachedArchive(archive, env))).toEqual(bytes)
    expect(kept()).toEqual(['set.tar.gz'])
  })

  it('takes what was put there by hand', async () => {
    mkdirSync(cacheFolder(env), { recursive: true })
    writeFileSync(cachedArchive(archive, env), bytes)
    expect(Buffer.from(await readArchive(archive, { env }))).toEqual(bytes)
    expect(requests).toEqual([])
  })

  it('refuses a damaged file in the cache, and leaves it', async () => {
    mkdirSync(cacheFolder(env), { recursive: true })
    writeFileSync(cachedArchive(archive, env), bytes.subarray(1))
    await expect(readArchive(archive, { env })).rejects.toThrow(
      /set\.tar\.gz: truncated or corrupt, its MD5 is .* delete/,
    )
    expect(kept()).toEqual(['set.tar.gz'])
  })

  it('keeps nothing of another file', async () => {
    answer = (_, response) => response.end('<html>log in first</html>')
    await expect(readArchive(archive, { env })).rejects.toThrow(/has the MD5 .* nothing was kept/)
    expect(kept()).toEqual([])
  })

  it.each<[string, RequestListener, string]>([
    ['a missing file', (_, response) => response.writeHead(404).end(), 'HTTP status 404'],
    [
      'a connection that breaks',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('part')
        setTimeout(() => response.destroy(), 20)
      },
      'UND_ERR_SOCKET',
    ],
  ])('says where to put it after %s', async (_, listener, why) => {
    answer = listener
    const path = cachedArchive(archive, env)
    await expect(readArchive(archive, { env })).rejects.toThrow(
      `${env.DLG_DATA_URL}set.tar.gz cannot be downloaded (${why}); download it elsewhere and put it at ${path}`,
    )
    expect(kept()).toEqual([])
  })

  it('says where to put it without a network', async () => {
    await new Promise((resolve) => server.close(resolve))
    await expect(readArchive(archive, { env })).rejects.toMatchObject({
      code: 'invalid-file',
      message: expect.stringMatching(
        /cannot be downloaded \(ECONNREFUSED\); download it elsewhere and put it at .*set\.tar\.gz$/,
      ),
    })
  })

  it('keeps nothing when interrupted', async () => {
    const controller = new AbortController()
    answer = (_, response) => {
      response.write('part')
      controller.abort()
    }
    await expect(readArchive(archive, { env, signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' })
    expect(kept()).toEqual([])
  })
})
