import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tarFiles } from '../../../src/cli/data'
import { header, tar } from './archive-files'

const list = (archive: Uint8Array) => [...tarFiles(archive, 'x.tar')].map(({ name, data }) => [name, data.length])

describe('tarFiles', () => {
  it('reads what tar writes, without its folders', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dlg-tar-'))
    writeFileSync(join(folder, 'a.bin'), new Uint8Array(1000).fill(7))
    writeFileSync(join(folder, 'empty'), '')
    execFileSync('tar', ['--format=ustar', '-cf', join(folder, 'x.tar'), '-C', folder, './a.bin', './empty'])
    const files = [...tarFiles(readFileSync(join(folder, 'x.tar')))]
    rmSync(folder, { recursive: true })
    expect(files.map((f) => f.name)).toEqual(['a.bin', 'empty'])
    expect([...files[0].data]).toEqual(new Array(1000).fill(7))
  })

  it('joins long paths and skips what is not a file', () => {
    const archive = Buffer.concat([header('folder/', 0, '5'), header('name', 0, '0', 'long/path'), Buffer.alloc(1024)])
    expect(list(archive)).toEqual([['long/path/name', 0]])
  })

  it('says where an archive is damaged', () => {
    const archive = tar({ 'a.bin': new Uint8Array(600), 'b.bin': 'text' })
    expect(() => list(archive.subarray(0, 900))).toThrow("x.tar: truncated, 'a.bin' has 388 of its 600 bytes")
    expect(() => list(archive.subarray(0, 1700))).toThrow('x.tar: no tar header at byte 1536')
    const flipped = Buffer.from(archive)
    flipped[3] ^= 1
    expect(() => list(flipped)).toThrow('x.tar: no tar header at byte 0')
  })
})
