/**
 * Repairs the bundled declarations of `export * as graph from './graph'`.
 *
 * The bundler writes a namespace as one alias for each member, and takes a member that lies in another file of `dist` for a value:
 * `declare const index_Node: typeof Node` (error TS2693), which leaves `graph.Node` unusable as a type (TS2749). An import under
 * the alias's name is right for values and types alike:
 *
 *   import { N as Node } from './runtime.js'            import { N as Node, N as index_Node } from './runtime.js'
 *   declare const index_Node: typeof Node         →
 *   declare namespace index { export { index_Node as Node } }
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ALIAS = /^declare const (\w+): typeof (\w+);\n/gm

/** One declaration file with its aliases of imported names as imports. */
export function withTypeNamespaces(declarations: string): string {
  const aliases = new Map([...declarations.matchAll(ALIAS)].map(([, alias, name]) => [name, alias]))
  const imported = new Set<string>()
  const withImports = declarations.replace(/^import \{ (.+) \} from/gm, (_, names: string) => {
    const all = names.split(', ').flatMap((specifier) => {
      const [source, local = source] = specifier.split(' as ')
      const alias = aliases.get(local)
      if (!alias?.endsWith(`_${local}`)) return [specifier]
      imported.add(local)
      return [specifier, `${source} as ${alias}`]
    })
    return `import { ${all.join(', ')} } from`
  })
  return withImports.replace(ALIAS, (line, _, name: string) => (imported.has(name) ? '' : line))
}

if (process.argv[1]?.endsWith('type-namespaces.ts'))
  for (const name of readdirSync('dist').filter((file) => /\.d\.c?ts$/.test(file))) {
    const path = join('dist', name)
    writeFileSync(path, withTypeNamespaces(readFileSync(path, 'utf8')))
  }
