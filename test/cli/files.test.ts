import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkFolder, writeFiles } from '../../src/report/files'
import { thrown } from '../io/thrown'
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

const hours = (path: string, old: number) => {
  const then = Date.now() / 1000 - 3600 * old
  utimesSync(path, then, then)
}
const uuid = '01234567-89ab-4cde-8f01-23456789abcd'

it('removes what a killed run left, once it is old, and nothing else', () => {
  mkdirSync(folder.at('out'))
  const [beside, inside] = [`fresh.${uuid}.tmp`, `out/.dlg.${uuid}.tmp`]
  for (const name of [beside, inside, `fresh.${uuid.replace('0', 'f')}.tmp`])
    mkdirSync(folder.at(`${name}/deep`), { recursive: true })
  for (const name of [`other.${uuid}.tmp`, 'fresh.notes.tmp', 'out/mine.tmp']) writeFileSync(folder.at(name), '')
  for (const name of [beside, inside, `other.${uuid}.tmp`, 'fresh.notes.tmp', 'out/mine.tmp']) hours(folder.at(name), 2)
  writeFiles(folder.at('out'), files)
  expect(readdirSync(folder.at('out')).sort()).toEqual(['a.txt', 'b.bin', 'mine.tmp'])
  writeFiles(folder.at('fresh'), files)
  // one that is new may be at work, and others are not ours
  expect(folder.names()).toEqual(
    ['fresh', 'fresh.notes.tmp', `fresh.${uuid.replace('0', 'f')}.tmp`, `other.${uuid}.tmp`, 'out'].sort(),
  )
})

it.each(['out', 'a/b/c'])('tries a folder beforehand and leaves no trace: %s', (name) => {
  if (name === 'out') mkdirSync(folder.at(name))
  const before = folder.names()
  checkFolder(folder.at(name))
  expect(folder.names()).toEqual(before)
  if (name === 'out') expect(readdirSync(folder.at(name))).toEqual([])
})

// where a recursive mkdir of Node 20 never returns
it.runIf(existsSync('/proc/self'))('finds beforehand what is no place for files, and comes back', () => {
  for (const path of ['/proc/dlg', '/proc/dlg/deep/er', '/proc/self/task/dlg']) {
    for (const write of [() => checkFolder(path), () => writeFiles(path, files)]) {
      const error = thrown(write)
      expect([error.code, error.message]).toEqual([
        'invalid-file',
        expect.stringMatching(`^--out ${path}: cannot be written: E`),
      ])
    }
  }
})

/** Runs something as a user whom permissions bind: root may write anywhere. */
function asNobody(run: () => void): void {
  const isRoot = process.getuid?.() === 0
  if (isRoot) chmodSync(folder.at(''), 0o755)
  if (isRoot) process.seteuid!(65534)
  try {
    run()
  } finally {
    if (isRoot) process.seteuid!(0)
  }
}

it('finds beforehand a folder that is read-only', () => {
  mkdirSync(folder.at('locked'), { mode: 0o555 })
  asNobody(() => {
    for (const path of ['locked', 'locked/deep'])
      expect(thrown(() => checkFolder(folder.at(path))).message).toMatch(/cannot be written: EACCES/)
  })
})

it('writes into a folder of ours within one that is not', () => {
  mkdirSync(folder.at('theirs/ours'), { recursive: true })
  chmodSync(folder.at('theirs/ours'), 0o777)
  chmodSync(folder.at('theirs'), 0o555)
  asNobody(() => writeFiles(folder.at('theirs/ours'), files))
  expect(readdirSync(folder.at('theirs/ours')).sort()).toEqual(['a.txt', 'b.bin'])
  chmodSync(folder.at('theirs'), 0o755)
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

  it('that belongs to others', () => {
    mkdirSync(folder.at('closed'), { mode: 0o555 })
    asNobody(() => {
      expect(() => checkFolder(folder.at('closed/out'))).toThrow(/cannot be written: EACCES/)
      expect(() => checkFolder(folder.at('closed'))).toThrow(/cannot be written: EACCES/)
    })
  })
})

it('one that can be written is as it was after the check', () => {
  mkdirSync(folder.at('out'))
  writeFileSync(folder.at('out/mine'), 'mine')
  checkFolder(folder.at('out'), ['a.txt'])
  checkFolder(folder.at('out/deep/er/still'))
  expect(readdirSync(folder.at(''), { recursive: true }).sort()).toEqual(['out', 'out/mine'])
})
