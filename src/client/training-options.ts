import { choice, fitsFloat32, hasMethod, invalid, knownNames, number, show } from '../errors/checks'
import { nameFlag, nameOption, type OptionRecords, pickOptions, switchOption } from '../options/option'
import { chooseRuntime, RUNTIME_NAMES, type RuntimeName } from '../runtime/choose'
import type { Runtime } from '../runtime/runtime'
import { binaryCrossEntropy, crossEntropy, huber, meanAbsoluteError, meanSquaredError } from './model/criteria'
import type { Criterion, Reduction } from './model/criterion'
import type { Each } from './model/each'
import type { AnyCriterion, Criteria, LossFunction } from './model/loss'
import type { OutputKind } from './model/scores'

/** Criteria that need no further options. */
export type CriterionName = 'crossEntropy' | 'binaryCrossEntropy' | 'meanSquaredError' | 'meanAbsoluteError' | 'huber'

/** The training loss of one output. */
export type CriterionOption = CriterionName | Criterion | LossFunction

/** How the client trains: what a gradient of its loss depends on beside model and data. */
export interface TrainingOptions {
  /**
   * The training loss: a name, one of the criteria for what else they can, or a function of output and target in tfjs
   * operations. Of several outputs a list, or a map by name, in which an output without a loss is left out. Default
   * `crossEntropy`.
   */
  criterion?: CriterionOption | Each<CriterionOption>
  /** The weight of each output's loss in their sum, each above 0: a list or a map by output. Default 1 each. */
  lossWeights?: Each<number>
  /**
   * Whether a cross-entropy given by name reads the output as logits or as probabilities. `auto` (default) recognises a soft-max
   * or sigmoid at the end of the model.
   */
  output?: OutputKind
  /** How losses of a batch become one. Default `mean`. */
  reduction?: Reduction
  /** Whether the client's forward pass runs in training mode (batch statistics, dropout). Default false. */
  training?: boolean
  /** What runs the computation. Default `auto`. */
  runtime?: RuntimeName | Runtime
}

/** How the client trains, with everything decided and checked. */
export interface TrainingSettings {
  readonly criterion: Criteria
  readonly lossWeights: Each<number> | undefined
  readonly reduction: Reduction
  readonly training: boolean
  readonly runtime: Runtime
}

const CRITERIA: Readonly<Record<CriterionName, (output: OutputKind) => Criterion>> = {
  crossEntropy,
  binaryCrossEntropy: (output) => binaryCrossEntropy({ output }),
  meanSquaredError: () => meanSquaredError(),
  meanAbsoluteError: () => meanAbsoluteError(),
  huber: () => huber(),
}

const criterionNames = Object.keys(CRITERIA) as CriterionName[]

/** One record an option. */
export const TRAINING = {
  criterion: {
    help: `the client's loss: ${criterionNames.join(', ')}, or a function; of several outputs a list or a map`,
    default: 'crossEntropy' as CriterionOption | Each<CriterionOption>,
    check: (criterion: CriterionOption | Each<CriterionOption>) => criterion,
    flag: nameFlag<CriterionName>(criterionNames),
  },
  lossWeights: {
    help: 'what the losses of several outputs count in their sum: a list or a map by output',
    otherwise: '1 each',
    check: lossWeightsOption,
    flag: {
      value: 'X,X',
      read(word: string): number[] | undefined {
        const weights = word.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
        return weights.every((weight) => weight > 0 && weight < Infinity) ? weights : undefined
      },
      right: 'a number above 0 for each output with a loss, separated by commas',
    },
  },
  output: nameOption<OutputKind>(
    ['auto', 'logits', 'probabilities'],
    'auto',
    "what the model's output is to a cross-entropy: auto, logits, probabilities",
  ),
  reduction: nameOption<Reduction>(['mean', 'sum'], 'mean', 'how the losses of a batch became one: mean, sum'),
  training: switchOption('the client runs the model in training mode: batch statistics'),
  runtime: {
    help: 'auto, onnx (fast; needs onnxruntime-node), tfjs, reference (float64, slow)',
    default: 'auto' as RuntimeName | Runtime,
    check(runtime: RuntimeName | Runtime): Runtime {
      if (typeof runtime !== 'string' && !hasMethod(runtime, 'compile'))
        throw invalid(`runtime is ${show(runtime)}; it must be a name or an object with compile()`)
      return typeof runtime === 'string'
        ? chooseRuntime(choice('runtime', runtime, RUNTIME_NAMES, 'a Runtime'))
        : runtime
    },
    flag: nameFlag<RuntimeName>(RUNTIME_NAMES),
  },
} as const satisfies OptionRecords<TrainingOptions>

/** Checks everything a gradient depends on. @throws DlgError `invalid-option` */
export function trainingOptions(options: TrainingOptions): TrainingSettings {
  knownNames('options', options, Object.keys(TRAINING))
  return trainingSettings(options)
}

/** Checks the options of the training among others. @throws DlgError `invalid-option` */
export function trainingSettings(options: TrainingOptions): TrainingSettings {
  const { output, criterion, ...settings } = pickOptions(TRAINING, options)
  return { ...settings, criterion: criteriaOption(criterion, output) }
}

function criteriaOption(criterion: CriterionOption | Each<CriterionOption>, output: OutputKind): Criteria {
  if (Array.isArray(criterion)) return criterion.map((one, i) => criterionOption(`criterion[${i}]`, one, output))
  if (typeof criterion !== 'object' || criterion === null || hasMethod(criterion, 'loss') || isEmpty(criterion))
    return criterionOption('criterion', criterion as CriterionOption, output)
  const entries = Object.entries(criterion as { readonly [output: string]: CriterionOption })
  return Object.fromEntries(entries.map(([name, one]) => [name, criterionOption(`criterion.${name}`, one, output)]))
}

const isEmpty = (map: object): boolean => Object.keys(map).length === 0

function criterionOption(what: string, criterion: CriterionOption, output: OutputKind): AnyCriterion {
  if (typeof criterion === 'function') return criterion
  if (typeof criterion !== 'string' && hasMethod(criterion, 'loss')) return criterion
  return CRITERIA[choice(what, criterion, criterionNames, 'an object with loss() or a function of output and target')](
    output,
  )
}

function lossWeightsOption(weights: Each<number>): Each<number> {
  if (typeof weights !== 'object' || weights === null)
    throw invalid(`lossWeights is ${show(weights)}; it must be a list or a map of numbers, one for each output`)
  for (const [name, weight] of Object.entries(weights))
    number(`lossWeights.${name}`, weight, (v) => v > 0 && fitsFloat32(v), 'a number above 0, at most 3.4e38')
  return weights
}

/** How the client trains, out of options that say more: what `gradientsOf` takes. */
export const trainingOf = ({
  criterion,
  lossWeights,
  output,
  reduction,
  training,
  runtime,
}: TrainingOptions): TrainingOptions => ({ criterion, lossWeights, output, reduction, training, runtime })
