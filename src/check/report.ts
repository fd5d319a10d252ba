import type { AttackName } from '../attacks'

/** One thing that a check found. */
export interface Finding {
  /** `ok`: checked and fine. `note`: worth knowing. `warning`: an attack suffers from it. `error`: something is wrong. */
  readonly level: 'ok' | 'note' | 'warning' | 'error'
  /** A stable word that a program can test. */
  readonly code: FindingCode
  readonly message: string
  /** The attack of the registry that the finding invites. */
  readonly attack?: AttackName
}

/** The subject of a finding. */
export type FindingCode =
  /** Whether the model is traced (`ok`), or why not (`error`): nothing else is checked then. */
  | 'trace'
  /** tfjs's own gradient and ours agree (`ok`) or differ (`error`). */
  | 'first-order'
  /** tfjs has no gradient for an operation of the model; ours is not checked against it. */
  | 'tfjs-cannot-differentiate'
  /** tfjs's own gradient cannot be compared: random layers, or an output that has reached 0 or 1. */
  | 'not-compared'
  /** The derivative that a search follows agrees with finite differences (`ok`), does not (`error`), or a kink hides it. */
  | 'second-order'
  /** No search can move: the gradient does not depend on an input smoothly, or is zero. */
  | 'no-search'
  /** Sigmoid or tanh units close to their bounds. */
  | 'saturated'
  /** ReLU units that no sample activates. */
  | 'dead'
  /** A weight whose gradient is zero beside the others. */
  | 'zero-gradient'
  /** The first layer is dense with a bias: one sample stands in its gradient in closed form. */
  | 'closed-form'
  /** How much of what each layer reads its own equations leave open, for one sample and layers one after the other with inverses between. */
  | 'layer-ranks'
  /** A layer looks up rows of a trained table: its gradient names the tokens. */
  | 'token-set'
  /** Whether labels follow from the gradient of the last layer. */
  | 'labels'
  /** Whether all activations are smooth, which a search needs. */
  | 'smooth'
  /** Layers with PyTorch's shapes that compute other values than PyTorch's. */
  | 'conventions'
  /** Layers that draw random numbers in training mode, such as dropout: their masks are unknowns, unless the gradient shows them. */
  | 'random-layers'
  /** The samples of a batch depend on each other, as under batch statistics. */
  | 'batch-coupling'
  /** Whether the gradient has at least as many numbers as there are unknowns. */
  | 'unknowns'

/** A weight of the model, and facts about its gradient. */
export interface CheckedWeight {
  readonly name: string
  readonly shape: readonly number[]
  readonly count: number
  readonly trainable: boolean
  /** ‖∂L/∂w‖ on the example; undefined where it is not trained, or the model is not traced. */
  readonly gradientNorm?: number
  /** ‖tfjs's gradient − ours‖ / ‖ours‖; undefined where they were not compared. */
  readonly difference?: number
}

/** The result of `checkModel`, as plain data. */
export interface ModelCheck {
  readonly model: string
  readonly batchSize: number
  readonly parameters: { readonly count: number; readonly trained: number; readonly weights: readonly CheckedWeight[] }
  /** Numbers that a search must find: data, and targets searched with them. */
  readonly unknowns: number
  /** Nodes of the graphs of the client's gradient, and of the objective with its derivatives. */
  readonly graph?: { readonly gradient: number; readonly objective?: number }
  /** Milliseconds on the runtime: to compile, of one evaluation, and of an attack of 2,000 evaluations. */
  readonly time?: {
    readonly runtime: string
    readonly compile: number
    readonly evaluation: number
    readonly attack: number
  }
  /** How the derivative of the objective was held to finite differences. */
  readonly secondOrder?: SecondOrder
  readonly findings: readonly Finding[]
}

/** The objective's derivative along random directions, from the runtime and from central differences. */
export interface SecondOrder {
  /** Precision of the finite differences: float64 where the graph is small enough. */
  readonly precision: 'float32' | 'float64'
  /** How far every unknown moves along each direction. */
  readonly steps: readonly number[]
  /** Largest relative error that counts as agreement. */
  readonly tolerance: number
  /** Relative error along each direction. */
  readonly errors: readonly number[]
  /** Relative disagreement of differences at two steps along each direction: large at a kink, where they mean nothing. */
  readonly instability: readonly number[]
}
