import type { Each } from '../../client/model/each'
import { preprocessedRange } from '../../client/preprocessing'
import { TARGET, type TargetOptions, type TargetSettings, targetSettings } from '../../client/target-options'
import { TRAINING } from '../../client/training-options'
import { choice, invalid, knownNames } from '../../errors/checks'
import type { Optimizer } from '../../optim'
import { type Decisions, nameOption, type OptionRecords, pickOptions } from '../../options/option'
import type { Distance } from './objective/distance'
import { OBJECTIVE, type ObjectiveOptions, readPriorOption } from './objective/options'
import type { DefaultPrior, Prior } from './objective/prior'
import { scaleFree } from './objective/scale'
import { whitening } from './objective/whitened'
import { HISTORY, type OptimizerChoice } from './search/optimizers'
import { SEARCH, type SearchOptions } from './search/options'
import { type LabelChoice, type LabelOption, labelsOption } from './targets/label-choices'

/** Options of `deepLeakageFromGradients`; every one has a default. */
export interface LeakageOptions extends TargetOptions, ObjectiveOptions, SearchOptions {
  /**
   * The recipe: the defaults of all options that are not given.
   *
   * - `auto` (default): `homotopy` for images where the network has kinks between data and outputs (ReLU, max-pooling), `attention`
   *   for images where a smooth network has attention, else `robust`. The result's `preset` says which, and why.
   * - `robust`: L-BFGS with a strong-Wolfe line search and restarts, for smooth networks.
   * - `homotopy`: the network's kinks are rounded off, and grow sharp while signed Adam follows; the cosine distance (a
   *   whitened one, or `balanced`, where `auto` chose it for a network of ten layers with kernels or more), and total variation as a prior, with a weight of 0.01 for each image of the
   *   batch and 0.2 at most; at least 0.06 where `auto` chose it for such a network, behind batch norms in training mode, or for an update of several local steps.
   * - `attention`: `robust` with the whitened distance, more total variation and one start, for vision transformers.
   * - `inverting-gradients`: Geiping et al. 2020, on the network as it is.
   * - `paper`: Zhu et al. 2019 as published, which fails where the published recipe fails.
   */
  preset?: PresetName
  /**
   * `joint` soft-max as in the paper (default), `infer` in closed form, class indices, known targets, or a strategy. Of several
   * outputs a list or a map by name; one alone is for all, where `infer` infers the classes and searches other targets.
   */
  labels?: LabelOption | Each<LabelOption>
}

/** A recipe: the values it takes where the caller gives none, and what is not an option at all. */
interface Preset {
  readonly options: Pick<
    LeakageOptions,
    'restarts' | 'init' | 'priors' | 'priorEasing' | 'patience' | 'optimizer' | 'distance' | 'iterations'
  >
  /** Weight of total variation, which is the prior of images where no priors are given, and whether it is in colour. */
  readonly prior: DefaultPrior
  /** Whether kinks are rounded off. */
  readonly smooths: boolean
  /** The objective is this many times the relative loss; undefined leaves the distance as it is. */
  readonly objectiveScale: number | undefined
}

const MILD = { weight: 1e-4, color: true, batchNorm: 0.1 }

const PRESETS = {
  auto: { options: {}, prior: MILD, smooths: false, objectiveScale: 1e6 },
  robust: { options: {}, prior: MILD, smooths: false, objectiveScale: 1e6 },
  homotopy: {
    options: { optimizer: 'adam', distance: 'cosine', iterations: 1000, restarts: 1, priorEasing: 0.25 },
    // for each image of the batch, of which one gradient says less: the prior decides the rest
    prior: { weight: 0.01, color: true, batchNorm: 1 },
    smooths: true,
    objectiveScale: 1e6,
  },
  attention: {
    options: { distance: 'whitened', iterations: 120, restarts: 1, priorEasing: 0.3 },
    prior: { weight: 0.01, color: true, batchNorm: 0.1 },
    smooths: false,
    objectiveScale: 1e6,
  },
  'inverting-gradients': {
    options: { optimizer: 'adam', distance: 'cosine', iterations: 4800, restarts: 1, init: 'uniform', priorEasing: 1 },
    prior: { weight: 1e-2, color: false, batchNorm: 0 },
    smooths: false,
    objectiveScale: undefined,
  },
  paper: {
    options: { restarts: 1, init: 'normal', priors: [], priorEasing: 1, patience: Number.POSITIVE_INFINITY },
    prior: MILD,
    smooths: false,
    objectiveScale: undefined,
  },
} as const satisfies Readonly<Record<PresetName, Preset>>

/** Name of a recipe. */
export type PresetName = 'auto' | 'robust' | 'homotopy' | 'attention' | 'inverting-gradients' | 'paper'

const presetNames = Object.keys(PRESETS) as PresetName[]

