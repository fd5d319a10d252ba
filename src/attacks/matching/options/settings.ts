import type { Tensor } from '@tensorflow/tfjs-core'
import type { KnownInputs } from '../../../client/known-inputs'
import type { Each } from '../../../client/model/each'
import type { Missing } from '../../../client/shared/missing'
import type { UpdateOptions, UpdateSettings } from '../../../client/shared/update-options'
import type { TrainingOptions, TrainingSettings } from '../../../client/training-options'
import type { Optimizer } from '../../../optim/index'
import type { Distance } from '../objective/distance'
import type { Prior } from '../objective/prior'
import type { LabelChoice } from '../targets/label-choices'
import type { LabelOption } from './label-options'
import type { OptimizerChoice } from './optimizers'

/** Where a search starts. */
export interface Start {
  /** Data [batchSize, ...inputShape] of the first searched input, or of inputs by name. */
  data: Tensor | ArrayLike<number> | { readonly [input: string]: Tensor | ArrayLike<number> }
  /** Label logits [batchSize, classes], for joint labels; of the first output that has any, or of outputs by name. */
  labels?: Tensor | ArrayLike<number> | { readonly [output: string]: Tensor | ArrayLike<number> }
}

/** Weights of the priors, relative to the distance in its unit. */
export interface PriorWeights {
  totalVariation?: number
  colorTotalVariation?: number
  norm?: number
  box?: number
}

/** An iteration of a search begins. */
export interface IterationEvent {
  /** Which restart, from 0. */
  readonly restart: number
  /** Iterations of this restart that are complete: 0 at the start. */
  readonly iteration: number
  /** Evaluations of all restarts so far. */
  readonly evaluations: number
  /** The objective where this iteration began. */
  readonly loss: number
  /** The distance there in units of the shared gradient: 1 matches nothing, 0 everything. */
  readonly relativeLoss: number
  /** The relative loss of this restart's best point, the one with the lowest objective. */
  readonly best: number
  /** Since the attack began. */
  readonly milliseconds: number
  /** The data of the best point so far, [batchSize, ...inputShape] of the first searched input in row-major order; a copy. */
  data(): Float32Array
}

/** Options of `deepLeakageFromGradients`. The options of the client's training are among them. */
export interface LeakageOptions extends TrainingOptions {
  /** How many samples the gradient averages. Default 1. */
  batchSize?: number
  /**
   * `joint` soft-max as in the paper (default), `infer` in closed form, class indices, known targets, or a strategy. Of several
   * outputs a list or a map by name; one alone is for all, where `infer` infers the classes and searches other targets.
   */
  labels?: LabelOption | Each<LabelOption>
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
  /** Default `l2`; `balanced` for deep networks. */
  distance?: 'l2' | 'cosine' | 'balanced' | Distance
  /** Default `lbfgs`. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  optimizer?: 'lbfgs' | 'adam' | Optimizer<any>
  /**
   * How a batch moves: `together` (default), or `one-by-one`, one sample an iteration as in the paper, whose batches have no
   * order. The latter takes several times the evaluations where the former converges.
   */
  batchUpdate?: 'together' | 'one-by-one'
  /** `robust` (default), or `paper`: the recipe as published, which fails where the published recipe fails. */
  preset?: 'robust' | 'paper'
  /** Most iterations of one restart; an L-BFGS iteration has up to 20 inner ones. Default 300. */
  iterations?: number
  /** Most searches from different starts; the first that converges ends them. Default 4 (`paper`: 1). */
  restarts?: number
  /**
   * How many restarts run at the same time; what comes out does not depend on it. With onnxruntime-node and a built-in
   * optimizer each runs on a thread of its own; elsewhere they take turns on one. Default 1.
   */
  concurrency?: number
  /** Of all random numbers. Default 1234. */
  seed?: number
  /** `gray` is the middle of the range with a little noise, `normal` N(0, 1), `uniform` over the range. Default `gray` (`paper`: `normal`). */
  init?: 'gray' | 'normal' | 'uniform' | Start
  /**
   * What plausible data look like, of the first searched input. Default: total variation for images (in colour where there are three channels) with
   * the built-in L-BFGS, else none.
   */
  priors?: PriorWeights | readonly Prior[]
  /**
   * The factor by which the priors' weight falls whenever a search comes to rest, for as long as the gradient then comes
   * closer. 1 keeps the weight. Default 0.1 (`paper`: 1).
   */
  priorEasing?: number
  /** Range of the data's values. Default [0, 1]. */
  dataRange?: readonly [number, number]
  /** Relative loss at which a search has converged. Default 1e-12. */
  tolerance?: number
  /** Most work; what is exceeded first ends the attack with the best point so far. */
  budget?: { evaluations?: number; milliseconds?: number }
  /** Ends the attack with the best point so far. */
  signal?: AbortSignal
  /** Called as each iteration begins. */
  onIteration?: (event: IterationEvent) => void
}

/** Options with everything decided and checked. */
export interface Settings extends TrainingSettings {
  readonly preset: 'robust' | 'paper'
  readonly batchSize: number
  readonly labels: LabelChoice | Each<LabelChoice>
  readonly known: KnownInputs
  readonly missing: Missing | undefined
  readonly update: UpdateSettings | undefined
  readonly scale: 'auto' | number
  readonly distance: Distance
  /** The caller's own optimizer, or a built-in one. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  readonly optimizer: Optimizer<any> | OptimizerChoice
  readonly batchUpdate: 'together' | 'one-by-one'
  /** Rows of the products the optimizer can use; 0 when it has no use for them. */
  readonly productRows: number
  /** The objective is `objectiveScale` times the relative loss; undefined leaves the distance as it is. */
  readonly objectiveScale: number | undefined
  readonly iterations: number
  readonly restarts: number
  readonly concurrency: number
  readonly seed: number
  readonly init: 'gray' | 'normal' | 'uniform' | Start
  /** Undefined: chosen by the shape of the data. */
  readonly priors: readonly Prior[] | undefined
  readonly priorEasing: number
  readonly dataRange: readonly [number, number]
  readonly tolerance: number
  readonly budget: { readonly evaluations: number; readonly milliseconds: number }
  readonly signal: AbortSignal | undefined
  readonly onIteration: ((event: IterationEvent) => void) | undefined
}
