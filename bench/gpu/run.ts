/**
 * dlg-ts on a GPU beside its CPU, PyTorch and JAX, in one run:
 *
 *   npx tsx bench/gpu/run.ts [--case lenet-b1]… [--seconds 300] [--repeats 5] [--before FOLDER] [--without webgpu]… [--json out/gpu.json]
 *
 * Where npm cannot be reached, `pack.ts` makes folders that need nothing but the GPU's driver, and Python for the peers.
 *
 * Every peer keeps one process for all cases. They compile a case at the same time, so `compileMs` is no more than a hint; then
 * they evaluate in turns. No case is begun after `--seconds`, and every case is written down as soon as it is measured.
 * `--before` names a folder with the bundle of another checkout.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeFileAtomic } from '../../src/io'
import { type Case, findCase } from '../cases'
import { compare, type Result, type Running, timesOf } from '../measure'
import { oursOn, type Peer, type PeerKind, pythonOn, start } from '../peer'
import { short } from '../table'

/** In order of importance, for a run that is cut short. */
const ORDER = [
  ...['lenet-b1', 'encoder-6x384', 'resnet18', 'resnet18-b32', 'keras-b8', 'encoder-2x128', 'convnet-b64'],
  ...['vit', 'resnet20', 'lenet-b8', 'lenet-b128'],
]

/** Seconds a peer may take to compile a case, and to answer otherwise. */
const [COMPILING, ANSWERING] = [90, 60]

/** Milliseconds of one turn; a peer whose evaluation takes longer than `SLOW` has one turn. */
const [SLICE, SLOW] = [150, 500]

interface Contender {
  readonly kind: PeerKind
  readonly threads: number
  /** Its process; none before the first case, and after it failed. */
  peer?: Peer
  /** Why it takes part no longer. */
  missing?: string
}

/** Nodes that onnxruntime runs for one evaluation, by execution provider, and those of them that copy between devices. */
interface KernelCount {
  readonly total: number
  readonly counts: Readonly<Record<string, number>>
  readonly copies: number
}

type Measured = Result & { kernels?: KernelCount }

interface Row {
  readonly case: string
  readonly results: Readonly<Record<string, Measured>>
}

function options() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', multiple: true, default: ORDER },
      seconds: { type: 'string', default: '300' },
      repeats: { type: 'string', default: '5' },
      before: { type: 'string' },
      without: { type: 'string', multiple: true, default: [] },
      json: { type: 'string', default: 'out/gpu.json' },
    },
  })
  const [seconds, repeats] = [values.seconds, values.repeats].map(Number)
  if (!(seconds > 0 && Number.isInteger(repeats) && repeats > 0))
    throw new Error('--seconds needs a number and --repeats a whole number above 0')
  const { before, without, json } = values
  return { cases: values.case.map(findCase), seconds, repeats, before, without, json }
}

const message = (error: unknown): string => (error as Error).message.split('\n')[0].slice(0, 300)

/** Starts a contender's process if it has none. */
async function begin(contender: Contender): Promise<string | undefined> {
  if (contender.peer || contender.missing) return undefined
  const peer = start(contender.kind, contender.threads)
  try {
    const { version } = await peer.ask({ do: 'about' }, ANSWERING)
    contender.peer = peer
    return version
  } catch (error) {
    await peer.close()
    contender.missing = message(error)
    return undefined
  }
}

/** Asks; a contender that fails loses its process and gets another for the next case, and the result says why. */
async function asked<T>(contender: Contender, result: Measured, what: (peer: Peer) => Promise<T>) {
  if (!contender.peer || result.note) return undefined
  try {
    return await what(contender.peer)
  } catch (error) {
    result.note = message(error)
    const { peer } = contender
    contender.peer = undefined
    await peer.close()
    return undefined
  }
}

async function measureCase(
  c: Case,
  contenders: readonly Contender[],
  repeats: number,
  folder: string,
): Promise<Record<string, Measured>> {
  const file = join(folder, `${c.name}.safetensors`)
  const results: Record<string, Measured> = Object.fromEntries(contenders.map(({ kind }) => [kind.name, {}]))
  const open = async (contender: Contender) => {
    const { kind, threads } = contender
    await begin(contender)
    const result = results[kind.name]
    result.note = contender.missing
    const request = { do: 'open', name: c.name, case: c, threads, file }
    const opened = await asked(contender, result, (peer) => peer.ask(request, COMPILING))
    if (opened) result.compile = timesOf([opened.compileMs])
    // its own session under the profiler: how many kernels there are depends on the provider
    if (opened && ['ours cuda', 'before cuda'].includes(kind.name))
      result.kernels = await asked(contender, result, (peer) =>
        peer.ask({ do: 'kernels', name: c.name, threads }, COMPILING),
      )
  }
  // the first writes the case down for the others
  await open(contenders[0])
  await Promise.all(contenders.slice(1).map(open))

  const able = (): Running[] =>
    contenders.flatMap(({ kind: { name }, peer }) =>
      peer && !results[name].note ? [{ name, peer, result: results[name] }] : [],
    )
  try {
    await compare(able(), folder)
  } catch (error) {
    console.log(`${c.name}: not compared: ${message(error)}`)
  }

  const times = new Map<string, number[]>(contenders.map(({ kind }) => [kind.name, []]))
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const contender of contenders) {
      const { name } = contender.kind
      const own = times.get(name)!
      if (own[0] > SLOW) continue
      const reply = await asked(contender, results[name], (peer) => peer.ask({ do: 'evaluate', ms: SLICE }, ANSWERING))
      if (!reply) continue
      own.push(reply.ms / reply.count)
      results[name].evaluation = timesOf(own)
    }

  // a whole step of the search, where a full history is soon there
  for (const contender of contenders.filter(({ kind }) => ['ours 1', 'ours cuda'].includes(kind.name))) {
    const result = results[contender.kind.name]
    if (!((result.evaluation?.median ?? Number.POSITIVE_INFINITY) < 6)) continue
    const reply = await asked(contender, result, (peer) => peer.ask({ do: 'iterate', fill: 120, count: 40 }, 30))
    if (!(reply?.count > 0)) continue
    result.iteration = timesOf([reply.ms / reply.count])
    result.optimizerShare = 1 - reply.evaluatingMs / reply.ms
  }
  return results
}

