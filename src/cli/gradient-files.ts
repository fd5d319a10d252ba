import { UPDATE, type UpdateOptions } from '../client/shared/update-options'
import { DlgError } from '../errors/dlg-error'
import type { Arguments, Options } from './arguments'
import { flagName, flagsOf, readFlags, without } from './flags'

/** Where a shared gradient lies, and how it is read. */
export interface GradientFiles {
  /** One file of gradients, or the weights before and after one step. */
  readonly source: { readonly gradients: string } | { readonly before: string; readonly after: string }
  /** The factor in gradients as they lie in the file: ± learning rate. */
  readonly scale: number
  /** How the client came from the weights before to those after. */
  readonly update: UpdateOptions | undefined
  readonly layout: 'tfjs' | 'pytorch'
  /** A JSON file with `map` and `flatten` for PyTorch's layers. */
  readonly map: string | undefined
  /** Whether the order of the file counts, and not its names. */
  readonly ordered: boolean
  /** Whether trained weights may be without a gradient. */
  readonly partial: boolean
  /** Tensors of the files that are left out, by name or pattern. */
  readonly ignore: readonly string[]
  /** A module that is run before the model is read. */
  readonly imported: string | undefined
  /** A file of weights in place of those that the model has. */
  readonly weights: string | undefined
}

/** The options of an update that only updates have: gradients may have a learning rate and a sign too. */
const LOCAL_TRAINING = without(UPDATE, 'learningRate', 'sign', 'optimizer')

/** A module that registers classes of the caller's own. */
const IMPORT_OPTION = {
  import: {
    value: 'FILE.mjs',
    help: 'a module of your own that registers the layer classes of the model; it is run as a program, with your rights: give only what you trust',
  },
} as const satisfies Options

export const GRADIENT_OPTIONS = {
  model: {
    value: 'FILE',
    help: "the client's model.json (tfjs layers), .keras archive or .onnx, with its weights at that step",
  },
  weights: {
    value: 'FILE',
    help: "weights in place of the model's own, by the names of tfjs or Keras: .weights.h5 of Keras 3, npz, safetensors",
  },
  ...IMPORT_OPTION,
  gradients: {
    value: 'FILE',
    help: 'the shared gradient: safetensors, npy, npz, tfjs, JSON or msgpack; never a pickle (.pt), which could run code',
  },
  before: { value: 'FILE', help: 'instead of --gradients: the weights before local training by SGD, with --after' },
  after: { value: 'FILE', help: 'the weights after it; of one step, the gradient is (before - after) / learning rate' },
  'learning-rate': {
    value: 'X',
    help: 'of that training; with --gradients the file holds learning rate · gradient (default there 1)',
  },
  sign: {
    value: 'NAME',
    default: 'plus',
    help: 'plus, or minus: --gradients holds the negative, such as after - before; --before and --after change places',
  },
  ...flagsOf(LOCAL_TRAINING),
  layout: { value: 'NAME', default: 'tfjs', help: "of the tensors' axes: tfjs, pytorch" },
  map: {
    value: 'FILE',
    help: 'JSON for --layout pytorch: {"map": {"conv1": "conv2d_Conv2D1"}, "flatten": {"fc.weight": [16, 5, 5]}}',
  },
  partial: { help: 'trained weights without a gradient in the file are left out of the matching' },
  ignore: {
    value: 'NAME,NAME',
    help: "tensors of the file to leave out, such as masks; * stands for any characters: '*.attn.bias'",
  },
  'by-order': { help: "tensors are in the order of the model's weights, whatever their names" },
} as const satisfies Options

/**
 * The file of the model.
 *
 * @param given what an argument without a flag is told, such as `the model is given with --model`
 * @throws DlgError `invalid-option` for such an argument, or without a model
 */
export function modelFile(args: Arguments, given: string): string {
  const [stray] = args.positionals
  if (stray !== undefined) throw new DlgError('invalid-option', `'${stray}' is not an option; ${given}`)
  const model = args.text('model')
  if (model !== undefined) return model
  throw new DlgError(
    'invalid-option',
    'no model given; --model takes a model.json of tfjs, a .keras archive or an .onnx file',
  )
}

