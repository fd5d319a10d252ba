/**
 * dlg-ts against its peers, in one run:
 *
 *   npm run bench -- [--quick] [--case lenet-b1]… [--repeats 5] [--threads 1,2] [--no-attack] [--no-tfjs] [--before CHECKOUT] [--json out/bench.json]
 *
 * `--before` names another checkout of this repository, and adds a table of this one beside it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeFileAtomic } from '../src/io'
import { type AttackResult, attacks } from './attacks'
import { CASES, findCase, QUICK } from './cases'
import { measure, type Plan, type Result } from './measure'
import { before, ours, type PeerKind, python, start, tfjs } from './peer'
import { type RestartsResult, restarts } from './restarts'
import { ratio, short, table } from './table'

/** Cases that stock tfjs is timed on: the others would take it minutes. */
const STOCK = ['lenet-b1', 'convnet-b1', 'encoder-2x128']

/** Relative difference that float32 does not explain. */
const DISAGREEMENT = 1e-3

interface Row {
  readonly case: string
  readonly threads: number
  readonly results: Readonly<Record<string, Result>>
}

function options() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', multiple: true },
      repeats: { type: 'string' },
      threads: { type: 'string', default: '1,2' },
      quick: { type: 'boolean', default: false },
      attack: { type: 'boolean', default: true },
      tfjs: { type: 'boolean', default: true },
      before: { type: 'string' },
      json: { type: 'string', default: 'out/bench.json' },
    },
    allowNegative: true,
  })
  const { quick, json } = values
  const repeats = Number(values.repeats ?? (quick ? 3 : 7))
  const threads = values.threads.split(',').map(Number)
  if (![repeats, ...threads].every((n) => Number.isInteger(n) && n > 0))
    throw new Error('--repeats and --threads need whole numbers above 0')
  const names = values.case ?? (quick ? QUICK : CASES.map((c) => c.name))
  const cases = names.map(findCase)
  const plan: Plan = { repeats, slice: quick ? 150 : 500, iterating: quick ? 3 : 10 }
  const { tfjs: withTfjs, attack: withAttack, before } = values
  return { cases, threads, plan, json, quick, withTfjs, withAttack, before }
}

/** Peers that start, with their versions; says why others do not. */
async function available(kinds: readonly PeerKind[]): Promise<{ kind: PeerKind; version: string }[]> {
  const found: { kind: PeerKind; version: string }[] = []
  for (const kind of kinds) {
    if ('missing' in kind) {
      console.log(`${kind.name}: skipped, ${kind.missing}`)
      continue
    }
    const peer = start(kind, 1)
    try {
      const { version } = await peer.ask({ do: 'about' })
      found.push({ kind, version })
      console.log(`${kind.name}: ${version} (${kind.command})`)
    } catch (error) {
      console.log(`${kind.name}: skipped, ${(error as Error).message}`)
    } finally {
      await peer.close()
    }
  }
  return found
}

const HEAD = [
  ...['case', 'threads', 'ours ms', '(min)', 'torch ms', '(min)', 'ratio', 'jax ms', '(min)', 'ratio'],
  ...['iteration', 'torch', 'ratio', 'optimizer', 'compile', 'torch', 'jax', 'MB', 'torch', 'jax', 'agreement'],
]

/** Whether a peer took longer with these threads than with one: waiting for cores that others use, not computing. */
function starved({ case: name, threads, results }: Row, peer: string, rows: readonly Row[]): boolean {
  const alone = rows.find((row) => row.case === name && row.threads === 1)?.results[peer]?.evaluation?.median
  const together = results[peer]?.evaluation?.median
  return threads > 1 && alone !== undefined && together !== undefined && together > 1.5 * alone
}

