import { type AttackName, attacks } from '../attacks'
import { MATCHING } from '../attacks/matching/options'
import { type PreprocessingOptions, preprocessingOption } from '../client/preprocessing'
import { TARGET } from '../client/target-options'
import { TRAINING } from '../client/training-options'
import { DlgError } from '../errors/dlg-error'
import type { Arguments, Options } from './arguments'
import { type AttackSettings, attackOptions, attackSettings, FROM_FILES } from './attack'
import { flagName, type Records, readFlags } from './flags'
import { BY_FLAGS, GRADIENT_OPTIONS, type GradientFiles, gradientFiles, modelFile } from './gradient-files'

/** Those that need nothing else: records of a table need a schema, which `dlg table` reads. */
const attackNames = (Object.keys(attacks) as AttackName[]).filter((name) => name !== 'tableak')

/** An attack on a gradient out of files. */
export interface FileAttack extends AttackSettings {
  readonly attack: AttackName
  readonly model: string
  readonly files: GradientFiles
  readonly known: string | undefined
  readonly original: string | undefined
  readonly format: 'npz' | 'safetensors'
}

export const FILE_ATTACK_OPTIONS: Options = {
  ...GRADIENT_OPTIONS,
  attack: {
    value: 'NAME',
    default: 'gradient-matching',
    help: `one attack of the registry: ${attackNames.join(', ')}`,
  },
  original: {
    value: 'FILE',
    help: 'to measure against: a picture of the size of the input, several separated by commas, or tensors',
  },
  known: { value: 'FILE', help: MATCHING.known.help },
  mean: {
    value: 'X,X,X',
    help: 'mean that the client subtracts from each channel of a picture, one or one a channel; --range is then that of the picture',
  },
  std: { value: 'X,X,X', help: 'standard deviation by which the client divides each channel, one or one a channel' },
  format: { value: 'NAME', default: 'npz', help: 'of the reconstruction: npz, safetensors' },
  ...attackOptions('attack', FROM_FILES),
}

/** @throws DlgError `invalid-option` */
export function fileAttack(args: Arguments): FileAttack {
  const model = modelFile(args, BY_FLAGS)
  const files = gradientFiles(args)
  if (args.text('attack') === 'tableak')
    throw new DlgError(
      'invalid-option',
      '--attack tableak needs to know how the table is encoded; use dlg table, with --schema or --csv',
    )
  const attack = args.choice('attack', attackNames)
  if (attack !== 'gradient-matching') refuseSearchFlags(args, attack)
  const { dataRange, ...flags } = readFlags(FROM_FILES, args)
  const preprocessing = preprocessingOf(args, dataRange)
  return {
    ...attackSettings(args, {
      scale: files.scale,
      ...flags,
      ...(preprocessing ? { preprocessing } : dataRange && { dataRange }),
      ...(files.update && { update: files.update }),
      ...(files.partial && { missing: 'allowed' }),
    }),
    attack,
    model,
    files,
    known: args.text('known'),
    original: args.text('original'),
    format: args.choice('format', ['npz', 'safetensors']),
  }
}

/** Attacks that can be told the class of the sample. */
const LABELLED: readonly AttackName[] = ['dense-inversion', 'patch-inversion', 'r-gap']

/** @throws DlgError `invalid-option` for flags that the attack does not read */
function refuseSearchFlags(args: Arguments, attack: AttackName): void {
  // how the client trains, and what its data are, may be said to any attack
  const read = [...Object.keys(TRAINING), ...Object.keys(TARGET), 'dataRange', 'seed', 'budget']
  const idle = Object.entries(FROM_FILES as Records)
    .filter(([name]) => !read.includes(name) && !(name === 'labels' && LABELLED.includes(attack)))
    .map(([name, record]) => flagName(name, record))
  const lone = [...idle, 'tv', 'original'].find(args.given)
  if (lone)
    throw new DlgError(
      'invalid-option',
      `--${lone} is of the search, and --attack ${attack} reads no such option; leave it out`,
    )
  const labels = args.text('labels')
  if (labels === 'joint')
    throw new DlgError(
      'invalid-option',
      `--labels is 'joint', and --attack ${attack} searches no labels; it must be a class or infer`,
    )
}

/** Undefined where neither a mean nor a standard deviation is given. @throws DlgError `invalid-option` */
function preprocessingOf(
  args: Arguments,
  range: readonly [number, number] | undefined,
): PreprocessingOptions | undefined {
  const [mean, std] = [args.text('mean'), args.text('std')]
  if (mean === undefined && std === undefined) return undefined
  const given = {
    ...(mean !== undefined && { mean: numbers('mean', mean) }),
    ...(std !== undefined && { std: numbers('std', std) }),
    ...(range && { range }),
  }
  try {
    preprocessingOption(given, '--mean and --std')
  } catch (error) {
    if (error instanceof DlgError)
      throw new DlgError(error.code, error.message.replace(/^--mean and --std\.(\w+)/, '--$1'))
    throw error
  }
  return given
}

function numbers(name: string, words: string): number[] {
  const list = words.split(',').map((word) => (word.trim() === '' ? Number.NaN : Number(word)))
  if (list.every(Number.isFinite)) return list
  throw new DlgError('invalid-option', `--${name} is '${words}'; it must be numbers such as 0.485,0.456,0.406`)
}
