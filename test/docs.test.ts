import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { brokenLinks } from '../build/check-site'
import { withTypeNamespaces } from '../build/type-namespaces'
import { readTensors, writeNpz, writeSafetensors } from '../src/io'
import { random } from '../src/numbers/random'
import { pages, writeBlocks } from './doc-blocks'
import { sources } from './imports'
import { graphModel } from './models/tensorflow/graph-def-cases'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

/** Entries of the package, by the name a reader imports. */
const entries: Record<string, string> = {
  'dlg-ts': 'src/index.ts',
  'dlg-ts/metrics': 'src/metrics.ts',
  'dlg-ts/io': 'src/io/index.ts',
  'dlg-ts/onnx-web': 'src/runtime/onnx/web.ts',
  'dlg-ts/text': 'src/text.ts',
  'dlg-ts/models': 'src/models.ts',
  'dlg-ts/analytic': 'src/analytic.ts',
  'dlg-ts/tabular': 'src/tabular.ts',
  'dlg-ts/attacks': 'src/attacks/index.ts',
  'dlg-ts/defences': 'src/defences/index.ts',
  'dlg-ts/audit': 'src/audit/index.ts',
  'dlg-ts/report': 'src/report/index.ts',
  'dlg-ts/worker': 'src/worker/index.ts',
}

/** The files that the guide of ONNX models has PyTorch and tensorflowjs_converter write, in the current folder. */
function writeExported(): void {
  const scope = 'StatefulPartitionedCall/sequential_1/dense_1'
  const [kernel, bias] = [`${scope}/MatMul/ReadVariableOp`, `${scope}/BiasAdd/ReadVariableOp`]
  const { weightSpecs, weightData, ...graph } = graphModel(
    [4],
    [
      {
        op: '_FusedMatMul',
        inputs: ['x', kernel, bias],
        attributes: { fused_ops: { texts: ['BiasAdd'] }, num_args: 1 },
      },
    ],
    { [kernel]: { floats: new Float32Array(12), shape: [4, 3] }, [bias]: { floats: [0, 0, 0], shape: [3] } },
  )
  const weightsManifest = [{ paths: ['shard.bin'], weights: weightSpecs }]
  mkdirSync('graph', { recursive: true })
  writeFileSync('graph/model.json', JSON.stringify({ format: 'graph-model', ...graph, weightsManifest }))
  writeFileSync('graph/shard.bin', new Uint8Array(weightData))
  const saved = readTensors(join(root, 'test/models/onnx/pytorch/mlp.safetensors'))
  const gradients = [...saved].flatMap(([name, t]) => (/^gradient /.test(name) ? [[name.slice(9), t] as const] : []))
  writeFileSync('net.onnx', gunzipSync(readFileSync(join(root, 'test/models/onnx/pytorch/mlp.onnx.gz'))))
  writeFileSync('gradient.safetensors', writeSafetensors(new Map(gradients)))
  writeFileSync(
    'batch.npz',
    writeNpz(
      new Map([
        ['x', saved.get('input')!],
        ['y', { shape: [2], data: Float32Array.of(0, 1) }],
      ]),
    ),
  )
}

describe('the code on the pages', () => {
  const folder = join(root, 'out/docs')
  rmSync(folder, { recursive: true, force: true })
  const blocks = writeBlocks(folder, ours)
  const began = process.cwd()

  beforeAll(() => {
    mkdirSync(join(folder, 'cwd'), { recursive: true })
    process.chdir(join(folder, 'cwd'))
    writeExported()
  })
  afterAll(() => process.chdir(began))

  it('is found', () => {
    expect(blocks.size).toBeGreaterThan(15)
    expect(entries).toHaveProperty('dlg-ts/io')
    expect(Object.keys(entries).map((name) => name.replace('dlg-ts', '.'))).toEqual(
      expect.arrayContaining(Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))),
    )
  })

  it.each([...blocks].map(([{ name, code }, path]) => ({ name, code, path })))('$name', async ({ code, path }) => {
    const shown: [expected: string, printed: string][] = []
    vi.stubGlobal('shown', (expected: string, ...values: unknown[]) => shown.push([expected, format(...values)]))
    vi.spyOn(console, 'log').mockImplementation(() => {})
    // weights and data of the pages are random: the same ones in every run
    vi.spyOn(Math, 'random').mockImplementation(random(1).uniform)
    try {
      await import(path)
    } finally {
      vi.restoreAllMocks()
      vi.unstubAllGlobals()
    }
    // every block says in a comment what it prints, and prints that
    expect(shown.length, code).toBeGreaterThan(0)
    for (const [expected, printed] of shown) expect(printed).toBe(expected)
  })
})