function cells(row: Row, rows: readonly Row[]): string[] {
  const { case: name, threads, results } = row
  const [mine, torch, jax] = ['ours', 'torch', 'jax'].map((peer) => results[peer] as Result | undefined)
  const [a, b, c] = [mine, torch, jax].map((r) => r?.evaluation)
  const partial = (r?: Result): string => (r?.iteration && r.pairs !== undefined && r.pairs < 100 ? '*' : '')
  const iteration = (r?: Result): string => short(r?.iteration?.median) + partial(r)
  const differences = [torch, jax].flatMap((r) => (r?.agreement ? [r.agreement.value, r.agreement.gradient] : []))
  return [
    ...[name, String(threads), short(a?.median), short(a?.min)],
    ...[short(b?.median), short(b?.min), starved(row, 'torch', rows) ? '!' : ratio(b?.median, a?.median)],
    ...[short(c?.median), short(c?.min), starved(row, 'jax', rows) ? '!' : ratio(c?.median, a?.median)],
    ...[iteration(mine), iteration(torch)],
    starved(row, 'torch', rows) ? '!' : ratio(torch?.iteration?.median, mine?.iteration?.median),
    mine?.optimizerShare === undefined ? '–' : `${Math.round(100 * mine.optimizerShare)} %`,
    ...[mine, torch, jax].map((r) => short(r?.compile?.median)),
    ...[mine, torch, jax].map((r) => short(r?.memory && r.memory.peakMb - r.memory.idleMb)),
    differences.length > 0 ? Math.max(...differences).toExponential(0) : '–',
  ]
}

function printBefore(rows: readonly Row[]): void {
  const lines = rows.map(({ case: name, threads, results: { ours: now, before: then } }) => {
    const pair = (of: (r?: Result) => number | undefined): string[] => [
      ...[short(of(then)), short(of(now))],
      ratio(of(then), of(now)),
    ]
    return [
      ...[name, String(threads)],
      ...pair((r) => r?.evaluation?.median),
      ...pair((r) => r?.evaluation?.min),
      ...pair((r) => r?.iteration?.median),
      ...pair((r) => r?.compile?.median),
      ...pair((r) => r?.compile?.min),
    ]
  })
  const three = (what: string): string[] => [`${what} before`, 'now', 'ratio']
  const head = ['case', 'threads', ...['ms', 'min', 'iteration', 'compile', 'min'].flatMap(three)]
  console.log('\nThis checkout beside the one of --before, in turns.\n')
  console.log(table(head, lines))
}

function printStock(rows: readonly Row[]): void {
  const lines = rows.flatMap((row) =>
    ['tfjs cpu', 'tfjs wasm'].flatMap((peer) => {
      const result = row.results[peer]
      if (!result) return []
      const wrong = result.agreement ? `wrong by ${(result.agreement.gradient * 100).toPrecision(2)} %` : ''
      const cell = [short(result.evaluation?.median), short(result.gradient?.median), wrong || result.note || '']
      return [[`${row.case}, ${peer}`, ...cell]]
    }),
  )
  if (lines.length === 0) return
  console.log('\nStock TensorFlow.js by nested tf.grads, one thread: its second derivatives are not to be used.\n')
  console.log(table(['case', 'evaluation ms', 'client gradient ms', 'second order'], lines))
}

function printAttacks(results: readonly AttackResult[]): void {
  console.log(
    '\nWhole attack: LeNet, one photograph, joint labels, until MSE < 1e-4; one thread, one model per seed.\n',
  )
  const cell = (r?: AttackResult['ours']): string[] =>
    r
      ? [
          r.ms === undefined || r.ms === null
            ? `no (MSE ${r.mse?.toExponential(1) ?? 'not finite'})`
            : `${short(r.ms / 1000)} s`,
          String(r.evaluations),
        ]
      : ['–', '–']
  const rows = results.map((r) => [`seed ${r.seed}`, ...cell(r.ours), ...cell(r.torch)])
  console.log(table(['', 'ours', 'evaluations', 'torch recipe', 'evaluations'], rows))
}

