import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** One import of a file: a package's name, or the path of one of our own files. */
export interface Import {
  readonly from: string
  readonly typeOnly: boolean
  /** Loaded only when its code runs. */
  readonly dynamic?: boolean
}

/** Every TypeScript file under src, as `src/…`. */
export const sources: readonly string[] = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => `src/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))

/** What a file imports or re-exports, dynamic imports among them. */
export function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const statements = [...text.matchAll(/^(?:import|export) ([^'"]*? from )?'([^']+)'/gm)]
  const dynamic = [...text.matchAll(/import\('([^']+)'\)/g)].map(([, from]) => ({
    from,
    typeOnly: false,
    dynamic: true,
  }))
  const found = statements.map(([, clause = '', from]) => {
    const names =
      /^\{([^}]*)\}/
        .exec(clause)?.[1]
        .split(',')
        .map((name) => name.trim()) ?? []
    const typeOnly = clause.startsWith('type ') || (names.length > 0 && names.every((n) => !n || n.startsWith('type ')))
    return { from, typeOnly, dynamic: false }
  })
  return [...found, ...dynamic].map(({ from, ...rest }) => ({
    from: from.startsWith('.') ? sourceOf(normalize(join(dirname(file), from))) : from,
    ...rest,
  }))
}

const sourceOf = (path: string): string =>
  [path, `${path}.ts`, `${path}/index.ts`].find((p) => sources.includes(p)) ?? path

/** The room of a file: its folder under src, or the folder below that in `attacks` and `io`; `entries` for files in src itself. */
export function roomOf(path: string): string {
  const [, ...parts] = path.split('/')
  if (parts.length === 1) return 'entries'
  return ['attacks', 'io'].includes(parts[0]) && parts.length > 2 ? `${parts[0]}/${parts[1]}` : parts[0]
}

/** The groups of names that reach each other (Tarjan 1972), without those of one name. */
export function circles(names: readonly string[], reached: (name: string) => readonly string[]): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (name: string): void => {
    index.set(name, index.size)
    low.set(name, index.get(name)!)
    stack.push(name)
    for (const next of reached(name)) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(name, Math.min(low.get(name)!, low.get(next)!))
    }
    if (low.get(name) === index.get(name)) found.push(stack.splice(stack.indexOf(name)))
  }
  for (const name of names) if (!index.has(name)) visit(name)
  return found.filter((group) => group.length > 1)
}
