import { Tensor } from '@tensorflow/tfjs-core'
import { choice, count, invalid, knownNames, number, requireFields, show } from '../errors/checks'
import { countOption, nameFlag, type OptionRecords, pickOptions } from '../options/option'
import { type Preprocessing, type PreprocessingOptions, preprocessingOption } from './preprocessing'
import type { KnownInputs } from './read-data'
import type { Missing } from './shared/missing'
import { PRECISIONS, type StatedPrecision } from './shared/rounding'
import { approximates, type UpdateOptions, type UpdateSettings, updateOption } from './shared/update-options'
import { TRAINING, type TrainingOptions, type TrainingSettings, trainingSettings } from './training-options'

/** Facts about the shared gradient or update that an attacker is told, beside how the client trains. */
export interface TargetOptions extends TrainingOptions {
  /** How many samples the gradient averages. Default 1. */
  batchSize?: number
  /** Inputs that the auditor has, such as a mask: the others alone are searched. */
  known?: KnownInputs
  /**
   * Gradients that were not shared, by the names of their weights; `allowed` leaves out whatever a map does not have. They are
   * left out of the matching. Default: every trained weight must have its gradient.
   */
  missing?: Missing
  /** How the weights moved, when what was shared is an update. */
  update?: UpdateOptions
  /**
   * A factor in what was shared: it is this many times the gradient. `auto` fits the factor, of either sign, at every point of
   * the search. Default 1.
   */
  scale?: 'auto' | number
  /**
   * How the client turns pictures into what the model sees: mean and standard deviation of each channel, and the range of the
   * pictures. It sets the range of the search, and pictures, strips and metrics undo it. Default: the model sees the pictures.
   */
  preprocessing?: PreprocessingOptions
  /**
   * The type in which gradients were shared, where their tensors do not say it themselves: `float16`, `bfloat16`, or `int8` with a
   * scale of max|g| / 127 for each tensor. A match up to what that type can hold is a match. Default: what the tensors say,
   * else what their numbers show, where all of them are numbers of float16 or bfloat16, else float32.
   */
  precision?: StatedPrecision
  /**
   * Variance of the normal noise that the client added to every number it shared, in the units of what was shared. A match up to the
   * noise is a match, and error bars are those of this noise. Default 0.
   */
  noise?: number
}

/** The options of a target, decided and checked. */
export interface TargetSettings extends TrainingSettings {
  readonly batchSize: number
  readonly known: KnownInputs
  readonly missing: Missing | undefined
  readonly update: UpdateSettings | undefined
  readonly scale: 'auto' | number
  /** Whether a factor that is fitted is above 0, as that of clipping is; else it may have either sign. */
  readonly positiveFactor?: boolean
  readonly precision: StatedPrecision | undefined
  readonly noise: number
  readonly preprocessing: Preprocessing | undefined
}

/** One record an option. */
export const TARGET = {
  batchSize: {
    ...countOption(1, 'how many samples the gradient is of'),
    check: (size: number): number => count('batchSize', size),
  },
  known: {
    help: 'inputs that the attacker has, such as masks: tensors by input name',
    default: {} as KnownInputs,
    check(known: KnownInputs): KnownInputs {
      const right = 'a map of tensors by input'
      if ((known as unknown) instanceof Tensor) throw invalid(`known is a tensor; it must be ${right}`)
      requireFields('known', known, right)
      return known
    },
  },
  missing: {
    help: 'gradients that were not shared: names of weights, or allowed for whatever a map does not have',
    otherwise: 'none',
    check(missing: Missing): Missing {
      if (missing === 'allowed') return missing
      if (Array.isArray(missing) && missing.every((name) => typeof name === 'string')) return missing
      throw invalid(`missing is ${show(missing)}; it must be 'allowed' or a list of names of weights`)
    },
  },
  update: {
    help: 'how the weights moved, where an update was shared: learning rate, local steps, momentum, approach',
    otherwise: 'a gradient was shared',
    check: (update: UpdateOptions): UpdateOptions => update,
  },
  scale: {
    help: 'what was shared is this many times the gradient; auto fits the factor, of either sign',
    default: 1 as 'auto' | number,
    check(scale: 'auto' | number): 'auto' | number {
      if (scale === 'auto') return scale
      return number('scale', scale, (v) => v !== 0 && Number.isFinite(v), "'auto' or a number other than 0")
    },
    flag: {
      value: 'X|auto',
      read: (word: string): 'auto' | number | undefined =>
        word === 'auto' ? word : Number.isFinite(Number(word)) && Number(word) !== 0 ? Number(word) : undefined,
      right: 'auto or a number other than 0',
    },
  },
  preprocessing: {
    help: 'what the client does to pictures: mean, std (one for each channel) and range',
    otherwise: 'none',
    check: (given: PreprocessingOptions, name: string): Preprocessing => preprocessingOption(given, name),
  },
  precision: {
    help: 'the type in which gradients were shared, where the files do not say: float32, float16, bfloat16, int8',
    otherwise: 'what the tensors say, or their numbers show',
    check: (precision: StatedPrecision, name: string): StatedPrecision => choice(name, precision, PRECISIONS),
    flag: nameFlag<StatedPrecision>(PRECISIONS),
  },
  noise: {
    help: 'variance of the normal noise that the client added to every number it shared',
    default: 0 as number,
    check: (variance: number, name: string): number =>
      number(name, variance, (v) => v >= 0 && v < Infinity, 'a number of at least 0'),
    flag: {
      value: 'VARIANCE',
      read: (word: string): number | undefined => (Number(word) >= 0 && word.trim() !== '' ? Number(word) : undefined),
      right: 'a number of at least 0',
    },
  },
} as const satisfies OptionRecords<Omit<TargetOptions, keyof TrainingOptions>>

/** Checks what an attacker is told. @throws DlgError `invalid-option` */
export function targetOptions(options: TargetOptions): TargetSettings {
  knownNames('options', options, [...Object.keys(TRAINING), ...Object.keys(TARGET)])
  return targetSettings(options)
}

/** Checks what an attacker is told, of options that have others beside it. @throws DlgError `invalid-option` */
export function targetSettings(options: TargetOptions): TargetSettings {
  const picked = pickOptions(TARGET, options)
  const update = updateOption(picked.update, picked.batchSize, options.scale === 'auto')
  // several steps taken for one have its direction at best: the gradient shrinks on the way
  const scale = approximates(update) ? 'auto' : picked.scale
  return { ...trainingSettings(options), ...picked, update, scale }
}
