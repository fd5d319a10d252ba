export { type CheckOptions, checkModel, type Example } from './check-model'
export { describeCheck, describeFinding } from './describe'
export type { CheckedWeight, Finding, FindingCode, ModelCheck, SecondOrder } from './report'
