/**
 * DAGER's own code and `exactSequences` on the same model, the same batch and the same gradient: exact batches, ROUGE-1 and ROUGE-2 with
 * 95 % intervals, CPU seconds and memory.
 *
 *     git clone https://github.com/insait-institute/dager-gradient-inversion DAGER
 *     DLG_BENCH_PYTHON=…/bin/python taskset -c 0 npx tsx bench/dager.ts --dager DAGER --minilm FOLDER
 *       [--model decoder|encoder|minilm] [--batch 4] [--batches 100] [--dager-batches 20] [--shared float32|float16|'noise 1e-3']
 *       [--combinations N] [--settings JSON] [--options JSON] [--seconds 120] [--seed 1]
 *       [--backend cpu|wasm] [--json PATH]
 *
 * The client is DAGER's own code as well: its gradient, padded batches included, is what both attacks get. FOLDER is that of MiniLM
 * (docs/guides/text.md), whose tokenizer every encoder has. `--combinations` is DAGER's `maxC`; `--settings` are further arguments of DAGER's,
 * as {"rank_tol": 1e-8}, and `--options` are further options of `exactSequences`. `--seconds` is the time that each of ours has. bench/README.md says how to install DAGER's packages.
 */

import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { exactSequences } from '../src/analytic'
import { readTensors } from '../src/io'
import { rouge } from '../src/metrics'
import { random } from '../src/numbers/random'
import { fromPretrained, transformerOf } from '../src/text'
import { start } from './peer'
import { short, table } from './table'
import { median } from './timing'

/** Names under which DAGER's code looks for its models. */
const FOLDERS = { decoder: 'gpt2', encoder: 'bert-base-uncased', minilm: 'bert-base-uncased' }

/** Words of the decoder's vocabulary, but for the last one, which ends a text. */
const WORDS = 19_999

/** Tokens around every sentence of an encoder. */
const [CLS, SEP] = [101, 102]

/** Draws of the bootstrap. */
const DRAWS = 2000

