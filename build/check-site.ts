/**
 * Follows every link of a built site and fails where one does not open a page.
 *
 *   npx tsx build/check-site.ts docs/site
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Every link of a folder of pages that is broken, as `page: link, reason`. Links to other sites are not followed. */
export function brokenLinks(site: string): string[] {
  const pages = new Map(
    readdirSync(site, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.html'))
      .map((file) => [file, readFileSync(join(site, file), 'utf8')]),
  )
  if (pages.size === 0) return [`${site}: there are no pages`]
  const anchors = new Map([...pages].map(([file, html]) => [file, new Set(all(html, /\s(?:id|name)="([^"]*)"/g))]))
  const reasonAgainst = (page: string, link: string): string | undefined => {
    const [path, fragment] = decodeURI(link).split('#')
    const target = path === '' ? page : relative(site, join(site, dirname(page), path))
    if (path !== '' && !existsSync(join(site, target))) return 'there is no such file'
    if (/\.(md|ts)$/.test(target)) return 'it opens a source file, not a page'
    if (fragment && !target.endsWith('.svg') && !anchors.get(target)?.has(fragment))
      return 'the page has no such heading'
    return undefined
  }
  return [...pages].flatMap(([page, html]) =>
    [...new Set(all(html, /\s(?:href|src)="([^"]*)"/g))]
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => [link, reasonAgainst(page, link)])
      .filter(([, reason]) => reason)
      .map(([link, reason]) => `${page}: ${link}, ${reason}`),
  )
}

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found)

if (process.argv[1]?.endsWith('check-site.ts')) {
  const broken = brokenLinks(process.argv[2])
  for (const line of broken) console.error(line)
  console.log(broken.length === 0 ? 'every link of the site opens a page' : `${broken.length} links are broken`)
  if (broken.length > 0) process.exitCode = 1
}