function printRestarts(results: readonly RestartsResult[]): void {
  console.log('\nFour restarts, one thread each: one after the other, and two at a time.\n')
  const rows = results.map((r) => [r.case, short(r.alone / 1000), short(r.together / 1000), `${r.ratio.toFixed(2)}×`])
  console.log(table(['case', 'alone s', 'two at a time s', 'ratio'], rows))
}

async function main(): Promise<void> {
  const { cases, threads, plan, json, quick, withTfjs, withAttack, before: checkout } = options()
  const [load] = loadavg()
  if (load > 0.5)
    console.log(
      `The machine is busy (load ${load.toFixed(1)} on ${cpus().length} cores): times are no more than a hint.`,
    )
  const found = await available([
    ...[ours, ...(checkout === undefined ? [] : [before(checkout)]), python('torch'), python('jax')],
    ...(withTfjs ? [tfjs('cpu'), tfjs('wasm')] : []),
  ])
  const kinds = found.map(({ kind }) => kind)
  const folder = mkdtempSync(join(tmpdir(), 'dlg-bench-'))
  const rows: Row[] = []
  try {
    for (const c of cases)
      for (const count of threads) {
        const stock = STOCK.includes(c.name) && count === 1
        const taking = kinds.filter(({ name }) => stock || !name.startsWith('tfjs'))
        const results = Object.fromEntries(await measure(c, count, taking, plan, folder))
        rows.push({ case: c.name, threads: count, results })
        console.log(summary(rows[rows.length - 1]))
      }
    const parallel = withAttack && cpus().length > 1 ? await restarts(ours, folder, quick ? 1 : 3) : []
    const whole = withAttack ? await attacks(kinds, folder, quick ? 1 : 5, quick ? 20 : 90) : []
    console.log(
      `\n${table(
        HEAD,
        rows.map((row) => cells(row, rows)),
      )}`,
    )
    console.log('\nms per evaluation: objective and gradient, median and minimum; ratio: theirs / ours, by medians.')
    console.log('!: the peer is slower with these threads than with one, as on a busy machine: no comparison.')
    console.log('iteration: one evaluation within the whole L-BFGS search, history full (* fewer than 100 pairs).')
    console.log('optimizer: its share of our iteration.')
    console.log(
      'MB: the largest resident set, beyond that of the idle process. agreement: the largest relative difference to ours.',
    )
    if (checkout !== undefined) printBefore(rows)
    printStock(rows)
    if (parallel.length > 0) printRestarts(parallel)
    if (whole.length > 0) printAttacks(whole)
    mkdirSync(dirname(json), { recursive: true })
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, load }
    const peers = Object.fromEntries(found.map(({ kind, version }) => [kind.name, version]))
    writeFileAtomic(
      json,
      new TextEncoder().encode(
        `${JSON.stringify({ machine, peers, plan, rows, restarts: parallel, attacks: whole }, null, 2)}\n`,
      ),
    )
    console.log(`\n${json}`)
    requireAgreement(rows)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Speeds of different things are no comparison: peers that differentiate correctly must agree with us. */
function requireAgreement(rows: readonly Row[]): void {
  for (const { case: name, results } of rows)
    for (const peer of ['torch', 'jax']) {
      const { value = 0, gradient = 0 } = results[peer]?.agreement ?? {}
      if (!(Math.max(value, gradient) < DISAGREEMENT))
        throw new Error(`${name}: ${peer} computes something else: value ${value}, gradient ${gradient}`)
    }
}

/** One line while the run goes on. */
function summary({ case: name, threads, results }: Row): string {
  const parts = Object.entries(results).map(([peer, r]) => {
    const ms = r.evaluation ? `${short(r.evaluation.median)} ms` : (r.note ?? '–')
    return `${peer} ${ms}${r.agreement ? ` (Δ ${r.agreement.gradient.toExponential(0)})` : ''}`
  })
  return `${name}, ${threads} thread${threads > 1 ? 's' : ''}: ${parts.join(' · ')}`
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
