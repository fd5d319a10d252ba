import { randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeFileAtomic } from '../../../src/io'
import { thrown } from '../thrown'

describe('writeFileAtomic', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dlg-atomic-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('makes the folder, writes, replaces, and leaves nothing else behind', () => {
    const path = join(folder, 'a', 'b', 'out.bin')
    writeFileAtomic(path, Uint8Array.of(1, 2, 3))
    expect([...readFileSync(path)]).toEqual([1, 2, 3])
    writeFileAtomic(path, 'text é')
    expect(readFileSync(path, 'utf8')).toBe('text é')
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['out.bin'])
  })

  it('on failure names the path, keeps what was there and removes the temporary file', () => {
    const path = join(folder, 'taken')
    mkdirSync(path)
    writeFileSync(join(path, 'inside'), 'kept')
    const error = thrown(() => writeFileAtomic(path, 'x'))
    expect(error.code).toBe('invalid-file')
    expect(error.message.startsWith(`${path}: cannot be written: `)).toBe(true)
    expect(readFileSync(join(path, 'inside'), 'utf8')).toBe('kept')
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('refuses a folder that is a file', () => {
    const file = join(folder, 'file')
    writeFileSync(file, 'kept')
    const error = thrown(() => writeFileAtomic(join(file, 'x'), 'y'))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toContain(`${join(file, 'x')}: cannot be written: `)
    expect(readFileSync(file, 'utf8')).toBe('kept')
  })

  it('removes what a killed process left for the same path, once it is an hour old', () => {
    const path = join(folder, 'data.bin')
    const left = (prefix: string, minutes: number) => {
      const name = `${prefix}.${randomUUID()}.tmp`
      writeFileSync(join(folder, name), 'half')
      const then = Date.now() / 1000 - 60 * minutes
      utimesSync(join(folder, name), then, then)
      return name
    }
    const [stale, other, recent] = [left('data.bin', 61), left('data.bin.gz', 600), left('data.bin', 50)]
    writeFileAtomic(path, 'whole')
    const names = readdirSync(folder)
    expect(names).not.toContain(stale)
    expect(names).toEqual(expect.arrayContaining([other, recent, 'data.bin']))
  })

  it.runIf(existsSync('/proc/self'))('comes back from a place where no folder can be made', () => {
    expect(thrown(() => writeFileAtomic('/proc/dlg/a/b.txt', 'x')).message).toMatch(/^\/proc\/dlg\/a\/b.txt: cannot be/)
  })
})
