import { readFileSync, statSync } from 'node:fs'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { Arguments } from '../arguments'
import { TIME_LIMIT, timeLimit } from '../attack'
import type { Command } from '../command'
import { flagName, flagsOf, OWN_DEFAULTS, readFlags, without } from '../flags'
import { BACKENDS } from '../runtime'
import { filesIn, isDecoder, type ModelFiles } from '../text-files'
import { TEXT, type TextOptions } from '../text-options'

/** Token sequences, the paper's second experiment. */
export const text: Command = {
  name: 'text',
  usage: '"SENTENCE"...',
  summary: "sentences, token for token, from a transformer's gradient",
  description: `Trains a BERT encoder one step on a sentence, keeps the gradient alone, and searches for the word embeddings that have
the same gradient. Writes table.txt (the sentence every ten steps, at the end, and as it was) and result.json (status,
exact, sentence, tokens, accuracies, evaluations, seconds, seed, runtime, options, versions). 'token' is the part of
the tokens found in their place, 'bag' the part found anywhere. Exact means that these tokens have the very gradient.
Without --model the encoder is small, with random weights; --start span finds what the search from noise does not.
Several sentences, or a --file of them, are one batch, and the attack is exact (--attack sequences: DAGER): no search in
embedding space, and a table of exact matches, tokens, and ROUGE-1, -2 and -L for each sentence. A decoder
(GPT-2, LLaMA) trains on next tokens and shares all its gradients, and is attacked in the same way.`,
  options: {
    attack: {
      value: 'NAME',
      help: 'search (of one sentence, in embedding space) or sequences (of a batch, exact); default: search for one sentence',
    },
    file: { value: 'FILE', help: 'the sentences of the batch, one on each line' },
    head: {
      value: 'NAME',
      help: 'what the client of an encoder trains: mean (classifier of the mean), first (of the first token), mlm (masked tokens); default: what config.json names, else mean',
    },
    start: {
      value: 'NAME',
      default: 'normal',
      help: 'of the search: normal (noise), span (the tokens that the gradient of the first block gives in closed form)',
    },
    'with-embedding-gradient': { help: 'the client shares the gradient of the word embeddings too' },
    model: {
      value: 'FOLDER',
      help: 'of a BERT, RoBERTa, DistilBERT, GPT-2 or LLaMA: config.json, model.safetensors and tokenizer.json',
    },
    weights: { value: 'FILE', help: 'of such a model, where the files lie apart: model.safetensors' },
    tokenizer: { value: 'FILE', help: 'of that model (default: tokenizer.json beside the weights)' },
    config: { value: 'FILE', help: 'of that model (default: config.json beside the weights)' },
    out: {
      value: 'FOLDER',
      default: 'dlg-out/text',
      help: 'where the files go; made if missing, other files in it stay',
    },
    ...flagsOf(TEXT, { seed: OWN_DEFAULTS.seed, iterations: OWN_DEFAULTS.textIterations }),
    ...TIME_LIMIT,
    backend: {
      value: 'NAME',
      help: `of tfjs: ${BACKENDS.join(', ')}; default: cpu for a search, for sequences wasm where it is installed`,
    },
    json: { help: 'print the report as JSON instead of lines' },
    help: { help: 'this text' },
  },
  examples: [
    'dlg text "We invite submissions for the annual conference."',
    'dlg text "My password is very simple." --head mlm --start span --json',
    'dlg text "Child care will be available." --model minilm --start span',
    'dlg text "We welcome proposals." "The doctor will call today." --model gpt2',
    'dlg text "We welcome proposals." "The doctor will call today." --with-embedding-gradient',
  ],
  async run(args, terminal) {
    const given = readFlags(TEXT, args)
    const settings = {
      out: args.text('out')!,
      json: args.has('json'),
      ...(args.has('head') && { head: args.choice('head', ['mean', 'first', 'mlm']) }),
      start: args.choice('start', ['normal', 'span']),
      withEmbeddingGradient: args.has('with-embedding-gradient'),
      options: { ...given, budget: timeLimit(args, given.budget) },
      files: modelFiles(args),
      ...(args.has('backend') && { backend: args.choice('backend', BACKENDS) }),
    }
    const sentences = sentencesOf(args)
    const attack = args.has('attack') ? args.choice('attack', ['search', 'sequences']) : undefined
    if (attack === 'search' && sentences.length > 1)
      throw new DlgError(
        'invalid-option',
        `${countOf(sentences.length, 'text')} given; --attack search takes one, in quotes`,
      )
    const decodes = settings.files !== undefined && isDecoder(settings.files)
    if (decodes && (attack === 'search' || settings.head))
      throw new DlgError(
        'invalid-option',
        `${attack === 'search' ? '--attack search' : `--head ${settings.head}`} is for an encoder, and the model is a decoder; leave it out`,
      )
    if (attack === 'sequences' || sentences.length > 1 || decodes) {
      refuseSearchFlags(args, given, decodes)
      const { attackSentences } = await import('../text-batch')
      return attackSentences(sentences, settings, terminal)
    }
    // what it pulls in takes a while to load, and wrong input should be told at once
    const { attackText } = await import('../text-attack')
    return attackText(sentences[0], settings, terminal)
  },
}