/** One record an option: those that belong to no part of the attack alone. */
const WHOLE = {
  preset: nameOption<PresetName>(
    presetNames,
    'auto',
    'the recipe: auto (by the model), robust (smooth networks), homotopy (kinks), attention (vision transformers), inverting-gradients, paper',
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
  /** Whether the caller said which factor is in what was shared, be it 1. */
  readonly scaleStated: boolean
  readonly distance: Distance
  /** The caller's own optimizer, or a built-in one. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  readonly optimizer: Optimizer<any> | OptimizerChoice
  /** Rows of the products the optimizer can use; 0 when it has no use for them. */
  readonly productRows: number
  /** The objective is `objectiveScale` times the relative loss; undefined leaves the distance as it is. */
  readonly objectiveScale: number | undefined
  /** Undefined: `prior` where the data are images, else none. */
  readonly priors: readonly Prior[] | undefined
  readonly prior: DefaultPrior
  /** Whether kinks are rounded off at first. */
  readonly smooths: boolean
  /** β at the first iteration of a homotopy, where that is not the usual one. */
  readonly dull?: number
  /** What `preset: 'auto'` can decide for. */
  readonly auto?: Alternative
}

/** The settings that a preset decides. */
type Recipe = Pick<Settings, (typeof RECIPE)[number]>

const RECIPE = [
  ...(['preset', 'optimizer', 'productRows', 'iterations', 'patience', 'restarts', 'init'] as const),
  ...(['distance', 'objectiveScale', 'priors', 'prior', 'priorEasing', 'smooths', 'dull'] as const),
] as const

/** What `preset: 'auto'` can decide for beside `robust`. */
interface Alternative {
  /** Undefined where an option was given that does not go with it. */
  readonly homotopy?: Recipe
  /** The recipe of the homotopy for deep networks. */
  readonly deep?: Recipe
  /** Another one for them, with the whitened distance; undefined where a distance was given. */
  readonly whitened?: Recipe
  /** The recipe of a network with attention. */
  readonly attention?: Recipe
  /** The option that was given. */
  readonly otherwise?: string
}

/** The options that are given, and those that their preset gives. @throws DlgError `invalid-option` for its name */
export function withPreset(options: LeakageOptions): LeakageOptions & { readonly preset: PresetName } {
  const preset = choice('preset', options.preset === undefined ? 'auto' : options.preset, presetNames)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { ...PRESETS[preset].options, ...given, preset }
}

/** Checks every option and fills in the preset's. @throws DlgError `invalid-option` */
export function leakageOptions(options: LeakageOptions): Settings {
  knownNames('options', options, Object.keys(MATCHING))
  const settings = settingsOf(withPreset(options))
  return settings.preset === 'auto' ? { ...settings, auto: alternativeTo(options) } : settings
}

/** Part of the largest singular value that smaller ones count as, where the gradients of a deep network are whitened. */
const DEEP_FLOOR = 3e-3

/** β where the homotopy of a deep network begins: rounded off more, nineteen layers of kinks make another network. */
const DEEP_DULL = 8

/** A start or an optimizer of the caller's goes with the network as it is. */
function alternativeTo(options: LeakageOptions): Alternative {
  const given = [
    ...(options.optimizer === undefined ? [] : ['an optimizer']),
    ...(typeof options.init === 'object' ? ['a start'] : []),
  ]
  if (given.length > 0) return { otherwise: given.join(' and ') }
  const recipeOf = (preset: PresetName, distance: LeakageOptions['distance'] = options.distance): Recipe => {
    const settings = settingsOf(withPreset({ ...options, distance, preset }))
    return Object.fromEntries(RECIPE.map((name) => [name, settings[name]])) as unknown as Recipe
  }
  const deep = options.distance === undefined ? 'balanced' : options.distance
  return {
    homotopy: recipeOf('homotopy'),
    deep: recipeOf('homotopy', deep),
    ...(options.distance === undefined && {
      whitened: { ...recipeOf('homotopy', whitening(1, DEEP_FLOOR)), dull: DEEP_DULL },
    }),
    attention: recipeOf('attention'),
  }
}

function settingsOf(whole: LeakageOptions & { readonly preset: PresetName }): Settings {
  const { preset } = whole
  const { prior, smooths, objectiveScale } = PRESETS[preset]
  const target = targetSettings(whole)
  const { distance, priors, ...own } = pickOptions(OBJECTIVE, whole)
  if (target.preprocessing && whole.dataRange !== undefined)
    throw invalid('dataRange is the range that preprocessing gives; preprocessing.range must say it instead')
  const objective = target.preprocessing ? { ...own, dataRange: preprocessedRange(target.preprocessing) } : own
  const { optimizer, ...search } = pickOptions(SEARCH, whole)
  const lbfgs = optimizer === 'lbfgs'
  // with `robust` the default prior is eased whenever the optimizer comes to rest, which Adam and its like do not
  const chosen = priors === undefined && !lbfgs && prior === MILD ? [] : priors
  const [low, high] = objective.dataRange
  return {
    ...target,
    ...objective,
    ...search,
    ...{ preset, prior, smooths, objectiveScale },
    labels: pickOptions(WHOLE, whole).labels,
    scaleStated: typeof whole.scale === 'number',
    distance: target.scale === 'auto' ? scaleFree(distance) : distance,
    optimizer: typeof optimizer === 'string' ? { name: optimizer, preset, range: [low, high] } : optimizer,
    productRows: preset === 'paper' || !lbfgs ? 0 : 2 * HISTORY,
    priors: chosen === undefined ? undefined : readPriorOption(chosen, objective.dataRange),
  }
}