/** Code of a reader as code of this repository: `console.log(x) // y` also reports that y was promised. */
function ours(code: string): string {
  const checked = code.replace(
    /^( *)console\.log\((.*)\) \/\/ (.+)$/gm,
    (_, indent: string, values: string, expected: string) => `${indent}shown(${JSON.stringify(expected)}, ${values})`,
  )
  const imports = checked.replace(/ from '(dlg-ts[^']*)'/g, (_, name: string) => ` from '../../${entries[name]}'`)
  return `declare const shown: (expected: string, ...values: unknown[]) => void\n${imports}\nexport {}\n`
}

describe('the pages', () => {
  it.each([...pages, 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md'])(
    '%s links to files and headings that exist',
    (page) => {
      const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link)
      for (const link of links) {
        const [path, heading] = link.split('#')
        const target = path === '' ? page : normalize(join(dirname(page), path))
        const text = read(target)
        if (heading) expect(headings(text), `${page}: ${link}`).toContain(heading)
        // a page of the package may only link to what the package contains
        if (target !== 'LICENSE') expect(packed(target), `${page}: ${link} is not in the package`).toBe(true)
      }
    },
  )

  it('have links', () => {
    expect(read('README.md').match(/\]\(docs\//g)!.length).toBeGreaterThan(10)
  })

  it('have a README of at most 1,000 words', () => {
    expect(read('README.md').split(/\s+/).length).toBeLessThanOrEqual(1000)
  })
})

/** Headings as GitHub and TypeDoc make anchors of them. */
const headings = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )

/** Whether `files` of package.json has a path. */
const packed = (path: string): boolean =>
  manifest.files.some((entry: string) =>
    entry.endsWith('/*.md')
      ? dirname(path) === dirname(entry) && path.endsWith('.md')
      : path === entry || path.startsWith(`${entry}/`),
  )

describe('public names', () => {
  it('have a comment of their own where they extend another type, whose comment would be shown instead', () => {
    const bare = sources.flatMap((file) =>
      [...read(file).matchAll(/(?<!\*\/\n)^export interface (\w+)(?:<[^{]*>)? extends /gm)]
        .filter(() => !file.startsWith('src/cli/'))
        .map(([, name]) => `${file}: ${name}`),
    )
    expect(bare).toEqual([])
  })
})

describe('the built site', () => {
  it('is refused for a link that opens no page', () => {
    const folder = join(root, 'out/site')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const page = (name: string, body: string) => writeFileSync(join(folder, name), body)
    page(
      'a.html',
      '<a href="b.html#here">1</a><a href="#top">2</a><h1 id="top">A</h1><a href="https://example.org/x">3</a>',
    )
    page('b.html', '<h1 id="here">B</h1>')
    expect(brokenLinks(folder)).toEqual([])
    page('c.html', '<a href="b.html#there">1</a><a href="d.html">2</a><img src="e.png"><a href="f.md">3</a>')
    page('f.md', '# F')
    expect(brokenLinks(folder)).toEqual([
      'c.html: b.html#there, the page has no such heading',
      'c.html: d.html, there is no such file',
      'c.html: e.png, there is no such file',
      'c.html: f.md, it opens a source file, not a page',
    ])
  })
})

describe('the bundled declarations', () => {
  it('list a type of another file as a type of a namespace', () => {
    const bundled = [
      "import { N as Node, r as run } from './runtime.js';",
      'declare function add(a: Node): Node;',
      'declare const index_Node: typeof Node;',
      'declare const index_run: typeof run;',
      'declare const index_add: typeof add;',
      'declare namespace index { export { index_Node as Node, index_run as run, index_add as add } }',
      '',
    ].join('\n')
    expect(withTypeNamespaces(bundled).split('\n')).toEqual([
      "import { N as Node, N as index_Node, r as run, r as index_run } from './runtime.js';",
      'declare function add(a: Node): Node;',
      'declare const index_add: typeof add;',
      'declare namespace index { export { index_Node as Node, index_run as run, index_add as add } }',
      '',
    ])
  })
})