function print({ case: name, results }: Row): void {
  console.log(`\n${name}`)
  for (const [peer, r] of Object.entries(results)) {
    const agreement = r.agreement
      ? `Δ value ${r.agreement.value.toExponential(1)}, gradient ${r.agreement.gradient.toExponential(1)}`
      : ''
    const kernels = r.kernels
      ? `${r.kernels.total} kernels (${Object.entries(r.kernels.counts)
          .map(([provider, n]) => `${n} ${provider.replace('ExecutionProvider', '')}`)
          .join(', ')}; ${r.kernels.copies} copies)`
      : ''
    const iteration = r.iteration
      ? `iteration ${short(r.iteration.median)} ms, ${Math.round(100 * (r.optimizerShare ?? 0))} % of it the optimizer`
      : ''
    const compile = r.compile ? `compile ${short(r.compile.median / 1000)} s` : ''
    const details = [agreement, kernels, iteration, compile, r.note].filter(Boolean).join('; ')
    console.log(
      `  ${peer.padEnd(12)} ${short(r.evaluation?.median).padStart(8)} ms (min ${short(r.evaluation?.min)})  ${details}`,
    )
  }
}

/** The GPU and its driver, where nvidia-smi is there. */
function gpu(): string {
  try {
    const query = ['--query-gpu=name,driver_version', '--format=csv,noheader']
    return execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'no nvidia-smi'
  }
}

async function main(): Promise<void> {
  const { cases, seconds, repeats, before, without, json } = options()
  const cores = cpus().length
  const all: Contender[] = [
    { kind: oursOn('cpu', 'ours 1'), threads: 1 },
    ...(cores > 1 ? [{ kind: oursOn('cpu', `ours ${cores}`), threads: cores }] : []),
    { kind: oursOn('cuda'), threads: 1 },
    ...(before ? [{ kind: oursOn('cuda', 'before cuda', before), threads: 1 }] : []),
    { kind: oursOn('webgpu'), threads: 1 },
    ...(['cuda', 'graph'] as const).map((device) => ({ kind: pythonOn('torch', device), threads: cores })),
    { kind: pythonOn('jax', 'cuda'), threads: cores },
  ]
  const contenders = all.filter(({ kind }) => !without.some((end) => kind.name.endsWith(end)))
  const machine = { gpu: gpu(), cpu: cpus()[0]?.model, cores, node: process.version }
  console.log(`${machine.gpu}; ${machine.cpu}, ${cores} cores; node ${machine.node}`)
  const folder = mkdtempSync(join(tmpdir(), 'dlg-gpu-'))
  const rows: Row[] = []
  const peers: Record<string, string> = {}
  mkdirSync(dirname(json), { recursive: true })
  const save = () =>
    writeFileAtomic(json, new TextEncoder().encode(`${JSON.stringify({ machine, peers, rows }, null, 1)}\n`))
  const began = performance.now()
  try {
    await Promise.all(
      contenders.map(async (contender) => {
        const version = await begin(contender)
        peers[contender.kind.name] = version ?? `missing: ${contender.missing}`
      }),
    )
    for (const [name, version] of Object.entries(peers)) console.log(`${name}: ${version}`)
    for (const c of cases) {
      const spent = (performance.now() - began) / 1000
      if (spent > seconds) {
        console.log(`\n${c.name}: not measured, ${Math.round(spent)} s are over`)
        continue
      }
      rows.push({ case: c.name, results: await measureCase(c, contenders, repeats, folder) })
      print(rows[rows.length - 1])
      save()
    }
  } finally {
    await Promise.all(contenders.map(({ peer }) => peer?.close()))
    rmSync(folder, { recursive: true, force: true })
  }
  save()
  console.log(
    `\nms an evaluation: objective and gradient, medians and minima over turns. Δ: against ours on one thread.`,
  )
  console.log(`${json}, ${Math.round((performance.now() - began) / 1000)} s`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
