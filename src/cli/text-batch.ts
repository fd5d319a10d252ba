import * as tf from '@tensorflow/tfjs-core'
import { type ExactSequences, exactSequences } from '../analytic'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { match } from '../measure/match'
import { rouge } from '../measure/rouge'
import { verdictOf } from '../measure/verdict'
import { WORDS } from '../models/bert-shapes'
import { inside } from '../models/tokenizer'
import { checkFolder, writeFiles } from '../report/files'
import { classGradients, nextTokenGradients, type TextTokenizer, transformerOf } from '../text'
import { exitCode } from './command'
import { inForce, OWN_DEFAULTS } from './flags'
import { useBackend, useFastestBackend } from './runtime'
import { paint, type Terminal, visible } from './terminal'
import type { TextSettings } from './text-attack'
import { modelFor, type Prepared } from './text-encoder'
import { SEQUENCES } from './text-options'
import { accuracies, percent } from './text-table'
import { noteUnknown } from './text-unknown'
import { version } from './version'

/** A sentence of the batch, with the sequence that was found for it. */
interface Pair {
  readonly text: string
  readonly truth: readonly number[]
  /** Empty where fewer sequences were found. */
  readonly found: readonly number[]
}

/**
 * Both sides of an attack on a batch of sentences: one step of a client on all of them, and the exact sequences behind its
 * gradient. @returns the exit code
 */
export async function attackSentences(
  texts: readonly string[],
  settings: TextSettings,
  terminal: Terminal,
): Promise<number> {
  const { out, json, files, options, withEmbeddingGradient } = settings
  const { seed = OWN_DEFAULTS.seed, runtime, budget } = options
  if (settings.head === 'mlm') throw maskedHead()
  checkFolder(out, ['table.txt', 'result.json'])
  // tfjs runs the blocks of the transformer here
  await (settings.backend ? useBackend(settings.backend) : useFastestBackend())
  const { model, tokenizer, tokens: truths } = await modelFor(files, texts, settings.head, seed)
  try {
    const head = 'head' in model ? model.head : undefined
    if (head === 'mlm') throw maskedHead()
    noteUnknown(truths, tokenizer, terminal)
    const gradients = await gradientsOf(model, truths, runtime)
    const { [WORDS]: words, ...rest } = gradients
    const shared = withEmbeddingGradient || !words ? gradients : rest
    let told = ''
    const result = await exactSequences(transformerOf(model), shared as tf.NamedTensorMap, {
      ...(budget?.milliseconds !== undefined && { budget: { milliseconds: budget.milliseconds } }),
      signal: terminal.signal,
      onProgress({ step, sequences }) {
        const line = `${step}${sequences > 0 ? `: ${sequences} so far` : ''}`
        if (line !== told) terminal.stderr.write(terminal.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
        told = line
      },
    }).finally(() => tf.dispose(gradients))
    if (terminal.stderr.isTTY) terminal.stderr.write('\r\x1b[K')
    const pairs = paired(texts, truths, [...repeated(result, truths.length), ...result.guesses])
    const samples = pairs.map((pair) => ({ alike: isExact(pair) }))
    const status = { exact: 'converged', aborted: 'aborted', budget: 'budget' } as const
    const ended = result.status in status ? status[result.status as keyof typeof status] : 'stalled'
    const verdict = verdictOf(ended, samples)
    const names = ['table.txt', 'result.json']
    const shown = table(pairs, tokenizer)
    const report = visible(
      `${JSON.stringify(
        {
          command: 'text',
          attack: 'sequences',
          ...summary(result),
          sentences: pairs.map((pair) => ({
            ...measured(pair, tokenizer),
            sentence: tokenizer.decode(pair.found),
            original: pair.text,
          })),
          ...means(pairs, tokenizer),
          encoder: { weights: files?.weights ?? 'random', layers: model.config.layers, hidden: model.config.hidden },
          options: { head, withEmbeddingGradient, ...inForce(SEQUENCES, options) },
          versions: { 'dlg-ts': version(), node: process.version, tfjs: tf.version_core },
          files: names,
        },
        null,
        2,
      )}\n`,
    )
    writeFiles(out, { 'table.txt': `${shown}\n`, 'result.json': report })
    const word = verdict.word.replace('(stalled)', `(${result.status})`)
    const head1 = paint(
      terminal,
      'stdout',
      verdict.failed ? 'red' : 'green',
      `${word}${verdict.failed ? '' : ', exact'}`,
    )
    const right = samples.filter(({ alike }) => alike).length
    const line = `${head1}: ${right} of ${countOf(pairs.length, 'sentence')} exact in ${(result.milliseconds / 1000).toFixed(1)} s${result.reason ? `; ${withoutScale(result.reason)}` : ''}`
    const paths = names.map((name) => `${out}/${name}`).join(' ')
    terminal.stdout.write(json ? report : `${line}\n${visible(shown)}\n${visible(paths)}\n`)
    return exitCode(verdict)
  } finally {
    model.dispose()
  }
}

/** The command shares the gradient itself, and has no option for a factor. */
const withoutScale = (reason: string): string => reason.replace(': give the option scale', '')

/** What the client shares: of a classifier where the model is an encoder, of next tokens where it is a decoder. */
const gradientsOf = (
  model: Prepared['model'],
  sentences: readonly number[][],
  runtime: TextSettings['options']['runtime'],
) =>
  'head' in model
    ? classGradients(
        model,
        sentences,
        sentences.map((_, i) => i % model.classes),
        { runtime },
      )
    : nextTokenGradients(model, sentences, { runtime })

const maskedHead = (): DlgError =>
  new DlgError('invalid-option', '--head mlm has no classes; --attack sequences takes mean or first')

/** The sequences, as often as the batch is a whole number of times as large: a mean is the same where each of them is there once more. */
function repeated({ status, sequences }: ExactSequences, size: number): (readonly number[])[] {
  const times = status === 'exact' && size % sequences.length === 0 ? size / sequences.length : 1
  return Array.from({ length: times }, () => sequences).flat()
}

/** Each sentence with the sequence that has most tokens in common with it, every sequence once. */
function paired(texts: readonly string[], truths: readonly number[][], found: readonly (readonly number[])[]): Pair[] {
  const size = Math.max(truths.length, found.length)
  const cost = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => 1 - rouge(found[j] ?? [], truths[i] ?? []).rougeL),
  )
  const columns = match(cost)
  return truths.map((truth, i) => ({ text: texts[i], truth, found: found[columns[i]] ?? [] }))
}

