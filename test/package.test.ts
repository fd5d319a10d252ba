import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { meanSquaredError } from '../src/metrics'
import { importsOf, sources } from './imports'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

<<<<<<< HEAD
=======
interface Import {
  readonly from: string
  readonly typeOnly: boolean
}

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => `src/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))

/** What a file imports or re-exports; paths of our own files are given as they are under src. */
function importsOf(file: string): Import[] {
  const statements = [...read(file).matchAll(/^(?:import|export) ([^'"]*? from )?'([^']+)'/gm)]
  return statements.map(([, clause = '', from]) => {
    const names =
      /^\{([^}]*)\}/
        .exec(clause)?.[1]
        .split(',')
        .map((name) => name.trim()) ?? []
    const typeOnly = clause.startsWith('type ') || (names.length > 0 && names.every((n) => !n || n.startsWith('type ')))
    return { from: from.startsWith('.') ? normalize(join(dirname(file), from)) : from, typeOnly }
  })
}

/** The first folder under src, or the file itself where it lies in src. */
const roomOf = (path: string): string => (path.split('/')[1] ?? '').replace(/\.ts$/, '')

/** The packages a room and its files reach, with our own rooms among them. */
function doors(room: string, typeOnly: boolean): string[] {
  const found = sources
    .filter((file) => roomOf(file) === room)
    .flatMap((file) => importsOf(file).filter((i) => i.typeOnly === typeOnly))
    .map(({ from }) => (from.startsWith('src/') ? roomOf(from) : from))
  return [...new Set(found)].filter((name) => name !== room && !name.startsWith('node:')).sort()
}

describe('rooms are entered through one-way doors', () => {
  /** Rooms on top of the attack may import anything of ours; nothing but the entries imports them. */
  const surfaces = { text: undefined, cli: undefined }
  /** What each room may import; behind the bar: types alone. docs/architecture.md has the same table. */
  const table: Record<string, string | undefined> = {
    graph: '|',
    optim: '|',
    errors: '|',
    runtime: 'graph errors @tensorflow/tfjs-core | optim onnxruntime-common',
    trace: 'graph errors @tensorflow/tfjs-core | runtime @tensorflow/tfjs-layers',
    model: 'graph trace errors @tensorflow/tfjs-core | @tensorflow/tfjs-layers',
    objective: 'graph errors | runtime model',
    labels: 'errors | runtime model',
    inputs: 'graph model errors @tensorflow/tfjs-core | runtime',
    sharing: 'graph model objective checks errors stored-dtype @tensorflow/tfjs-core | runtime options targets',
    targets: 'graph model labels inputs runtime errors @tensorflow/tfjs-core | options sharing',
    options: 'model objective labels optim runtime sharing targets checks errors @tensorflow/tfjs-core | inputs',
    search: 'runtime options errors | optim attack',
    attack:
      'graph model objective runtime inputs sharing targets options search analytic errors random @tensorflow/tfjs-core | labels',
    analytic: 'graph errors random gradients-of sharing @tensorflow/tfjs-core ml-matrix | runtime model options',
    check:
      'graph model runtime options attack analytic checks errors random @tensorflow/tfjs-core | inputs targets @tensorflow/tfjs-layers',
    metrics: 'errors io ssim.js |',
    io: 'errors stored-dtype fast-png fflate jpeg-js gifenc @msgpack/msgpack |',
    data: 'errors io |',
    models: '@tensorflow/tfjs-core @tensorflow/tfjs-layers |',
    ...surfaces,
  }
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((e) => e.isDirectory())

  it('every folder has a row', () => {
    expect(Object.keys(table)).toEqual(expect.arrayContaining(folders.map((f) => f.name)))
  })

  it.each(Object.keys(table))('%s', (room) => {
    const row = table[room]
    if (row === undefined) {
      const visitors = sources.filter((file) => roomOf(file) !== room && !(roomOf(file) in surfaces))
      for (const file of visitors) for (const { from } of importsOf(file)) expect(roomOf(from), file).not.toBe(room)
      return
    }
    const [values, types] = row.split('|').map((words) => words.trim().split(/\s+/))
    expect(values).toEqual(expect.arrayContaining(doors(room, false)))
    expect([...values, ...types]).toEqual(expect.arrayContaining(doors(room, true)))
  })

  it('metrics and the attack read no files, so that they run in a browser', () => {
    const visited = new Set<string>()
    const visit = (file: string): void => {
      if (visited.has(file)) return
      visited.add(file)
      for (const { from, typeOnly } of importsOf(file)) {
        if (typeOnly) continue
        expect(from, file).not.toMatch(/^node:/)
        if (from.startsWith('src/'))
          visit([`${from}.ts`, `${from}/index.ts`].find((path) => sources.includes(path)) as string)
      }
    }
    visit('src/index.ts')
    visit('src/metrics/index.ts')
    expect(visited.size).toBeGreaterThan(50)
  })
})

>>>>>>> b9a2546 (Files: what was found on the second reading)
describe('the package', () => {
  const own = Object.entries<Record<string, Record<string, string>>>(manifest.exports).filter(
    ([path]) => path !== './package.json',
  )

  it.each(own)('%s has types first, for import and for require', (_, { import: esm, require: cjs }) => {
    expect(Object.keys(esm)).toEqual(['types', 'default'])
    expect(Object.keys(cjs)).toEqual(['types', 'default'])
    expect([esm.types, esm.default, cjs.types, cjs.default].map((file) => file.replace(/^.*?\w\./, '.'))).toEqual([
      '.d.ts',
      '.js',
      '.d.cts',
      '.cjs',
    ])
  })

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
    const [example, own] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code)
    const code = `${example.replace('leak.dispose()', '')}${own}`
    const folder = join(root, 'out/readme')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'example.ts')
    writeFileSync(file, `${code.replaceAll("from 'dlg-ts'", "from '../../src/index.ts'")}\nexport { leak, again, secret }\n`)
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    try {
      const { leak, again, secret } = await import(file)
      expect(log).toHaveBeenCalledWith('converged', [7])
      expect(again.runtime).toBe('tfjs:cpu')
      for (const { data } of [leak, again])
        expect(meanSquaredError(data.dataSync(), secret.dataSync())).toBeLessThan(1e-3)
      leak.dispose()
      again.dispose()
    } finally {
      log.mockRestore()
    }
  })

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, path]) => path)
    expect(links.length).toBeGreaterThan(3)
    for (const path of links) expect(read(path).length, path).toBeGreaterThan(0)
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
