import { type AttackName, attacks } from '../attacks'
import { MATCHING } from '../attacks/matching/options'
import { DlgError } from '../errors/dlg-error'
import type { Arguments, Options } from './arguments'
import { type AttackSettings, attackOptions, attackSettings, FROM_FILES } from './attack'
import { readFlags } from './flags'
import { GRADIENT_OPTIONS, type GradientFiles, gradientFiles } from './gradient-files'

const attackNames = Object.keys(attacks) as AttackName[]

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
  format: { value: 'NAME', default: 'npz', help: 'of the reconstruction: npz, safetensors' },
  ...attackOptions('attack', FROM_FILES),
}

/** @throws DlgError `invalid-option` */
export function fileAttack(args: Arguments): FileAttack {
  const [stray] = args.positionals
  if (stray !== undefined)
    throw new DlgError(
      'invalid-option',
      `'${stray}' is not an option; the files are given with --model and --gradients`,
    )
  const model = args.text('model')
  if (model === undefined)
    throw new DlgError('invalid-option', 'no model given; --model takes a model.json of tfjs or an .onnx file')
  const files = gradientFiles(args)
  return {
    ...attackSettings(args, {
      scale: files.scale,
      ...readFlags(FROM_FILES, args),
      ...(files.update && { update: files.update }),
      ...(files.partial && { missing: 'allowed' }),
    }),
    attack: args.choice('attack', attackNames),
    model,
    files,
    known: args.text('known'),
    original: args.text('original'),
    format: args.choice('format', ['npz', 'safetensors']),
  }
}
