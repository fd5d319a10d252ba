import type { CriterionName } from '../client/training-options'
import { DlgError } from '../errors/dlg-error'
import type { Arguments, Options } from './arguments'

/** How the client trains. */
export interface ClientTraining {
  readonly batchSize: number
  readonly criterion: CriterionName
  readonly output: 'auto' | 'logits' | 'probabilities'
  readonly reduction: 'mean' | 'sum'
  readonly training: boolean
  /** Of the data's values. */
  readonly range: readonly [number, number]
}

const CRITERIA = ['crossEntropy', 'binaryCrossEntropy', 'meanSquaredError', 'meanAbsoluteError', 'huber'] as const

export const TRAINING_OPTIONS = {
  'batch-size': { value: 'N', default: '1', help: 'how many samples the gradient is of' },
  criterion: { value: 'NAME', default: 'crossEntropy', help: `the client's loss: ${CRITERIA.join(', ')}` },
  output: {
    value: 'NAME',
    default: 'auto',
    help: "what the model's output is to a cross-entropy: auto, logits, probabilities",
  },
  reduction: { value: 'NAME', default: 'mean', help: 'how the losses of a batch became one: mean, sum' },
  training: { help: 'the client runs the model in training mode: batch statistics' },
  range: { value: 'LOW,HIGH', default: '0,1', help: "of the data's values; a negative one as --range=-1,1" },
} as const satisfies Options

/** @throws DlgError `invalid-option` */
export const training = (args: Arguments): ClientTraining => ({
  batchSize: args.whole('batch-size', 1, 1024),
  criterion: args.choice('criterion', CRITERIA),
  output: args.choice('output', ['auto', 'logits', 'probabilities']),
  reduction: args.choice('reduction', ['mean', 'sum']),
  training: args.has('training'),
  range: range(args.text('range')!),
})

function range(text: string): readonly [number, number] {
  const [low, high, ...more] = text.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)))
  if (Number.isFinite(low) && Number.isFinite(high) && low < high && more.length === 0) return [low, high]
  throw new DlgError('invalid-option', `--range is '${text}'; it must be two numbers, the lower first, such as 0,1`)
}