/** @throws DlgError `invalid-option` for flags of the search, which exact sequences do without */
function refuseSearchFlags(args: Arguments, { budget }: TextOptions, decodes: boolean): void {
  const idle = Object.keys(without(TEXT, 'budget', 'seed', 'runtime')).map((name) => flagName(name))
  const lone = [...idle, 'start'].find(args.given)
  const why = decodes ? 'a decoder is attacked' : 'several sentences, or --attack sequences, are attacked'
  if (lone) throw new DlgError('invalid-option', `--${lone} is of the search, and ${why} without one; leave it out`)
  if (budget?.evaluations !== undefined)
    throw new DlgError(
      'invalid-option',
      `--budget gives evaluations of the search, and ${why} without one; give a time such as 30s`,
    )
  if (decodes && args.has('with-embedding-gradient'))
    throw new DlgError(
      'invalid-option',
      '--with-embedding-gradient is for an encoder; a decoder shares all its gradients',
    )
}

/** @throws DlgError `invalid-option` for files of a model without its weights, or given in two ways */
function modelFiles(args: Arguments): ModelFiles | undefined {
  const [model, weights, tokenizer, config] = ['model', 'weights', 'tokenizer', 'config'].map(args.text)
  if (model !== undefined) {
    if (weights !== undefined) throw new DlgError('invalid-option', 'both --model and --weights given; say one')
    return { ...filesIn(model), tokenizer, config }
  }
  if (weights !== undefined) return { weights, tokenizer, config }
  const lone = ['tokenizer', 'config'].find(args.has)
  if (lone) throw new DlgError('invalid-option', `--${lone} belongs to --model or --weights, and neither is given`)
  return undefined
}

/** Sentences of the command line or of a file. @throws DlgError */
function sentencesOf(args: Arguments): string[] {
  const path = args.text('file')
  const given = args.positionals
  if (path !== undefined && given.length > 0)
    throw new DlgError('invalid-option', '--file has the sentences; give none beside it')
  const sentences = path === undefined ? [...given] : linesOf(path)
  if (sentences.length === 0)
    throw new DlgError(
      'invalid-option',
      path === undefined ? '0 texts given; dlg text takes a sentence, in quotes' : `--file ${path} has no sentence`,
    )
  if (sentences.some((sentence) => sentence.trim() === ''))
    throw new DlgError('invalid-data', 'the text is empty; give a sentence')
  return sentences
}

/** The lines of a file that are not empty. */
function linesOf(path: string): string[] {
  try {
    if (statSync(path).size > MOST_BYTES)
      throw new DlgError('invalid-file', `--file ${path}: has more than ${MOST_BYTES} bytes; a batch is smaller`)
    const lines = readFileSync(path, 'utf8').split(/\r?\n/)
    return lines.filter((line) => line.trim() !== '')
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new DlgError(
      'invalid-file',
      `--file ${path}: ${missing ? 'no such file' : `cannot be read: ${(cause as Error).message}`}`,
      { cause },
    )
  }
}

/** Most bytes of a file of sentences. */
const MOST_BYTES = 2 ** 20
