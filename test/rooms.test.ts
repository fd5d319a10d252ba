import { describe, expect, it } from 'vitest'
import { circles, importsOf, roomOf, sources } from './imports'

/**
 * What each room may import, of ours and of packages; behind the bar: types alone. Rooms stand from the bottom to the top, so
 * that the table itself shows the one-way flow. docs/architecture.md has the same table in words.
 */
const table: Record<string, string> = {
  errors: '|',
  graph: 'errors |',
  numbers: 'ml-matrix pure-rand/generator/xoroshiro128plus |',
  options: 'errors |',
  optim: 'errors |',
  runtime: 'graph errors @tensorflow/tfjs-core onnxruntime-web onnxruntime-web/wasm | numbers optim onnxruntime-common',
  trace: 'graph errors @tensorflow/tfjs-core | runtime @tensorflow/tfjs-layers',
  client: 'graph numbers options runtime trace errors @tensorflow/tfjs-core | @tensorflow/tfjs-layers',
  'io/bytes': 'errors fflate |',
  'io/files': 'errors io/bytes |',
  'io/pictures': 'errors io/bytes io/files fast-png gifenc jpeg-js |',
  'io/tensors': 'errors numbers io/bytes io/files @msgpack/msgpack fflate |',
  'io/layouts': 'errors numbers io/bytes io/tensors |',
  io: 'io/files io/layouts io/pictures io/tensors numbers | io/bytes',
  measure: 'client graph numbers optim runtime errors io/pictures @tensorflow/tfjs-core munkres ssim.js |',
  models:
    'graph numbers runtime trace errors @bufbuild/protobuf/wire @huggingface/tokenizers @tensorflow/tfjs-core @tensorflow/tfjs-layers | client',
  'attacks/contract': 'errors numbers @tensorflow/tfjs-core | client',
  'attacks/tokens': 'attacks/contract client graph numbers errors | runtime',
  'attacks/labels': 'attacks/contract client graph numbers errors | runtime',
  'attacks/dense':
    'attacks/contract attacks/labels client graph measure numbers errors ml-matrix @tensorflow/tfjs-core | runtime',
  'attacks/patches':
    'attacks/contract attacks/dense attacks/labels client graph measure numbers runtime errors ml-matrix @tensorflow/tfjs-core |',
  'attacks/r-gap':
    'attacks/contract attacks/dense attacks/patches client graph measure numbers runtime errors @tensorflow/tfjs-core |',
  'attacks/spear':
    'attacks/contract attacks/dense client graph measure numbers runtime errors @tensorflow/tfjs-core ml-matrix |',
  'attacks/dager':
    'attacks/contract attacks/tokens client measure numbers errors @tensorflow/tfjs-core ml-matrix | runtime',
  'attacks/tiger':
    'attacks/contract attacks/dager client errors graph numbers optim trace @tensorflow/tfjs-core | attacks/tokens runtime',
  'attacks/matching':
    'attacks/contract client graph numbers optim options runtime errors attacks/dense attacks/labels attacks/patches measure @tensorflow/tfjs-core |',
  'attacks/tabular':
    'attacks/contract attacks/labels attacks/matching attacks/spear client errors graph measure numbers options @tensorflow/tfjs-core ml-matrix papaparse | attacks/dense',
  'attacks/text':
    'attacks/contract client graph numbers optim models errors attacks/dager attacks/dense attacks/labels attacks/matching attacks/tokens @tensorflow/tfjs-core | runtime',
  attacks:
    'attacks/contract attacks/dager attacks/dense attacks/labels attacks/matching attacks/patches attacks/r-gap attacks/spear attacks/tiger attacks/tokens client errors attacks/tabular |',
  accounting: 'errors numbers |',
  defences: 'accounting attacks/contract client errors graph numbers | attacks/matching',
  check:
    'client graph numbers runtime errors io/layouts attacks/contract attacks/dense attacks/labels attacks/matching attacks/r-gap @tensorflow/tfjs-core | attacks @tensorflow/tfjs-layers',
  audit:
    'attacks attacks/contract attacks/dense attacks/tabular client defences errors graph measure numbers @tensorflow/tfjs-core |',
  worker: 'errors @tensorflow/tfjs-core @tensorflow/tfjs-layers comlink |',
  report: 'attacks audit io io/files measure numbers errors | attacks/matching @tensorflow/tfjs-core',
  entries:
    'attacks/dager attacks/dense attacks/labels attacks/matching attacks/patches attacks/spear attacks/text attacks/tokens check client errors graph measure models optim runtime attacks/tabular |',
  cli: 'entries attacks attacks/matching audit check defences client errors io io/bytes io/files io/layouts io/tensors measure models numbers options report runtime @tensorflow/tfjs-core @tensorflow/tfjs-layers attacks/tabular bullmq ioredis |',
}

