/**
 * Deep Leakage from Gradients: the data behind a shared gradient, found by a search. The client, the labels, the losses, the
 * optimizers, the runtimes and the graph are here too.
 *
 * @module dlg-ts
 */

export { infer } from './attacks/labels/infer'
export { type InferredLabels, inferLabels } from './attacks/labels/infer-labels'
export {
  joint,
  known,
  type LabelContext,
  type LabelDecision,
  type LabelInference,
  type LabelStrategy,
} from './attacks/labels/strategy'
export type { CertaintyDirection, LeakageCertainty, OtherData } from './attacks/matching/certainty-tensors'
export { deepLeakage, deepLeakageFromGradients, type Leakage, type LeakageTrial } from './attacks/matching/leakage'
export {
  balanced,
  cosine,
  type Distance,
  type DistanceName,
  type DistanceTensor,
  type DistanceWeights,
  l2,
} from './attacks/matching/objective/distance'
export type { ObjectiveOptions, PriorWeights } from './attacks/matching/objective/options'
export {
  batchNorm,
  box,
  colorTotalVariation,
  norm,
  type Prior,
  type SharedStatistic,
  totalVariation,
} from './attacks/matching/objective/prior'
export type { RunningStatistic } from './attacks/matching/objective/running'
export { spectral } from './attacks/matching/objective/signal'
export { whitened } from './attacks/matching/objective/whitened'
export type { LeakageOptions, PresetName } from './attacks/matching/options'
export type { ChosenPreset } from './attacks/matching/preset'
export type { Reconstruction, RecoveredTargets } from './attacks/matching/reconstruction'
export type { FittedScale } from './attacks/matching/scale'
export type { IterationEvent, SearchOptions, Start } from './attacks/matching/search/options'
export type { HistoryEntry } from './attacks/matching/search/search'
export type { LabelOption } from './attacks/matching/targets/label-choices'
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
export { gradientsOf } from './client/gradients-of'
export {
  binaryCrossEntropy,
  type CrossEntropyOptions,
  crossEntropy,
  type ElementOptions,
  type HuberOptions,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  type TokenOptions,
  tokenCrossEntropy,
} from './client/model/criteria'
export type { Criterion, Reduction, TargetKind } from './client/model/criterion'
export type { Each } from './client/model/each'
export type { LossFunction } from './client/model/loss'
export type { FunctionalModel, GraphModel, Model, ModelOutput, NamedFunctionalModel } from './client/model/model'
export type { OutputKind } from './client/model/scores'
export { type PreprocessingOptions, undoPreprocessing } from './client/preprocessing'
export type { Data, KnownInputs } from './client/read-data'
export type { Missing } from './client/shared/missing'
export type { NamedGradients, SharedByName, SharedGradients } from './client/shared/read-gradients'
export type { StatedPrecision } from './client/shared/rounding'
export type { SharedUpdate } from './client/shared/shared-update'
export type { PlainTensor } from './client/shared/tensor-values'
export type { UpdateApproach, UpdateOptions } from './client/shared/update-options'
export type { TargetOptions } from './client/target-options'
export type { ClassIndices, KnownTargets, OutputTargets } from './client/target-values'
export type { CriterionName, CriterionOption, TrainingOptions } from './client/training-options'
export { DlgError, type DlgErrorCode } from './errors/dlg-error'
/** The dataflow graph: its nodes, the operations on them, and their derivatives. */
export * as graph from './graph/checked'
export type { Certainty } from './measure/certainty/certainty'
export type { FreeDirection } from './measure/certainty/weak-block'
export type { LeakageStatus, Status } from './measure/verdict'
export * from './optim'
export { auto, type RuntimeName } from './runtime/choose'
export { onnx } from './runtime/onnx/node'
export type { OnnxOptions } from './runtime/onnx/portable'
export { releaseCompiled } from './runtime/onnx/sessions'
export { reference } from './runtime/reference'
export type { Evaluator, Executable, PortableProgram, Program, Runtime, Values } from './runtime/runtime'
export { tfjs } from './runtime/tfjs'
