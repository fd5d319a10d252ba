import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
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
  expect(() => checkFolder(folder.at('new/out'))).not.toThrow()
  expect(folder.names()).toEqual(['file'])
})
