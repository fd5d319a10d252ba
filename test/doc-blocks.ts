import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A ```ts block of a page: a program that a reader may copy. */
export interface Block {
  /** Page and number, such as `docs/guides/exact.md 2`. */
  readonly name: string
  readonly code: string
}

/** The pages that show code: the README and everything under docs. */
export const pages: readonly string[] = [
  'README.md',
  ...['docs', 'docs/guides'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `${folder}/${file}`),
  ),
]

/** All blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code], i) => ({ name: `${page} ${i + 1}`, code }))
}

/** Writes every block as a file of a folder; returns the paths, by block. */
export function writeBlocks(folder: string, change: (code: string) => string = (code) => code): Map<Block, string> {
  mkdirSync(folder, { recursive: true })
  return new Map(
    pages.flatMap(blocksOf).map((block) => {
      const path = join(folder, `${block.name.replace(/\W+/g, '-')}.ts`)
      writeFileSync(path, change(block.code))
      return [block, path]
    }),
  )
}
