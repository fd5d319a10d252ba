import type { Each } from '../../client/model/each'
import { TARGET, type TargetOptions, type TargetSettings, targetSettings } from '../../client/target-options'
import { TRAINING } from '../../client/training-options'
import { choice, knownNames } from '../../errors/checks'
import type { Optimizer } from '../../optim'
import { type Decisions, nameOption, type OptionRecords, pickOptions } from '../../options/option'
import type { Distance } from './objective/distance'
import { OBJECTIVE, type ObjectiveOptions, readPriorOption } from './objective/options'
import type { Prior } from './objective/prior'
import { scaleFree } from './objective/scale'
import { HISTORY, type OptimizerChoice } from './search/optimizers'
import { SEARCH, type SearchOptions } from './search/options'
import { type LabelChoice, type LabelOption, labelsOption } from './targets/label-choices'

/** Options of `deepLeakageFromGradients`; every one has a default. */
export interface LeakageOptions extends TargetOptions, ObjectiveOptions, SearchOptions {
  /** `robust` (default), or `paper`: the recipe as published, which fails where the published recipe fails. */
  preset?: 'robust' | 'paper'
  /**
   * `joint` soft-max as in the paper (default), `infer` in closed form, class indices, known targets, or a strategy. Of several
   * outputs a list or a map by name; one alone is for all, where `infer` infers the classes and searches other targets.
   */
  labels?: LabelOption | Each<LabelOption>
}

/** A recipe: the values it takes where the caller gives none, and what is not an option at all. */
interface Preset {
  readonly options: Pick<LeakageOptions, 'restarts' | 'init' | 'priors' | 'priorEasing' | 'patience'>
  /** The objective is this many times the relative loss; undefined leaves the distance as it is. */
  readonly objectiveScale: number | undefined
}

const PRESETS = {
  robust: { options: {}, objectiveScale: 1e6 },
  paper: {
    options: { restarts: 1, init: 'normal', priors: [], priorEasing: 1, patience: Number.POSITIVE_INFINITY },
    objectiveScale: undefined,
  },
} as const satisfies Readonly<Record<string, Preset>>

export type PresetName = keyof typeof PRESETS

const presetNames = Object.keys(PRESETS) as PresetName[]

/** One record an option: those that belong to no part of the attack alone. */
const WHOLE = {
  preset: nameOption<PresetName>(
    presetNames,
    'robust',
    'robust, or paper: the recipe as published, which fails more often',
  ),
  labels: {
    help: 'how the attacker gets the labels: joint (searched with the data), infer (closed form), or the classes: 3,1',
    default: 'joint' as LabelOption | Each<LabelOption>,
    check: (labels: LabelOption | Each<LabelOption>) => labelsOption(labels),
    flag: {
      value: 'HOW',
      read: (word: string): LabelOption | undefined =>
        word === 'joint' || word === 'infer'
          ? word
          : /^\d+(\s*,\s*\d+)*$/.test(word.trim())
            ? word.split(',').map(Number)
            : undefined,
      right: 'joint or infer or classes such as 3,1',
    },
  },
} as const satisfies OptionRecords<Pick<LeakageOptions, 'preset' | 'labels'>>

/** Every option of gradient matching, each with one record. */
export const MATCHING = {
  ...TRAINING,
  ...TARGET,
  ...WHOLE,
  ...OBJECTIVE,
  ...SEARCH,
} as const satisfies OptionRecords<LeakageOptions>

/** Options with everything decided and checked. */
export interface Settings
  extends TargetSettings,
    Omit<Decisions<typeof SEARCH>, 'optimizer'>,
    Pick<Decisions<typeof OBJECTIVE>, 'priorEasing' | 'dataRange'> {
  readonly preset: PresetName
  readonly labels: LabelChoice | Each<LabelChoice>
  readonly distance: Distance
  /** The caller's own optimizer, or a built-in one. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  readonly optimizer: Optimizer<any> | OptimizerChoice
  /** Rows of the products the optimizer can use; 0 when it has no use for them. */
  readonly productRows: number
  /** The objective is `objectiveScale` times the relative loss; undefined leaves the distance as it is. */
  readonly objectiveScale: number | undefined
  /** Undefined: chosen by the shape of the data. */
  readonly priors: readonly Prior[] | undefined
}

/** The options that are given, and those that their preset gives. @throws DlgError `invalid-option` for its name */
export function withPreset(options: LeakageOptions): LeakageOptions & { readonly preset: PresetName } {
  const preset = choice('preset', options.preset ?? 'robust', presetNames)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { ...PRESETS[preset].options, ...given, preset }
}

/** Checks every option and fills in the preset's. @throws DlgError `invalid-option` */
export function leakageOptions(options: LeakageOptions): Settings {
  knownNames('options', options, Object.keys(MATCHING))
  const whole = withPreset(options)
  const { preset } = whole
  const target = targetSettings(whole)
  const { distance, priors, ...objective } = pickOptions(OBJECTIVE, whole)
  const { optimizer, ...search } = pickOptions(SEARCH, whole)
  const lbfgs = optimizer === 'lbfgs'
  // the default prior is eased whenever the optimizer comes to rest, which Adam and its like do not
  const chosen = priors === undefined && !lbfgs ? [] : priors
  return {
    ...target,
    ...objective,
    ...search,
    preset,
    labels: pickOptions(WHOLE, whole).labels,
    distance: target.scale === 'auto' ? scaleFree(distance) : distance,
    optimizer: typeof optimizer === 'string' ? { name: optimizer, preset } : optimizer,
    productRows: preset === 'paper' || !lbfgs ? 0 : 2 * HISTORY,
    objectiveScale: PRESETS[preset].objectiveScale,
    priors: chosen === undefined ? undefined : readPriorOption(chosen, objective.dataRange),
  }
}