const rooms = Object.keys(table)

/** What a room imports, without itself and Node. */
function doors(room: string, typeOnly: boolean): string[] {
  const imports = sources.filter((file) => roomOf(file) === room).flatMap(importsOf)
  const found = imports.filter((i) => i.typeOnly === typeOnly).map(({ from }) => (isOurs(from) ? roomOf(from) : from))
  return [...new Set(found)].filter((name) => name !== room && !name.startsWith('node:')).sort()
}

/** What a user may import. */
const entries = [
  'src/index.ts',
  'src/metrics.ts',
  'src/tabular.ts',
  'src/text.ts',
  'src/models.ts',
  'src/analytic.ts',
  'src/io/index.ts',
  'src/attacks/index.ts',
  'src/defences/index.ts',
  'src/audit/index.ts',
  'src/report/index.ts',
  'src/worker/index.ts',
  'src/runtime/onnx/web.ts',
]

/** The build for browsers takes NAME.browser.ts in place of NAME.ts. */
const browserVersion = (file: string): string => {
  const own = file.replace(/\.ts$/, '.browser.ts')
  return sources.includes(own) ? own : file
}

const isOurs = (from: string): boolean => from.startsWith('src/')

describe('rooms are entered through one-way doors', () => {
  it('every file belongs to a room with a row, and every row has files', () => {
    expect([...new Set(sources.map(roomOf))].sort()).toEqual([...rooms].sort())
  })

  it.each(rooms)('%s', (room) => {
    const [values, types] = table[room].split('|').map((words) => words.trim().split(/\s+/))
    expect(values).toEqual(expect.arrayContaining(doors(room, false)))
    expect([...values, ...types]).toEqual(expect.arrayContaining(doors(room, true)))
  })

  it('there is no circle between rooms, of values or of types', () => {
    const reached = (room: string) => [...doors(room, false), ...doors(room, true)].filter((n) => rooms.includes(n))
    expect(circles(rooms, reached)).toEqual([])
  })

  it('circles are found where there are some', () => {
    const reached: Record<string, string[]> = { a: ['b'], b: ['c'], c: ['b', 'd'], d: [] }
    expect(circles(Object.keys(reached), (name) => reached[name]).map((group) => group.sort())).toEqual([['b', 'c']])
  })

  it('the attack and the metrics read no files, so that they run in a browser', () => {
    const visited = new Set<string>()
    const visit = (file: string): void => {
      if (visited.has(file)) return
      visited.add(file)
      for (const { from, typeOnly, dynamic } of importsOf(file)) {
        if (typeOnly || dynamic) continue
        expect(from, file).not.toMatch(/^node:/)
        if (isOurs(from)) visit(from)
      }
    }
    visit('src/index.ts')
    visit('src/metrics.ts')
    expect(visited.size).toBeGreaterThan(50)
  })

  it.each(entries)('%s, as it is built for browsers, imports nothing of Node, not even late', (entry) => {
    const visited = new Set<string>()
    const visit = (file: string): void => {
      const own = browserVersion(file)
      if (visited.has(own)) return
      visited.add(own)
      for (const { from, typeOnly } of importsOf(own)) {
        if (typeOnly) continue
        expect(from, own).not.toMatch(/^node:|^worker_threads$/)
        if (isOurs(from)) visit(from)
      }
    }
    visit(entry)
    expect([...visited].filter((file) => /atomic|read-bytes|search-thread/.test(file))).toEqual([])
  })

  it('a file for browsers has every value of the file that it replaces, except those for threads of Node', async () => {
    const replaced = sources.filter((file) => browserVersion(file) !== file)
    expect(replaced.length).toBeGreaterThan(3)
    for (const file of replaced) {
      const [ofNode, ofBrowsers] = await Promise.all(
        [file, browserVersion(file)].map((path) => import(/* @vite-ignore */ `../${path}`)),
      )
      const missing = Object.keys(ofNode).filter((name) => !(name in ofBrowsers))
      expect(missing, file).toEqual(file === 'src/runtime/onnx/node.ts' ? ['openPortable'] : [])
    }
  })
})
