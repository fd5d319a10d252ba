import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
})
