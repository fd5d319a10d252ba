import * as tf from '@tensorflow/tfjs-core'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { rouge } from '../measure/rouge'
import { type Verdict, verdictOf } from '../measure/verdict'
import { WORDS } from '../models/bert-shapes'
import { inside } from '../models/tokenizer'
import { checkFolder, writeFiles } from '../report/files'
import {
  deepLeakageFromText,
  type Head,
  maskTokens,
  STEPS,
  type TextGradients,
  type TextLeakage,
  type TextModel,
  type TextTokenizer,
  textGradients,
} from '../text'
import { exitCode } from './command'
import { inForce, OWN_DEFAULTS } from './flags'
import { progress } from './progress'
import { type BACKENDS, onnxAdvice, useBackend } from './runtime'
import { paint, type Terminal, visible } from './terminal'
import { modelFor } from './text-encoder'
import type { ModelFiles } from './text-files'
import { TEXT, type TextOptions } from './text-options'
import { accuracies, percent, type Reading, table } from './text-table'
import { noteUnknown, unknownIn } from './text-unknown'
import { version } from './version'

export interface TextSettings {
  readonly out: string
  readonly json: boolean
  /** Default: the one that config.json names, else `mean`. */
  readonly head?: Head
  readonly start: 'normal' | 'span'
  readonly withEmbeddingGradient: boolean
  readonly options: TextOptions
  /** Files of a pretrained model. */
  readonly files?: ModelFiles
  /** Backend of tfjs; default: cpu for a search, for sequences wasm where it is installed. */
  readonly backend?: (typeof BACKENDS)[number]
}

/** An encoder with a sentence for it. */
interface Encoder {
  readonly model: TextModel
  readonly tokenizer: TextTokenizer
  readonly tokens: readonly number[]
}

/** The class the client trains the sentence as. */
const LABEL = 1

/** Both sides of an attack on a sentence: the client's gradient, the search, the files and the lines. @returns the exit code */
export async function attackText(text: string, settings: TextSettings, terminal: Terminal): Promise<number> {
  const { out, json, files } = settings
  const { seed = OWN_DEFAULTS.seed, runtime } = settings.options
  checkFolder(out, ['table.txt', 'result.json'])
  await useBackend(settings.backend ?? 'cpu')
  const { model, tokenizer, tokens: ids } = await modelFor(files, [text], settings.head, seed)
  const [tokens] = ids
  try {
    if (!('head' in model))
      throw new DlgError('invalid-option', 'the search takes an encoder, and this is a decoder; say --attack sequences')
    const { head } = model
    const { mask } = tokenizer
    if (head === 'mlm' && mask === undefined)
      throw new DlgError(
        'invalid-model',
        'the tokenizer has no mask token, so no token can be hidden; say another --head',
      )
    const encoder: Encoder = { model, tokenizer, tokens }
    noteUnknown([tokens], tokenizer, terminal)
    const seen = head === 'mlm' ? maskTokens(tokens, mask!, seed) : undefined
    const gradients = await textGradients(model, seen ?? { tokens, label: LABEL }, { runtime })
    const { leak, readings } = await leakOf(encoder, gradients, settings, terminal).finally(() => tf.dispose(gradients))
    const right = tokens.every((token, i) => leak.tokens[i] === token)
    const end = verdictOf(leak.status, [{ alike: right }])
    const shown = table(readings, leak.tokens, { text, tokens, seen: seen?.tokens }, tokenizer)
    const names = ['table.txt', 'result.json']
    const report = visible(`${JSON.stringify({ ...reportOf(text, encoder, settings, leak), files: names }, null, 2)}\n`)
    writeFiles(out, { 'table.txt': `${shown}\n`, 'result.json': report })
    const paths = names.map((name) => `${out}/${name}`).join(' ')
    terminal.stdout.write(
      json ? report : `${headline(leak, encoder, end, terminal)}\n${visible(shown)}\n${visible(paths)}\n`,
    )
    return exitCode(end)
  } finally {
    model.dispose()
  }
}

/** What the receiver of a gradient makes of it, and how the sentence read on the way. */
async function leakOf(
  { model }: Encoder,
  gradients: tf.NamedTensorMap,
  { withEmbeddingGradient, start, options }: TextSettings,
  terminal: Terminal,
): Promise<{ leak: TextLeakage; readings: Reading[] }> {
  const { [WORDS]: _, ...rest } = gradients
  const shared: TextGradients = withEmbeddingGradient ? gradients : rest
  const { iterations = OWN_DEFAULTS.textIterations, restarts = TEXT.restarts.default } = options
  /** Readings of every restart. */
  const readings: Reading[][] = []
  await onnxAdvice(options.runtime, terminal)
  const shown = progress(terminal, { iterations: STEPS * iterations, restarts })
  try {
    const leak = await deepLeakageFromText(model, shared, {
      ...options,
      start,
      signal: terminal.signal,
      onIteration(e) {
        const step = STEPS * e.iteration
        // an iteration that takes long is told of several times
        readings[e.restart] ??= []
        const read = readings[e.restart]
        if (read[read.length - 1]?.step !== step) read.push({ step, tokens: e.tokens().map(({ token }) => token) })
        shown.show({ ...e, iteration: step, data: () => new Float32Array() })
      },
    })
    return { leak, readings: readings[leak.restart] }
  } finally {
    shown.end()
  }
}

function reportOf(text: string, { model, tokenizer, tokens }: Encoder, settings: TextSettings, leak: TextLeakage) {
  const { start, withEmbeddingGradient, options, files } = settings
  const { head } = model
  const { layers, hidden, vocabularySize } = model.config
  return {
    command: 'text',
    status: leak.status,
    exact: leak.exact,
    sentence: tokenizer.decode(leak.tokens),
    tokens: leak.tokens,
    original: { sentence: text, tokens },
    unknown: unknownIn(tokens, tokenizer),
    ...accuracies(leak.tokens, tokens, tokenizer),
    ...rouge(inside(leak.tokens, tokenizer), inside(tokens, tokenizer)),
    ...(leak.label !== undefined && { label: { original: LABEL, recovered: leak.label } }),
    relativeLoss: leak.relativeLoss,
    evaluations: leak.evaluations,
    seconds: leak.milliseconds / 1000,
    seed: leak.seed,
    runtime: leak.runtime,
    encoder: { weights: files?.weights ?? 'random', layers, hidden, vocabularySize },
    options: { head, start, withEmbeddingGradient, ...inForce(TEXT, options) },
    versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
  }
}

function headline(
  leak: TextLeakage,
  { tokens, tokenizer }: Encoder,
  { word, failed }: Verdict,
  terminal: Terminal,
): string {
  const { tokenAccuracy, bagAccuracy } = accuracies(leak.tokens, tokens, tokenizer)
  const head = paint(terminal, 'stdout', failed ? 'red' : 'green', !failed && leak.exact ? `${word}, exact` : word)
  const found = `${percent(tokenAccuracy)} of the tokens in place, ${percent(bagAccuracy)} anywhere`
  return `${head}: ${found}, ${countOf(leak.evaluations, 'evaluation')} in ${(leak.milliseconds / 1000).toFixed(1)} s on ${leak.runtime}`
}