const { values: given } = parseArgs({
  options: {
    dager: { type: 'string' },
    minilm: { type: 'string' },
    model: { type: 'string', default: 'decoder' },
    batch: { type: 'string', default: '4' },
    batches: { type: 'string', default: '10' },
    'dager-batches': { type: 'string' },
    shared: { type: 'string', default: 'float32' },
    combinations: { type: 'string', default: '10000000' },
    settings: { type: 'string', default: '{}' },
    options: { type: 'string', default: '{}' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    backend: { type: 'string', default: 'cpu' },
  },
})
if (!given.dager || !given.minilm) throw new Error('--dager CHECKOUT and --minilm FOLDER must be given')
const name = given.model as keyof typeof FOLDERS
if (!(name in FOLDERS)) throw new Error(`--model must be one of ${Object.keys(FOLDERS).join(', ')}`)
const [size, batches] = [Number(given.batch), Number(given.batches)]
const dagerBatches = Number(given['dager-batches'] ?? batches)
const settings = { maxC: Number(given.combinations), ...JSON.parse(given.settings) }
const seed = Number(given.seed)

/** One attack's answer to a batch. */
interface Row {
  readonly found: readonly (readonly number[])[]
  readonly truth: readonly (readonly number[])[]
  readonly seconds: number
  /** Whether the attack itself says that its answer is proven; DAGER says nothing of the kind. */
  readonly claimed?: boolean
  readonly otherwise?: string
}

const text = (sequences: readonly (readonly number[])[]): string => sequences.map(String).sort().join('|')

/** A decoder's last token is only predicted: it is in no span, and DAGER does not look for it. */
const read = (sequences: readonly (readonly number[])[]) =>
  name === 'decoder' ? sequences.map((s) => s.slice(0, -1)) : sequences

/** Without the tokens that stand around every sentence of an encoder, which would be right in any sentence. */
const inside = (sequences: readonly (readonly number[])[]) =>
  name === 'decoder' ? sequences : sequences.map((s) => s.filter((id) => id !== CLS && id !== SEP))

/** Mean of a score over the sentences of a batch, each found sentence given to the one that it is most like. */
function scored(row: Row, score: 'rouge1' | 'rouge2'): number {
  const [found, truth] = [inside(row.found), inside(row.truth)]
  const left = [...found]
  const pairs = truth
    .flatMap((own, i) => found.map((other) => ({ i, other, value: rouge(other, own).rouge1 })))
    .sort((a, b) => b.value - a.value)
  const best = new Map<number, readonly number[]>()
  for (const { i, other } of pairs) {
    if (best.has(i) || !left.includes(other)) continue
    best.set(i, other)
    left.splice(left.indexOf(other), 1)
  }
  return mean(truth.map((own, i) => rouge(best.get(i) ?? [], own)[score]))
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Mean with the 95 % interval of the bootstrap over batches, in hundredths. */
function interval(values: readonly number[]): string {
  const { uniform } = random(5)
  const draws = Array.from({ length: DRAWS }, () =>
    mean(values.map(() => values[Math.floor(uniform() * values.length)])),
  )
  draws.sort((a, b) => a - b)
  const ends = [0.025, 0.975].map((part) => (100 * draws[Math.floor(part * DRAWS)]).toFixed(1))
  return `${(100 * mean(values)).toFixed(1)} (${ends.join('-')})`
}

const folder = resolve('.cache/dager', name)
mkdirSync(folder, { recursive: true })
const python = process.env.DLG_BENCH_PYTHON?.split(delimiter)[0] || 'python3'
const script = join(import.meta.dirname, 'peers/dager_peer.py')
const peer = start(
  {
    name: 'DAGER',
    command: python,
    args: (threads) => ['-u', script, `${threads}`, resolve(given.dager!), name, resolve(given.minilm!), folder],
  },
  1,
)
const scratch = mkdtempSync(join(tmpdir(), 'dlg-dager-'))
const file = join(scratch, 'shared.safetensors')
const lines = readFileSync(join(import.meta.dirname, 'peers/dager_sentences.txt'), 'utf8')
  .trim()
  .split('\n')
const { uniform } = random(seed)
const below = (n: number): number => Math.floor(uniform() * n)
const words = (): string => Array.from({ length: 8 + below(9) }, () => `w${below(WORDS)}`).join(' ')

/** Different sentences. */
function batchOf(): string[] {
  const some = new Set<string>()
  while (some.size < size) some.add(name === 'decoder' ? words() : lines[below(lines.length)])
  return [...some]
}

async function ours(
  transformer: ReturnType<typeof transformerOf>,
  truth: readonly (readonly number[])[],
): Promise<Row> {
  // by default a client does not share the gradient of an encoder's word table; DAGER does not read it
  const shared = new Map([...readTensors(file)].filter(([name]) => !name.includes('word_embeddings')))
  const before = process.cpuUsage()
  const milliseconds = 1000 * Number(given.seconds)
  const { status, reason, sequences, guesses } = await exactSequences(transformer, shared, {
    ...{ budget: { milliseconds }, ...JSON.parse(given.options) },
  })
  const { user, system } = process.cpuUsage(before)
  return {
    ...{ found: [...sequences, ...guesses], truth, seconds: (user + system) / 1e6, claimed: status === 'exact' },
    ...(status !== 'exact' && { otherwise: `${status}: ${reason}` }),
  }
}

const results: Record<'ours' | 'DAGER', Row[]> = { ours: [], DAGER: [] }
try {
  await tf.setBackend(given.backend)
  let transformer: ReturnType<typeof transformerOf> | undefined
  for (let i = 0; i < batches; i++) {
    const texts = batchOf()
    const labels = texts.map(() => below(2))
    const request = { texts, labels, file, shared: given.shared, seed: 1000 * i }
    const { ids } = await peer.ask({ do: 'share', ...request })
    const own = join(folder, FOLDERS[name])
    transformer ??= transformerOf(
      fromPretrained(readFileSync(`${own}/config.json`, 'utf8'), readTensors(`${own}/model.safetensors`)),
    )
    results.ours.push(await ours(transformer, ids))
    if (i < dagerBatches) {
      const { found, seconds, failed } = await peer.ask({ do: 'attack', ...request, settings }, 36_000)
      results.DAGER.push({ found, truth: read(ids), seconds, ...(failed && { otherwise: failed }) })
    }
    for (const [who, rows] of Object.entries(results)) {
      const row = rows[i]
      if (!row) continue
      const right = row.truth.filter((s) => row.found.some((other) => `${other}` === `${s}`)).length
      console.log([i, who, `${right}/${size}`, `${short(row.seconds)} s`, row.otherwise ?? ''].join('  ').trimEnd())
    }
  }
  if (given.json) writeFileSync(given.json, JSON.stringify({ given, results }))
  const { peakMb } = await peer.ask({ do: 'memory' })
  const peaks = { ours: process.resourceUsage().maxRSS / 1024, DAGER: peakMb }
  const rows = Object.entries(results).map(([who, all]) => {
    const exact = all.filter(({ found, truth }) => text(found) === text(truth))
    const wrong = all.filter((row) => row.claimed && !exact.includes(row)).length
    const seconds = all.map((row) => row.seconds)
    return [
      ...[who, `${exact.length}/${all.length}`, who === 'ours' ? `${wrong}` : '–'],
      ...[interval(all.map((row) => scored(row, 'rouge1'))), interval(all.map((row) => scored(row, 'rouge2')))],
      ...[short(median(seconds)), short(Math.max(...seconds)), peaks[who as 'ours' | 'DAGER'].toFixed(0)],
    ]
  })
  const head = ['', 'exact', 'falsely claimed', 'ROUGE-1', 'ROUGE-2', 'median s', 'longest s', 'MB']
  console.log(
    `\n${name}, batches of ${size}, ${given.shared}, ours with ${given.options} on ${given.backend}, DAGER with ${JSON.stringify(settings)}\n${table(head, rows)}`,
  )
} finally {
  await peer.close()
  rmSync(scratch, { recursive: true, force: true })
}
