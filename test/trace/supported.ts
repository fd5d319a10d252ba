import { kernels } from '../../src/trace/kernels'
import { layerCases } from './cases/layers'
import { refusedKernels } from './cases/refused'
import { coverage, layerNames, messageOf, type Runs, refusalOf } from './coverage'

/** The file that lists what is traced, relative to this one. */
export const SUPPORTED = new URL('../../docs/supported.md', import.meta.url)

const HEAD = `# What is traced

Written by \`npm run supported\` from the table of cases that the tests run; a test fails when it is out of date. Every case named below is
held to tfjs's own forward result (unless that is random) and to finite differences at first and second order in float64, and is replayed
on tfjs (cpu and wasm) and onnxruntime. What is refused is refused by name, before an attack begins.`

const section = (title: string, ...parts: readonly string[]): string => [`## ${title}`, ...parts].join('\n\n')
const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')
const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')

/** What docs/supported.md should say. */
export async function supported(): Promise<string> {
  const ran = await coverage()
  const refusedCases = layerCases.filter((c) => c.refused)
  const bare = layerNames().filter(
    (name) => !ran.layers.has(name) && !refusedCases.some((c) => c.name.startsWith(name)),
  )
  const idle = Object.keys(kernels).filter((name) => !ran.kernels.has(name))
  const parts = [
    HEAD,
    section('Layers', 'With the cases that are about the layer.', runsOf(ran.layers, aboutFirst)),
    section('Layers that are refused', list(refusedCases.map((c) => `${code([c.name])}: ${messageOf(c)}`))),
    section(
      'Layers without a case',
      `${code(bare)}. They are traced as far as their operations are. The ids that an \`Embedding\` reads cannot be searched, only known.`,
    ),
    section('Operations', 'By the name of the kernel, with some of the cases that run it.', runsOf(ran.kernels, some)),
    section(
      'Operations without a case',
      `${code(idle)}. They have a rule that no case runs: tfjs 4.22 makes the operations of that name of other kernels.`,
    ),
    section(
      'Operations that are refused',
      `The message is “${refusalOf('TopK')}”, with the name of the layer behind it.`,
      list(reasons().map(([reason, names]) => `${code(names)}: ${reason}`)),
    ),
  ]
  return `${parts.join('\n\n')}\n`
}

const runsOf = (runs: Runs, choose: (cases: readonly string[], name: string) => string): string =>
  list([...runs.keys()].sort().map((name) => `**${code([name])}** ${choose(runs.get(name)!, name)}`))

const SHOWN = 4
const some = (cases: readonly string[]): string =>
  cases.length > SHOWN ? `${code(cases.slice(0, SHOWN))} and ${cases.length - SHOWN} more` : code(cases)

function aboutFirst(cases: readonly string[], name: string): string {
  const about = cases.filter((c) => c.includes(name))
  return about.length > 0 ? code(about) : some(cases)
}

/** Refused kernels by reason. */
function reasons(): [reason: string, names: string[]][] {
  const all = new Set(Object.values(refusedKernels))
  const named = (reason: string) => Object.keys(refusedKernels).filter((name) => refusedKernels[name] === reason)
  return [...all].map((reason) => [reason, named(reason)])
}
