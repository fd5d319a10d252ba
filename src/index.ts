export type { Reconstruction, RecoveredTargets } from './attack/reconstruction'
export type { FittedScale } from './attack/scale'
export {
  type CheckedWeight,
  type CheckOptions,
  checkModel,
  describeCheck,
  type Example,
  type Finding,
  type FindingCode,
  type ModelCheck,
  type SecondOrder,
} from './check'
export { DlgError, type DlgErrorCode } from './errors'
export { gradientsOf } from './gradients-of'
export * as graph from './graph'
export { type InferredLabels, inferLabels } from './infer-labels'
export type { KnownInputs } from './inputs/known-inputs'
export type { Data } from './inputs/read-data'
export {
  infer,
  joint,
  known,
  type LabelContext,
  type LabelDecision,
  type LabelInference,
  type LabelStrategy,
} from './labels'
export { deepLeakage, deepLeakageFromGradients, type Leakage, type LeakageTrial } from './leakage'
export {
  binaryCrossEntropy,
  type Criterion,
  type CrossEntropyOptions,
  crossEntropy,
  type ElementOptions,
  type HuberOptions,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  type OutputKind,
  type Reduction,
  type TargetKind,
  type TokenOptions,
  tokenCrossEntropy,
} from './model/criterion'
export type { Each } from './model/each'
export type { LossFunction } from './model/loss'
export type { FunctionalModel, Model, NamedFunctionalModel } from './model/model'
export { balanced, cosine, type Distance, l2 } from './objective/distance'
export { box, colorTotalVariation, norm, type Prior, totalVariation } from './objective/prior'
export * from './optim'
export type { LabelOption } from './options/label-options'
export type {
  CriterionName,
  CriterionOption,
  IterationEvent,
  LeakageOptions,
  PriorWeights,
  Start,
  TrainingOptions,
} from './options/settings'
export type { RuntimeName } from './runtime/choose'
export { onnx } from './runtime/onnx/node'
export type { OnnxOptions, PortableProgram } from './runtime/onnx/portable'
export { releaseCompiled } from './runtime/onnx/sessions'
export { reference } from './runtime/reference'
export type { Evaluator, Executable, Program, Runtime, Values } from './runtime/runtime'
export { tfjs } from './runtime/tfjs'
export type { HistoryEntry, Status } from './search/search'
export type { Missing } from './sharing/missing'
export type { NamedGradients, SharedByName, SharedGradients } from './sharing/read-gradients'
export type { SharedUpdate } from './sharing/shared-update'
export type { PlainTensor } from './sharing/tensor-values'
export type { UpdateApproach, UpdateOptions } from './sharing/update-options'
export type { KnownTargets } from './targets/label-choices'
export type { OutputTargets } from './targets/target-values'