const isExact = ({ found, truth }: Pair): boolean => found.join() === truth.join()

/** How much of a sentence was found; the tokens around it are not counted. */
const measured = (pair: Pair, tokenizer: TextTokenizer) => ({
  exact: isExact(pair),
  ...accuracies(pair.found, pair.truth, tokenizer),
  ...rouge(inside(pair.found, tokenizer), inside(pair.truth, tokenizer)),
  tokens: pair.found,
})

function means(pairs: readonly Pair[], tokenizer: TextTokenizer) {
  const all = pairs.map((pair) => measured(pair, tokenizer))
  const mean = (pick: (own: (typeof all)[number]) => number) =>
    all.reduce((sum, own) => sum + pick(own), 0) / all.length
  return {
    exactMatch: mean(({ exact }) => Number(exact)),
    tokenAccuracy: mean(({ tokenAccuracy }) => tokenAccuracy),
    bagAccuracy: mean(({ bagAccuracy }) => bagAccuracy),
    rouge1: mean(({ rouge1 }) => rouge1),
    rouge2: mean(({ rouge2 }) => rouge2),
    rougeL: mean(({ rougeL }) => rougeL),
  }
}

function summary({ status, reason, labels, rank, gap, noise, hidden, proof, milliseconds }: ExactSequences) {
  return { status, reason, labels, rank, gap, noise, hidden, proof, seconds: milliseconds / 1000 }
}

/** A line for each sentence, and the means. */
function table(pairs: readonly Pair[], tokenizer: TextTokenizer): string {
  const row = (cells: readonly string[], sentence: string): string =>
    `${cells.map((cell, i) => cell.padStart(i === 0 ? 5 : 6)).join('  ')}  ${sentence}`
  const numbers = (m: { tokenAccuracy: number; bagAccuracy: number; rouge1: number; rouge2: number; rougeL: number }) =>
    [m.tokenAccuracy, m.bagAccuracy, m.rouge1, m.rouge2, m.rougeL].map(percent)
  const all = means(pairs, tokenizer)
  return [
    row(['exact', 'token', 'bag', 'R-1', 'R-2', 'R-L'], 'sentence'),
    ...pairs.map((pair) => {
      const own = measured(pair, tokenizer)
      return row([own.exact ? 'yes' : 'no', ...numbers(own)], tokenizer.decode(pair.found))
    }),
    row([percent(all.exactMatch), ...numbers(all)], `mean of ${pairs.length}`),
  ].join('\n')
}
