import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkFolder, writeFiles } from '../../src/report/files'
import { scratch } from './terminal'

const folder = scratch()
const files = { 'a.txt': 'new a', 'b.bin': new Uint8Array([1, 2]) }

it('makes a folder with all files', () => {
  writeFiles(folder.at('x/y/out'), files)
  expect(readdirSync(folder.at('x/y'))).toEqual(['out'])
  expect(readdirSync(folder.at('x/y/out')).sort()).toEqual(['a.txt', 'b.bin'])
  expect(readFileSync(folder.at('x/y/out/a.txt'), 'utf8')).toBe('new a')
})

it('replaces files of a folder and leaves others', () => {
  mkdirSync(folder.at('out'))
  writeFileSync(folder.at('out/a.txt'), 'old a')
  writeFileSync(folder.at('out/mine'), 'mine')
  writeFiles(folder.at('out/'), files)
  expect(readdirSync(folder.at('out')).sort()).toEqual(['a.txt', 'b.bin', 'mine'])
  expect(readFileSync(folder.at('out/a.txt'), 'utf8')).toBe('new a')
  expect(folder.names()).toEqual(['out'])
})

it('changes nothing when one file cannot go in', () => {
  mkdirSync(folder.at('out/b.bin'), { recursive: true })
  writeFileSync(folder.at('out/a.txt'), 'old a')
  expect(() => writeFiles(folder.at('out'), files)).toThrow(/b\.bin: is a folder/)
  expect(readFileSync(folder.at('out/a.txt'), 'utf8')).toBe('old a')
  expect(folder.names()).toEqual(['out'])
})

it('says what is in the way', () => {
  writeFileSync(folder.at('file'), '')
  expect(() => checkFolder(folder.at('file/out'))).toThrow(/file is a file; give a folder/)
  expect(() => writeFiles(folder.at('file/out'), files)).toThrow(/cannot be written/)
  checkFolder(folder.at('new/out'))
  expect(folder.names()).toEqual(['file'])
})

describe('a folder that cannot be written is found before, and nothing stays', () => {
  it.each([
    ['below a file', 'file/out', /file is a file; give a folder/],
    ['a file itself', 'file', /file is a file; give a folder/],
    ['with a name that is too long', `new/${'x'.repeat(255)}`, /--out .*: cannot be written: ENAMETOOLONG/],
    ['where there is a folder in the place of a file', 'out', /out\/a\.txt: is a folder, where a file must go/],
  ])('%s', (_, name, message) => {
    writeFileSync(folder.at('file'), '')
    mkdirSync(folder.at('out/a.txt'), { recursive: true })
    const before = readdirSync(folder.at(''), { recursive: true })
    expect(() => checkFolder(folder.at(name), ['a.txt'])).toThrow(message)
    expect(readdirSync(folder.at(''), { recursive: true })).toEqual(before)
  })

  it.skipIf(process.platform !== 'linux')('in a file system that takes no files, whoever asks', () => {
    expect(() => checkFolder('/proc/none/out')).toThrow(/--out \/proc\/none\/out: cannot be written: /)
    // the folder is there, and what goes into it or beside it is refused
    expect(() => checkFolder('/proc/self')).toThrow(/--out \/proc\/self: cannot be written: /)
  })

  it.skipIf(process.getuid?.() === 0)('that belongs to others', () => {
    mkdirSync(folder.at('closed'), { mode: 0o555 })
    expect(() => checkFolder(folder.at('closed/out'))).toThrow(/cannot be written: EACCES/)
    expect(() => checkFolder(folder.at('closed'))).toThrow(/cannot be written: EACCES/)
  })
})

it('one that can be written is as it was after the check', () => {
  mkdirSync(folder.at('out'))
  writeFileSync(folder.at('out/mine'), 'mine')
  checkFolder(folder.at('out'), ['a.txt'])
  checkFolder(folder.at('out/deep/er/still'))
  expect(readdirSync(folder.at(''), { recursive: true }).sort()).toEqual(['out', 'out/mine'])
})