/** What an argument without a flag is told where gradients come from files. */
export const BY_FLAGS = 'the files are given with --model and --gradients'

/** @throws DlgError `invalid-option`, in flags, for what does not belong to the layout */
export function requireLayout({
  layout,
  map,
  ordered,
  partial,
}: Pick<GradientFiles, 'layout' | 'map' | 'ordered' | 'partial'>): void {
  if (map !== undefined && layout !== 'pytorch')
    throw new DlgError('invalid-option', '--map says which PyTorch layer is which; it belongs to --layout pytorch')
  if (ordered && layout === 'pytorch')
    throw new DlgError('invalid-option', '--by-order belongs to --layout tfjs; PyTorch layers are told apart by --map')
  if (partial && layout === 'pytorch')
    throw new DlgError(
      'invalid-option',
      '--partial belongs to --layout tfjs: every PyTorch layer needs its counterpart',
    )
}

/** @throws DlgError `invalid-option` for what is missing, or contradicts itself */
export function gradientFiles(args: Arguments): GradientFiles {
  const layout = args.choice('layout', ['tfjs', 'pytorch'])
  const map = args.text('map')
  const ordered = args.has('by-order')
  const partial = args.has('partial')
  requireLayout({ layout, map, ordered, partial })
  const negative = args.choice('sign', ['plus', 'minus']) === 'minus'
  const source = sourceOf(args, negative)
  const rate = learningRate(args, 'before' in source && !isScaleFree(args))
  const update = updateOptions(args, rate, source)
  const scale = 'gradients' in source ? (negative ? -1 : 1) * (rate ?? 1) : 1
  if ('gradients' in source && args.has('scale') && scale !== 1)
    throw new DlgError('invalid-option', '--scale says of --gradients what --learning-rate and --sign say; give one')
  const ignore =
    args
      .text('ignore')
      ?.split(',')
      .map((name) => name.trim()) ?? []
  if (ignore.includes(''))
    throw new DlgError('invalid-option', `--ignore is '${args.text('ignore')}'; it must be names separated by commas`)
  return {
    source,
    update,
    scale,
    layout,
    map,
    ordered,
    partial,
    ignore,
    imported: args.text('import'),
    weights: args.text('weights'),
  }
}

function updateOptions(
  args: Arguments,
  rate: number | undefined,
  source: GradientFiles['source'],
): UpdateOptions | undefined {
  if ('before' in source) {
    return { learningRate: rate, ...readFlags(LOCAL_TRAINING, args) }
  }
  const lone = Object.entries(LOCAL_TRAINING)
    .map(([name, record]) => flagName(name, record))
    .find(args.has)
  if (lone)
    throw new DlgError(
      'invalid-option',
      `--${lone} is of the training between --before and --after, which are not given`,
    )
  return undefined
}

function sourceOf(args: Arguments, swapped: boolean): GradientFiles['source'] {
  const [gradients, before, after] = ['gradients', 'before', 'after'].map(args.text)
  if (gradients !== undefined && before === undefined && after === undefined) return { gradients }
  if (gradients === undefined && before !== undefined && after !== undefined)
    return swapped ? { before: after, after: before } : { before, after }
  const given = ['gradients', 'before', 'after'].filter(args.has).map((name) => `--${name}`)
  throw new DlgError(
    'invalid-option',
    `${given.length > 0 ? given.join(' and ') : 'no gradient'} given; give --gradients, or --before and --after with --learning-rate`,
  )
}

/** Whether any learning rate will do, as a factor is fitted. */
const isScaleFree = (args: Arguments): boolean =>
  args.text('scale') === 'auto' || ['surrogate', 'one-step'].includes(args.text('approach') ?? '')

function learningRate(args: Arguments, needed: boolean): number | undefined {
  const rate = args.number('learning-rate', 1e6)
  if (rate === undefined) {
    if (!needed) return undefined
    throw new DlgError(
      'invalid-option',
      '--before and --after need --learning-rate, by which their difference is divided',
    )
  }
  if (rate > 0) return rate
  throw new DlgError('invalid-option', '--learning-rate is 0: such a step changes nothing; it must be above 0')
}
