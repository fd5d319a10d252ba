import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { mse } from '../src/metrics'
import { importsOf, sources } from './imports'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

describe('the package', () => {
  const own = Object.entries<Record<string, Record<string, string>>>(manifest.exports).filter(
    ([path]) => !path.endsWith('.json'),
  )

  it.each(own)(
    '%s has types first, then Node and browsers, for import and for require',
    (_, { import: esm, require: cjs }) => {
      expect(Object.keys(esm)).toEqual(['types', 'node', 'default'])
      expect(Object.keys(cjs)).toEqual(['types', 'node', 'default'])
      expect([esm.types, esm.node, cjs.types, cjs.node].map((file) => file.replace(/^.*?\w\./, '.'))).toEqual([
        '.d.ts',
        '.js',
        '.d.cts',
        '.cjs',
      ])
      expect([esm.default, cjs.default]).toEqual([esm.node, cjs.node].map((f) => f.replace('/dist/', '/dist/browser/')))
    },
  )

  it('declares what it imports, and nothing else', () => {
    const imported = sources.flatMap((file) => importsOf(file).filter((i) => !i.typeOnly))
    const packages = imported
      .map(({ from }) => from)
      .filter((from) => !from.startsWith('src/') && !from.startsWith('node:'))
      .map((from) => (from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : from.split('/')[0]))
    const bundled = ['fast-png', 'fflate']
    const declared = [...Object.keys(manifest.dependencies), ...bundled, ...Object.keys(manifest.peerDependencies)]
    expect(declared).toEqual(expect.arrayContaining(packages))
    // the command imports tfjs backends under a name it puts together
    const loadedByName = ['@tensorflow/tfjs-backend-cpu']
    expect([...packages, ...loadedByName]).toEqual(
      expect.arrayContaining([...Object.keys(manifest.dependencies), ...bundled]),
    )
    expect(manifest.peerDependencies).toMatchObject({
      '@tensorflow/tfjs-core': '^4.22.0',
      '@tensorflow/tfjs-layers': '^4.22.0',
    })
    for (const name of Object.keys(manifest.peerDependenciesMeta))
      expect(Object.keys(manifest.peerDependencies)).toContain(name)
  })

  it('has a lockfile without addresses', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"')
  })
})

describe('the README', () => {
  const readme = read('README.md')

  it('shows code that runs as it is shown', async () => {
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readme)!
    const code = example.replace('leak.dispose()', '')
    const folder = join(root, 'out/readme')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'example.ts')
    writeFileSync(file, `${code.replaceAll("from 'dlg-ts'", "from '../../src/index'")}\nexport { leak, secret }\n`)
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    try {
      const { leak, secret } = await import(file)
      expect(log).toHaveBeenCalledWith('converged', [7])
      expect(mse(leak.data.dataSync(), secret.dataSync())).toBeLessThan(1e-3)
      leak.dispose()
    } finally {
      log.mockRestore()
    }
  })

  it.runIf(insideGit())('names no machine paths, and neither does anything else that is tracked', () => {
    const hits = git('grep', '-lE', '(^|[^a-zA-Z0-9_.])/(work|home|root)/', '--', '.', ':!test/package.test.ts')
    expect(hits).toBe('')
  })
})

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

function insideGit(): boolean {
  return git('rev-parse', '--is-inside-work-tree') === 'true'
}
