import { DlgError } from '../../errors/dlg-error'
import type { Arguments } from '../arguments'
import { TIME_LIMIT, timeLimit } from '../attack'
import type { Command } from '../command'
import { flagsOf, OWN_DEFAULTS, readFlags } from '../flags'
import type { EncoderFiles } from '../text-encoder'
import { TEXT } from '../text-options'

/** Token sequences, the paper's second experiment. */
export const text: Command = {
  name: 'text',
  usage: '"SENTENCE"',
  summary: "a sentence, token for token, from a transformer's gradient",
  description: `Trains a BERT encoder one step on a sentence, keeps the gradient alone, and searches for the word embeddings that have
the same gradient. Writes table.txt (the sentence every ten steps, at the end, and as it was) and result.json (status,
exact, sentence, tokens, accuracies, evaluations, seconds, seed, runtime, options, versions). 'token' is the part of
the tokens found in their place, 'bag' the part found anywhere. Exact means that these tokens have the very gradient.
Without --weights the encoder is small, with random weights; --start span finds what the search from noise does not.`,
  options: {
    head: {
      value: 'NAME',
      default: 'mean',
      help: 'what the client trains: mean (classifier of the mean), first (of the first token), mlm (masked tokens)',
    },
    start: {
      value: 'NAME',
      default: 'normal',
      help: 'of the search: normal (noise), span (the tokens that the gradient of the first block gives in closed form)',
    },
    'with-embedding-gradient': { help: 'the client shares the gradient of the word embeddings too' },
    weights: { value: 'FILE', help: 'of a pretrained BERT encoder: model.safetensors' },
    tokenizer: { value: 'FILE', help: 'of that encoder (default: tokenizer.json beside the weights)' },
    config: { value: 'FILE', help: 'of that encoder (default: config.json beside the weights)' },
    out: {
      value: 'FOLDER',
      default: 'dlg-out/text',
      help: 'where the files go; made if missing, other files in it stay',
    },
    ...flagsOf(TEXT, { seed: OWN_DEFAULTS.seed, iterations: OWN_DEFAULTS.textIterations }),
    ...TIME_LIMIT,
    json: { help: 'print the report as JSON instead of lines' },
    help: { help: 'this text' },
  },
  examples: [
    'dlg text "We invite submissions for the annual conference."',
    'dlg text "My password is very simple." --head mlm --start span --json',
    'dlg text "Child care will be available." --weights minilm/model.safetensors --start span',
  ],
  async run(args, terminal) {
    const given = readFlags(TEXT, args)
    const settings = {
      out: args.text('out')!,
      json: args.has('json'),
      head: args.choice('head', ['mean', 'first', 'mlm']),
      start: args.choice('start', ['normal', 'span']),
      withEmbeddingGradient: args.has('with-embedding-gradient'),
      options: { ...given, budget: timeLimit(args, given.budget) },
      files: encoderFiles(args),
    }
    const [sentence, ...more] = args.positionals
    if (sentence === undefined || more.length > 0)
      throw new DlgError(
        'invalid-option',
        `${args.positionals.length} texts given; dlg text takes one${more.length > 0 ? ', in quotes' : ''}`,
      )
    if (sentence.trim() === '') throw new DlgError('invalid-data', 'the text is empty; give a sentence')
    // what it pulls in takes a while to load, and wrong input should be told at once
    const { attackText } = await import('../text-attack')
    return attackText(sentence, settings, terminal)
  },
}

/** @throws DlgError `invalid-option` for files of an encoder without its weights */
function encoderFiles(args: Arguments): EncoderFiles | undefined {
  const [weights, tokenizer, config] = ['weights', 'tokenizer', 'config'].map(args.text)
  if (weights !== undefined) return { weights, tokenizer, config }
  const lone = ['tokenizer', 'config'].find(args.has)
  if (lone) throw new DlgError('invalid-option', `--${lone} belongs to --weights, which is not given`)
  return undefined
}
