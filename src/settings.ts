import type { Tensor } from '@tensorflow/tfjs-core'
import type { LabelStrategy } from './labels'
import type { Criterion, OutputKind } from './model/criterion'
import type { Reduction } from './model/gradient'
import type { Distance } from './objective/distance'
import type { Prior } from './objective/prior'
import type { MatrixProducts, Optimizer } from './optim'
import type { RuntimeName } from './runtime/choose'
import type { Runtime } from './runtime/runtime'

/** How the client trains: what a gradient of its loss depends on beside model and data. */
export interface TrainingOptions {
  /** The training loss. Default `crossEntropy`. */
  criterion?: 'crossEntropy' | 'meanSquaredError' | Criterion
  /** What the model's output is to a cross-entropy; `auto` (default) recognises a soft-max at the end of the model. */
  output?: OutputKind
  /** How losses of a batch become one. Default `mean`. */
  reduction?: Reduction
  /** Whether the client's forward pass runs in training mode (batch statistics, dropout). Default false. */
  training?: boolean
  /** What runs the computation. Default `auto`. */
  runtime?: RuntimeName | Runtime
}

/** Where a search starts. */
export interface Start {
  /** Data [batchSize, ...inputShape]. */
  data: Tensor | ArrayLike<number>
  /** Label logits [batchSize, classes], for joint labels. */
  labels?: Tensor | ArrayLike<number>
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
  /** The data of the best point so far, [batchSize, ...inputShape] in row-major order; a copy. */
  data(): Float32Array
}

export interface LeakageOptions extends TrainingOptions {
  /** How many samples the gradient averages. Default 1. */
  batchSize?: number
  /** `joint` soft-max as in the paper (default), `infer` in closed form, class indices, or a strategy. */
  labels?: 'joint' | 'infer' | readonly number[] | LabelStrategy
  /** Default `l2`. */
  distance?: 'l2' | 'cosine' | Distance
  /** Default `lbfgs`. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  optimizer?: 'lbfgs' | 'adam' | Optimizer<any>
  /** `robust` (default), or `paper`: the recipe as published, which fails where the published recipe fails. */
  preset?: 'robust' | 'paper'
  /** Most iterations of one restart; an L-BFGS iteration has up to 20 inner ones. Default 300. */
  iterations?: number
  /** Most searches from different starts; the first that converges ends them. Default 4 (`paper`: 1). */
  restarts?: number
  /**
   * How many restarts run at the same time; what comes out does not depend on it. With onnxruntime-node evaluations then run
   * on worker threads, which pays for models of some milliseconds an evaluation. Default 1.
   */
  concurrency?: number
  /** Of all random numbers. Default 1234. */
  seed?: number
  /** `gray` is the middle of the range with a little noise, `normal` N(0, 1), `uniform` over the range. Default `gray` (`paper`: `normal`). */
  init?: 'gray' | 'normal' | 'uniform' | Start
  /**
   * What plausible data look like. Default: total variation for images (in colour where there are three channels) with
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
  onIteration?: (event: IterationEvent) => void
}

/** Options with everything decided and checked. */
export interface Settings {
  readonly preset: 'robust' | 'paper'
  readonly batchSize: number
  readonly labels: LabelStrategy
  readonly distance: Distance
  /** The optimizer, given products in the runtime where that has them. */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  readonly optimizer: (products?: MatrixProducts) => Optimizer<any>
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
  readonly criterion: Criterion
  readonly reduction: Reduction
  readonly training: boolean
  readonly runtime: Runtime
}
