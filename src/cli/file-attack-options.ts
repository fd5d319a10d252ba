import { DlgError } from '../errors/dlg-error'
import type { Arguments, Options } from './arguments'
import { attackOptions, BATCH_UPDATE, batchUpdate, type CommonSettings, commonSettings } from './attack'
import { GRADIENT_OPTIONS, type GradientFiles, gradientFiles } from './gradient-files'
import { type ClientTraining, TRAINING_OPTIONS, training } from './training'

/** An attack on a gradient out of files. */
export interface FileAttack extends CommonSettings {
  readonly model: string
  readonly files: GradientFiles
  readonly known: string | undefined
  readonly original: string | undefined
  readonly format: 'npz' | 'safetensors'
  readonly training: ClientTraining
  readonly labels: 'joint' | 'infer' | readonly number[]
  readonly batchUpdate: 'together' | 'one-by-one'
  readonly init: 'gray' | 'normal' | 'uniform'
  readonly tolerance: number | undefined
}

export const FILE_ATTACK_OPTIONS = {
  ...GRADIENT_OPTIONS,
  ...TRAINING_OPTIONS,
  original: {
    value: 'FILE',
    help: 'to measure against: a picture of the size of the input, several separated by commas, or tensors',
  },
  known: { value: 'FILE', help: 'inputs that the attacker has, such as masks: tensors by input name' },
  init: { value: 'NAME', default: 'gray', help: 'of the search: gray (middle of the range), normal, uniform' },
  tolerance: { value: 'X', help: 'relative loss to stop at (default 1e-12)' },
  format: { value: 'NAME', default: 'npz', help: 'of the reconstruction: npz, safetensors' },
  ...BATCH_UPDATE,
  ...attackOptions('attack'),
  labels: {
    value: 'HOW',
    default: 'joint',
    help: 'joint (searched for with the data), infer (closed form), or the classes, if known: N,N,...',
  },
} as const satisfies Options

/** @throws DlgError `invalid-option` */
export function fileAttack(args: Arguments): FileAttack {
  const [stray] = args.positionals
  if (stray !== undefined)
    throw new DlgError(
      'invalid-option',
      `'${stray}' is not an option; the files are given with --model and --gradients`,
    )
  const model = args.text('model')
  if (model === undefined) throw new DlgError('invalid-option', 'no model given; --model takes a model.json of tfjs')
  return {
    ...commonSettings(args),
    model,
    files: gradientFiles(args),
    known: args.text('known'),
    original: args.text('original'),
    format: args.choice('format', ['npz', 'safetensors']),
    training: training(args),
    labels: labels(args),
    batchUpdate: batchUpdate(args),
    init: args.choice('init', ['gray', 'normal', 'uniform']),
    tolerance: args.number('tolerance', 0.999),
  }
}

function labels(args: Arguments): FileAttack['labels'] {
  const word = args.text('labels')!
  if (word === 'joint' || word === 'infer') return word
  if (/^\s*\d/.test(word)) return args.wholes('labels', 0, Number.MAX_SAFE_INTEGER)!
  throw new DlgError('invalid-option', `--labels is '${word}'; it must be joint or infer or classes such as 3,1`)
}
